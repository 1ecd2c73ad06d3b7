"""The settings of the rate limits: how many requests an hour by plan, and by address for each kind of route."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from agentauri.config_section import Section

MIN_TOKEN_LENGTH = 16


def _check_token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and (len(text) < MIN_TOKEN_LENGTH or not text.isascii()):
        raise ValueError(f"has to have {MIN_TOKEN_LENGTH} ASCII characters or more: openssl rand -hex 32")
    return value


PerHour = Annotated[int, Field(ge=1, le=1_000_000)]


class RateLimits(Section):
    """Requests an hour: by organization for the plans, by address for the others."""

    mode: Literal["shadow", "enforce"] | None = None
    """shadow counts without refusing; not set: shadow, in production enforce."""
    anonymous: PerHour = 60
    """Requests an hour from one address without credentials."""
    free: PerHour = 600
    """Requests an hour of an organization on the free plan."""
    starter: PerHour = 3_000
    """Requests an hour of an organization on the starter plan."""
    pro: PerHour = 15_000
    """Requests an hour of an organization on the pro plan."""
    enterprise: PerHour = 100_000
    """Requests an hour of an organization on the enterprise plan."""
    credentials: PerHour = 300
    """Requests an hour from one address with wrong credentials, for what is not there, or that cannot be read."""
    login: PerHour = 30
    """Logins with a password or a wallet an hour from one address."""
    registration: PerHour = 20
    """New accounts an hour from one address."""
    refresh: PerHour = 60
    """Refreshed tokens an hour from one address."""
    exchange: PerHour = 30
    """Social logins an hour from one address."""
    nonce: PerHour = 30
    """Nonces of wallet logins an hour from one address."""
    mail: PerHour = 10
    """Mails asked for (verification, forgotten password) and their codes tried an hour from one address."""
    token: PerHour = 60
    """Tokens of OAuth clients an hour from one address."""
    monitoring_token: Annotated[SecretStr, AfterValidator(_check_token)] = SecretStr("")
    """A request with this in X-Monitoring-Token is not limited; empty: none is. 16 characters or more."""
