"""Making, changing, rotating and revoking API keys; each writes what it did into the audit log, in its transaction.

Nobody makes a key that may do more than the one who makes it.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agentauri.accounts.api_keys import Environment, make_key
from agentauri.accounts.roles import Principal, Scope
from agentauri.errors import Forbidden, InvalidRequest
from agentauri.serve.api_keys.schemas import ApiKeyBody, ApiKeyChange
from agentauri.serve.caller import Client, note
from agentauri.serve.context import Context
from agentauri.serve.plan_limits import check_limits
from agentauri.store import api_keys
from agentauri.store.database import Connection
from agentauri.store.limits import Countable

SECONDS_AN_HOUR = 3600
FENCES = {"ip_allow", "expires_at", "requests_per_hour"}
"""What holds a key back beside its scopes."""
PAST = "must lie in the future."


async def create(
    context: Context, connection: Connection, principal: Principal, client: Client, body: ApiKeyBody
) -> dict[str, Any]:
    """A new key with its text. Raises Forbidden, InvalidRequest or LimitReached."""
    _check_scopes(principal, body.permissions)
    _check_expiry(body.expires_at)
    made = make_key(body.environment)
    new = api_keys.NewApiKey(
        name=body.name,
        environment=body.environment,
        prefix=made.prefix,
        sha256=made.sha256,
        permissions=body.permissions,
        ip_allow=body.ip_allow,
        requests_per_hour=body.requests_per_hour,
        expires_at=body.expires_at,
    )
    key = await api_keys.create_key(
        connection, organization_id=principal.organization_id, created_by=principal.user_id, new=new
    )
    await check_limits(context, connection, principal.organization_id, {Countable.API_KEYS: 1})
    await _note(connection, principal, client, "created", key.id, {"name": key.name, "permissions": key.permissions})
    return {**asdict(key), "key": made.text}


async def change(
    connection: Connection, principal: Principal, client: Client, id_: UUID, body: ApiKeyChange
) -> dict[str, Any]:
    """Change the fields that were sent. Raises NotFound, Conflict and InvalidRequest, and Forbidden for scopes that the
    caller has not, or where what holds a key back is changed and the key may do more than the caller."""
    changes = body.model_dump(exclude_unset=True)
    _check_scopes(principal, changes.get("permissions", ()))
    _check_expiry(changes.get("expires_at"))
    if FENCES & changes.keys():
        await _check_reach(connection, principal, id_)
    key = await api_keys.change_key(connection, principal.organization_id, id_, changes)
    await _note(connection, principal, client, "changed", id_, {"fields": sorted(changes)})
    return asdict(key)


async def rotate(
    connection: Connection, principal: Principal, client: Client, id_: UUID, grace_hours: float
) -> dict[str, Any]:
    """Give a key a new text. Raises NotFound or Conflict, and Forbidden where the key may do more than the caller."""
    old = await _check_reach(connection, principal, id_)
    made = make_key(Environment(old.environment))
    key = await api_keys.rotate_key(
        connection,
        principal.organization_id,
        id_,
        prefix=made.prefix,
        sha256=made.sha256,
        grace_seconds=round(grace_hours * SECONDS_AN_HOUR),
    )
    await _note(connection, principal, client, "rotated", id_, {"grace_hours": grace_hours})
    return {**asdict(key), "key": made.text}


async def revoke(connection: Connection, principal: Principal, client: Client, id_: UUID, reason: str | None) -> None:
    """Revoke a key; once is enough. Raises NotFound."""
    if await api_keys.revoke_key(connection, principal.organization_id, id_, reason):
        await _note(connection, principal, client, "revoked", id_, {"reason": reason})


async def _check_reach(connection: Connection, principal: Principal, id_: UUID) -> api_keys.ApiKey:
    """The key, if it may do no more than the caller. Raises NotFound or Forbidden."""
    found = await api_keys.get_key(connection, principal.organization_id, id_)
    _check_scopes(principal, [Scope(one) for one in found.permissions])
    return found


def _check_scopes(principal: Principal, wanted: list[Scope] | tuple[()]) -> None:
    beyond = sorted(set(wanted) - principal.scopes)
    if beyond:
        raise Forbidden(f"a key cannot be given more than you may do yourself: {', '.join(beyond)}.")


def _check_expiry(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise InvalidRequest(f"/expires_at {PAST}", [("/expires_at", PAST)])


async def _note(
    connection: Connection, principal: Principal, client: Client, verb: str, id_: UUID, details: dict[str, Any]
) -> None:
    await note(connection, principal, client, f"api_key.{verb}", f"api_key:{id_}", details)
