"""A trigger's conditions and actions one by one: each change is the change of the whole list, in one place.

So whatever holds for changing a trigger holds here: the same checks, the same transaction, a version in the log (P7),
state and waiting deliveries kept where they may be. Mistakes are told where they stand in the part that was sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from agentauri.accounts.roles import Principal
from agentauri.errors import Conflict, InvalidRequest, NotFound
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.serve.triggers.answer import public
from agentauri.serve.triggers.service import apply_change, note_change
from agentauri.store import triggers
from agentauri.store.database import Connection
from agentauri.store.triggers import Trigger

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """Which list of a trigger: its name there, and what one of it is called."""

    name: Literal["conditions", "actions"]
    noun: str


CONDITIONS = Kind("conditions", "condition")
ACTIONS = Kind("actions", "action")
LAST_CONDITION = "this is the trigger's last condition; add another one first, or set match_all to true."


async def list_parts(context: Context, principal: Principal, trigger_id: UUID, kind: Kind) -> list[Part]:
    """All of one kind, in their order. Raises NotFound."""
    async with context.pool.acquire() as connection:
        return _parts(await triggers.get_trigger(connection, principal.organization_id, trigger_id), kind)


async def get_part(context: Context, principal: Principal, trigger_id: UUID, kind: Kind, id_: UUID) -> Part:
    """One of them. Raises NotFound."""
    found = await list_parts(context, principal, trigger_id, kind)
    return found[_place(found, kind, id_)]


async def add_part(
    context: Context,
    connection: Connection,
    principal: Principal,
    client: Client,
    trigger_id: UUID,
    kind: Kind,
    sent: Part,
) -> Part:
    """Add one after the others, in the caller's transaction. Raises NotFound or InvalidRequest."""
    old = await triggers.get_for_change(connection, principal.organization_id, trigger_id)
    parts = _parts(old, kind)
    made = {name: value for name, value in sent.items() if name != "id"}
    await note_change(connection, principal, client, trigger_id, {kind.name: made})
    stored = await _put(context, connection, old, kind, [*parts, made], len(parts))
    known = {one["id"] for one in parts}
    return next(one for one in stored if one["id"] not in known)


async def change_part(
    context: Context, principal: Principal, client: Client, trigger_id: UUID, kind: Kind, id_: UUID, sent: Part
) -> Part:
    """Change the fields that were sent; nothing sent changes nothing. Raises NotFound or InvalidRequest."""
    async with context.pool.acquire() as connection, connection.transaction():
        old = await triggers.get_for_change(connection, principal.organization_id, trigger_id)
        parts = _parts(old, kind)
        place = _place(parts, kind, id_)
        if not sent:
            return parts[place]
        parts[place] = {**parts[place], **sent, "id": str(id_)}
        await note_change(connection, principal, client, trigger_id, {kind.name: sent})
        stored = await _put(context, connection, old, kind, parts, place)
        return stored[_place(stored, kind, id_)]


async def delete_part(
    context: Context, principal: Principal, client: Client, trigger_id: UUID, kind: Kind, id_: UUID
) -> None:
    """Delete one. Raises NotFound, and Conflict where the trigger cannot be without it."""
    async with context.pool.acquire() as connection, connection.transaction():
        old = await triggers.get_for_change(connection, principal.organization_id, trigger_id)
        parts = _parts(old, kind)
        del parts[_place(parts, kind, id_)]
        if kind is CONDITIONS and not parts and not old.match_all:
            raise Conflict(LAST_CONDITION)
        await note_change(connection, principal, client, trigger_id, {kind.name: parts})
        try:
            await apply_change(context, connection, old, {kind.name: parts})
        except InvalidRequest as error:
            raise Conflict(f"without this {kind.noun} {error.message}") from error


def _parts(stored: Trigger, kind: Kind) -> list[Part]:
    found: list[Part] = public(stored)[kind.name]
    return list(found)


def _place(parts: Sequence[Part], kind: Kind, id_: UUID) -> int:
    for place, one in enumerate(parts):
        if one["id"] == str(id_):
            return place
    raise NotFound(f"this {kind.noun} does not exist.")


async def _put(
    context: Context, connection: Connection, old: Trigger, kind: Kind, parts: list[Part], place: int
) -> list[Part]:
    """The list as it is after the change; mistakes of the part at ``place`` are told by their place in it."""
    try:
        return _parts(await apply_change(context, connection, old, {kind.name: parts}), kind)
    except InvalidRequest as error:
        head = f"/{kind.name}/{place}"
        problems = [(pointer.removeprefix(head), detail) for pointer, detail in error.problems]
        pointer, detail = problems[0]
        raise InvalidRequest(f"the {kind.noun} is not valid: {pointer}: {detail}", problems) from error
