"""Everything that is kept of a user, as one JSON document, written while it is read.

Guarantees pages of bounded size, so that neither memory nor a connection is held by a large account or a slow reader,
and that no secret is in it: hashes, sealed values and texts of keys are never read. What changes meanwhile may be in
it before or after the change. Lists end at MAX_ENTRIES, the newest first.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agentauri.errors import Unauthenticated
from agentauri.models.action import masked
from agentauri.models.ids import UserId
from agentauri.serve.answers import Json
from agentauri.serve.auth.begin import public
from agentauri.serve.context import Context
from agentauri.store import api_keys, audit, identities, oauth_clients, sessions, users, webhook_secrets
from agentauri.store.database import Connection
from agentauri.store.organizations import Membership
from agentauri.store.trigger_pages import Filter, list_triggers
from agentauri.store.triggers import Trigger

MAX_ENTRIES = 10_000
PAGE = 100
GONE = "the account is gone."
HIDDEN_OF_TRIGGER = ("partition",)
HIDDEN_OF_ACTION = ("config", "destination", "lane")

Page = Callable[[Connection, int], Awaitable[Sequence[Any]]]
"""Entries from an offset on, PAGE at most."""


async def begin(context: Context, user_id: UserId) -> tuple[dict[str, Any], UUID]:
    """What is small, read before the answer begins, and the personal organization. Raises NotFound."""
    async with context.pool.acquire() as connection:
        user = await users.get_user(connection, user_id)
        profile = await public(connection, user)
        memberships: list[Membership] = profile.pop("organizations")
        head = {
            "exported_at": datetime.now(UTC),
            "profile": {**profile, "has_password": user.password_hash is not None},
            "memberships": memberships,
            "sessions": [asdict(one) for one in await sessions.list_history(connection, user_id, MAX_ENTRIES)],
            "identities": [_identity(one) for one in await identities.list_identities(connection, user_id)],
        }
    personal: UUID | None = next((one.id for one in memberships if one.personal), None)
    if personal is None:
        raise Unauthenticated(GONE)
    return head, personal


async def write(context: Context, user_id: UserId, head: dict[str, Any], organization_id: UUID) -> AsyncIterator[bytes]:
    """The document in parts."""

    async def of_triggers(connection: Connection, offset: int) -> Sequence[Any]:
        found = await list_triggers(connection, organization_id, Filter(), limit=PAGE, offset=offset)
        return [_trigger(one) for one in found]

    async def of_keys(connection: Connection, offset: int) -> Sequence[Any]:
        found, _ = await api_keys.list_keys(connection, organization_id, live=None, limit=PAGE, offset=offset)
        return [asdict(one) for one in found]

    async def of_clients(connection: Connection, offset: int) -> Sequence[Any]:
        found, _ = await oauth_clients.list_clients(connection, organization_id, limit=PAGE, offset=offset)
        return [asdict(one) for one in found]

    async def of_secrets(connection: Connection, offset: int) -> Sequence[Any]:
        found, _ = await webhook_secrets.list_secrets(connection, organization_id, limit=PAGE, offset=offset)
        return [asdict(one) for one in found]

    yield b'{"data":' + _json(head)[:-1]
    lists: dict[str, Page] = {
        "triggers": of_triggers,
        "api_keys": of_keys,
        "oauth_clients": of_clients,
        "webhook_secrets": of_secrets,
    }
    for name, page in lists.items():
        async for part in _list(name, _pages(context, page)):
            yield part
    async for part in _list("audit", _audit(context, user_id)):
        yield part
    yield b"}}"


async def _list(name: str, pages: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    """One member of the document: ``,"name":[…]``."""
    yield f',"{name}":['.encode()
    comma = b""
    async for page in pages:
        if page:
            yield comma + b",".join(_json(one) for one in page)
            comma = b","
    yield b"]"


async def _pages(context: Context, read: Page) -> AsyncIterator[Sequence[Any]]:
    for offset in range(0, MAX_ENTRIES, PAGE):
        async with context.pool.acquire() as connection:
            page = await read(connection, offset)
        yield page
        if len(page) < PAGE:
            return


async def _audit(context: Context, user_id: UserId) -> AsyncIterator[Sequence[Any]]:
    cursor: str | None = None
    for _ in range(0, MAX_ENTRIES, PAGE):
        async with context.pool.acquire() as connection:
            page, cursor = await audit.list_of_user(connection, user_id, cursor=cursor, limit=PAGE)
        yield [asdict(one) for one in page]
        if cursor is None:
            return


def _json(value: Any) -> bytes:
    return bytes(Json(value).body)


def _identity(found: identities.Identity) -> dict[str, Any]:
    return {key: value for key, value in asdict(found).items() if key != "user_id"}


def _trigger(found: Trigger) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(found).items() if key not in HIDDEN_OF_TRIGGER}
    return {**kept, "actions": [_action(one) for one in found.actions]}


def _action(action: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in action.items() if key not in HIDDEN_OF_ACTION}
    return {**kept, "config": masked(action["config"])}
