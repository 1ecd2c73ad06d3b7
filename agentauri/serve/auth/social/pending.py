"""A login that is under way at a provider, kept by the browser that began it: sealed, in a cookie no script reads.

So the login comes back to that browser or to none, and nothing is stored here for logins that nobody finishes. The
seal is bound to the provider; one provider's login cannot be passed off as another's.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from uuid import UUID

import orjson
from fastapi import Request
from fastapi.responses import Response

from agentauri.accounts.social import ATTEMPT_LIFETIME
from agentauri.errors import InvalidRequest, StoreError
from agentauri.models.social import Attempt, Provider
from agentauri.serve.auth.cookies import is_secure
from agentauri.serve.context import Context
from agentauri.store.vault import Vault

LOST = "this login has run out, or was begun in another browser; begin again."
SECURE_PREFIX = "__Host-"
"""Browsers let no other host set a cookie of this name, a subdomain's page neither."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What comes back to the callback. ``session_id``: whose account the identity is for; None: it is a login."""

    attempt: Attempt
    redirect: str | None
    challenge: str | None
    user_id: UUID | None = None
    session_id: UUID | None = None


def keep(context: Context, answer: Response, provider: Provider, pending: Pending) -> None:
    """Give the browser its pending login."""
    until = datetime.now(UTC) + ATTEMPT_LIFETIME
    packed = orjson.dumps({**asdict(pending), "until": int(until.timestamp())})
    sealed = urlsafe_b64encode(context.vault.seal(packed, _purpose(provider))).decode()
    _set(context, answer, provider, sealed, int(ATTEMPT_LIFETIME.total_seconds()))


def drop(context: Context, answer: Response, provider: Provider) -> None:
    """Take it away."""
    _set(context, answer, provider, "", 0)


def recall(context: Context, request: Request, provider: Provider, state: str) -> Pending:
    """The login that comes back with ``state``. Raises InvalidRequest unless this browser began it, a while ago."""
    found = _open(context.vault, provider, request.cookies.get(_name(context, provider), ""))
    if found is None or not compare_digest(found.attempt.state.encode(), state.encode()):
        raise InvalidRequest(LOST, [("/query/state", LOST)])
    return found


def _open(vault: Vault, provider: Provider, cookie: str) -> Pending | None:
    try:
        raw = orjson.loads(vault.open(urlsafe_b64decode(cookie.encode("ascii")), _purpose(provider)))
    except (StoreError, ValueError):
        return None
    if raw.pop("until") < datetime.now(UTC).timestamp():
        return None
    attempt = Attempt(**raw.pop("attempt"))
    user_id, session_id = (None if text is None else UUID(text) for text in (raw["user_id"], raw["session_id"]))
    return Pending(attempt, raw["redirect"], raw["challenge"], user_id, session_id)


def _purpose(provider: Provider) -> str:
    return f"social_login:{provider}"


def _name(context: Context, provider: Provider) -> str:
    prefix = SECURE_PREFIX if is_secure(context) else ""
    return f"{prefix}login-{provider}"


def _set(context: Context, answer: Response, provider: Provider, value: str, seconds: int) -> None:
    answer.set_cookie(
        _name(context, provider),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(context),
        httponly=True,
        samesite="lax",  # strict would keep it from the way back, which begins at the provider
    )
