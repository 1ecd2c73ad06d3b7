"""The audit log: what was done to accounts and organizations, by whom and from where; written with what was done.

An entry stands in the transaction of the change, so neither is there without the other. Details never hold secrets.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from agentauri.store import cursors
from agentauri.store.database import Connection

COLUMNS = "id, organization_id, user_id, actor_kind, actor_id, action, target, details, ip, request_id, created_at"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: ``kind`` is user, key, client, operator (at the command line) or system; ``id`` which of them.

    ``user_id`` is the person concerned, in whose own log the entry also appears.
    """

    kind: str
    id: UUID | None = None
    user_id: UUID | None = None
    ip: str = ""
    request_id: str = ""


SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log. ``organization_id`` None: of a user's account alone."""

    id: UUID
    organization_id: UUID | None
    user_id: UUID | None
    actor_kind: str
    actor_id: UUID | None
    action: str
    target: str
    details: dict[str, Any]
    ip: str
    request_id: str
    created_at: datetime


async def record(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    organization_id: UUID | None,
    target: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Write what was done, in its transaction: ``action`` as ``noun.verb_in_past``, ``target`` as ``noun:id``."""
    await connection.execute(
        f"INSERT INTO audit_log ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp())",
        uuid4(),
        organization_id,
        actor.user_id,
        actor.kind,
        actor.id,
        action,
        target,
        details or {},
        actor.ip,
        actor.request_id,
    )


async def list_of_organization(
    connection: Connection, organization_id: UUID, *, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """A page of an organization's entries, the newest first, and the cursor of the next. Raises InvalidRequest."""
    before, below = (None, None) if cursor is None else cursors.decode(cursor)
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM audit_log
            WHERE organization_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
            ORDER BY created_at DESC, id DESC LIMIT $4""",
        organization_id,
        before,
        below,
        limit + 1,
    )
    return _page(rows, limit)


async def list_of_user(
    connection: Connection, user_id: UUID, *, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """A page of the entries that concern a user, the newest first. Raises InvalidRequest."""
    before, below = (None, None) if cursor is None else cursors.decode(cursor)
    # all organizations: a person's own doings, wherever they were done
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM audit_log
            WHERE user_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
            ORDER BY created_at DESC, id DESC LIMIT $4""",
        user_id,
        before,
        below,
        limit + 1,
    )
    return _page(rows, limit)


def _page(rows: list[asyncpg.Record], limit: int) -> tuple[list[Entry], str | None]:
    found = [Entry(*row) for row in rows[:limit]]
    return found, cursors.encode(found[-1].created_at, found[-1].id) if len(rows) > limit else None
