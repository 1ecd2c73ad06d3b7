"""Triggers that begin in the past: where that is in the log, and what may not be done with them meanwhile.

Such a trigger is stored like any other, but has no version in the log yet: it is worked off beside the live path up to
the log's head, and joins it there (``actors/starter.py``). Until then it can be switched off and deleted, no more.
"""

from agentauri.errors import Conflict, InvalidRequest
from agentauri.models.start import POINTER, Place
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log, stretches, trigger_starts
from agentauri.store.database import Connection
from agentauri.store.triggers import Trigger

WORKING = (
    "the trigger's past is still worked off, and it is changed when that is done; see `start`. Switching the trigger "
    "off, or deleting it, ends the work."
)


async def begin(connection: Connection, stored: Trigger, definition: TriggerDefinition, place: Place) -> None:
    """Have a new trigger work off its past, in the transaction that makes it. Raises InvalidRequest."""
    head = await log.head(connection)
    after = await _seq_before(connection, stored, place, head)
    await trigger_starts.begin(
        connection,
        trigger_id=stored.id,
        organization_id=stored.organization_id,
        partition=stored.partition,
        definition=definition.to_json(),
        after_seq=after,
        first_block=place.block,
        head=head,
    )


async def _seq_before(connection: Connection, stored: Trigger, place: Place, head: int) -> int:
    if place.block is not None and stored.chain_id is not None:
        return await _seq_before_block(connection, stored.chain_id, place.block, head)
    seq = place.seq or 1
    dropped = await stretches.dropped_upto(connection)
    if seq <= dropped:
        raise _refused("", f"events up to seq {dropped} are not all kept any more; begin after them")
    if seq > head + 1:
        raise _refused("", f"the log ends at seq {head}; a trigger can begin at {head + 1} at the latest")
    return seq - 1


async def _seq_before_block(connection: Connection, chain_id: int, block: int, head: int) -> int:
    known = await trigger_starts.known_blocks(connection, chain_id)
    if known.last_block is None:
        raise _refused("/block", f"of chain {chain_id} no block is known here; begin now, or at a seq")
    if block > known.last_block + 1:
        raise _refused("/block", f"block {known.last_block} of the chain is the last one that is known here")
    if await stretches.dropped_upto(connection) and (known.first_block is None or block < known.first_block):
        first = known.last_block + 1 if known.first_block is None else known.first_block
        raise _refused("/block", f"events before block {first} are not all kept any more; begin with it, or later")
    found = await trigger_starts.find_seq_of_block(connection, chain_id, block)
    return head if found is None else found - 1


def _refused(pointer: str, detail: str) -> InvalidRequest:
    place = POINTER + pointer
    return InvalidRequest(f"the trigger cannot begin there: {place}: {detail}.", [(place, detail)])


async def before_version(connection: Connection, stored: Trigger, *, enabled: bool) -> None:
    """What a trigger's new version means for its past: off, it ends; else it has to wait. Raises Conflict."""
    if not enabled:
        await trigger_starts.end(connection, stored.organization_id, stored.id)
    elif await trigger_starts.is_working(connection, stored.organization_id, stored.id):
        raise Conflict(WORKING)
