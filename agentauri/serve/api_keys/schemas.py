"""What an API key looks like, and what making, changing and rotating one take."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, field_validator

from agentauri.accounts.api_keys import MAX_NETWORKS, NETWORK, Environment, parse_network
from agentauri.accounts.roles import Scope
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, Body, Moment, Pagination, Schema, Text

MAX_NAME = 255
MAX_REASON = 500
MAX_REQUESTS_PER_HOUR = 1_000_000
MAX_GRACE_HOURS = 24
MAX_NETWORK_LENGTH = 64

Network = Annotated[
    str, Field(max_length=MAX_NETWORK_LENGTH, json_schema_extra={"pattern": NETWORK}), AfterValidator(parse_network)
]
Permissions = Annotated[
    list[Scope],
    Field(
        min_length=1,
        max_length=len(Scope),
        description="The scopes; a route that needs another one refuses the key. No scope includes another.",
    ),
]
Networks = Annotated[
    list[Network],
    Field(max_length=MAX_NETWORKS, description="Addresses and networks that it may be used from; empty: any."),
]
PerHour = Annotated[
    int | None,
    Field(ge=1, le=MAX_REQUESTS_PER_HOUR, strict=True, description="Its own limit; null: that of the organization."),
]
Expiry = Annotated[Moment | None, Field(description="Null: it does not run out.", examples=["2027-11-26T08:00:00Z"])]
Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME, examples=["deploy pipeline"])]


def _different(values: list[Any]) -> list[Any]:
    """Without repetitions, in the order in which they came."""
    return list(dict.fromkeys(values))


class ApiKeyBody(Body):
    """A new key."""

    name: Name
    permissions: Permissions
    environment: Environment = Field(Environment.LIVE, description="Shown in the key's text, so that people see it.")
    ip_allow: Networks = Field(default_factory=list)
    requests_per_hour: PerHour = None
    expires_at: Expiry = None

    _once = field_validator("permissions", "ip_allow")(_different)


class ApiKeyChange(Body):
    """Fields of a key to be changed; null clears one that may be null."""

    name: Name = ""
    permissions: Permissions = Field(default_factory=list)
    ip_allow: Networks = Field(default_factory=list)
    requests_per_hour: PerHour = None
    expires_at: Expiry = None

    _once = field_validator("permissions", "ip_allow")(_different)


class RotateBody(Body):
    """How long the old text works on."""

    grace_hours: float = Field(0, ge=0, le=MAX_GRACE_HOURS, description="Hours that the old text still works.")


class RevokeBody(Body):
    """Why a key is revoked."""

    reason: Text | None = Field(None, max_length=MAX_REASON, examples=["it was published by mistake"])


class ApiKey(Schema):
    """A key without its text."""

    id: UUID = Field(examples=[EXAMPLE_ID])
    organization_id: UUID
    created_by: UUID | None
    name: str
    environment: Environment
    prefix: str = Field(description="The first characters of its text.", examples=["aur_live_8GkR"])
    permissions: list[Scope]
    ip_allow: list[str]
    requests_per_hour: int | None
    expires_at: datetime | None
    previous_until: datetime | None = Field(description="The text before the last rotation works until then.")
    revoked_at: datetime | None
    revoked_reason: str | None
    last_used_at: datetime | None = Field(description="Some seconds behind.")
    last_used_ip: str | None
    use_count: int
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(examples=[EXAMPLE_TIME])


class ApiKeyAnswer(Schema):
    """One key."""

    data: ApiKey


class ApiKeyList(Schema):
    """A page of keys, the newest first."""

    data: list[ApiKey]
    pagination: Pagination


class NewApiKey(ApiKey):
    """A key with its text, this once."""

    key: str = Field(description="Send it as `X-API-Key`; shown once.", examples=["aur_live_…"])


class NewApiKeyAnswer(Schema):
    """A key that was just made or rotated."""

    data: NewApiKey


class KeyStats(Schema):
    """How many keys there are, by their state, and how much they are used."""

    total: int
    active: int
    revoked: int
    expired: int
    never_used: int = Field(description="Active ones that nobody has used.")
    expiring_soon: int = Field(description="Active ones that run out within seven days.")
    uses: int
    last_used_at: datetime | None


class KeyStatsAnswer(Schema):
    """Statistics over all keys."""

    data: KeyStats


Live = Literal["active", "inactive"]
"""Inactive: revoked or run out."""
