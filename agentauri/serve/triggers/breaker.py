"""The circuit breaker of a trigger as its organization steers it; what it does is audited in its transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agentauri.accounts.roles import Principal
from agentauri.models.breaker import Breaker
from agentauri.serve.caller import Client, note
from agentauri.serve.context import Context
from agentauri.serve.triggers.answer import public_breaker
from agentauri.store import breakers, triggers
from agentauri.store.database import Connection


async def get(context: Context, principal: Principal, id_: UUID) -> dict[str, Any]:
    """The breaker of a trigger. Raises NotFound."""
    async with context.pool.acquire() as connection:
        stored = await triggers.get_trigger(connection, principal.organization_id, id_)
    return public_breaker(stored.breaker, datetime.now(UTC))


async def configure(
    connection: Connection, principal: Principal, client: Client, id_: UUID, changes: dict[str, Any]
) -> dict[str, Any]:
    """Change the settings that were sent; what was counted stays. Raises NotFound."""

    def changed(breaker: Breaker) -> Breaker:
        return replace(breaker, config=replace(breaker.config, **changes))

    return await _change(connection, principal, client, id_, "changed", changed, changes)


async def reset(connection: Connection, principal: Principal, client: Client, id_: UUID) -> dict[str, Any]:
    """Close it, and count from nothing. Raises NotFound."""
    return await _change(connection, principal, client, id_, "reset", Breaker.reset)


async def open_(connection: Connection, principal: Principal, client: Client, id_: UUID) -> dict[str, Any]:
    """Open it now, whatever was counted; it recovers as ever. Raises NotFound."""
    now: datetime = await connection.fetchval("SELECT statement_timestamp()")
    return await _change(connection, principal, client, id_, "opened", lambda breaker: breaker.opened(now))


async def _change(
    connection: Connection,
    principal: Principal,
    client: Client,
    id_: UUID,
    verb: str,
    to: Callable[[Breaker], Breaker],
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    changed = await breakers.change(connection, principal.organization_id, id_, to)
    await note(connection, principal, client, f"circuit_breaker.{verb}", f"trigger:{id_}", details)
    return public_breaker(changed, datetime.now(UTC))
