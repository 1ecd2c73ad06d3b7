"""Step ② of an evaluator's commit, in its kinds: what a stretch of the log, a clock, or a retraction led to.

Each is one transaction with the progress of its partitions in it, and returns the lanes in which something became
due. Raises Fenced, and does nothing, when a partition has another owner (protocol P13, P14).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentauri.actors.batch import Outcome
from agentauri.models.page import Retraction
from agentauri.store import firings, partition_clocks, partitions
from agentauri.store.database import Connection
from agentauri.store.firings import Tally
from agentauri.store.partitions import Owned


async def write(outcome: Outcome, behind: Sequence[Owned], last_seq: int, connection: Connection) -> set[str]:
    """Deliveries, counters and progress are one statement; failing triggers and absences need more."""
    tallies = list(outcome.tallies.values())
    if not outcome.failures and not outcome.absences:
        if not tallies:
            await partitions.advance(connection, behind, last_seq)
            return set()
        return await firings.commit(connection, outcome.deliveries, tallies, behind, last_seq)
    async with connection.transaction():
        tallies = await _without_told(connection, outcome)
        lanes = await firings.commit(connection, outcome.deliveries, tallies, behind, last_seq)
        lanes |= await firings.revive(connection, [one for told in outcome.absences for one in told.deliveries])
        await firings.fail(connection, list(outcome.failures.values()))
    return lanes


async def _without_told(connection: Connection, outcome: Outcome) -> list[Tally]:
    """The counts without the absences that stand in the queue already: they were told, and counted, before."""
    ids = [one for told in outcome.absences for one in told.deliveries]
    standing = await firings.standing(connection, ids)
    again = Counter((told.trigger_id, told.day) for told in outcome.absences if standing.issuperset(told.deliveries))
    less = [(one, again[(one.trigger_id, one.day)]) for one in outcome.tallies.values()]
    tallies = [replace(one, matched=one.matched - count, fired=one.fired - count) for one, count in less]
    return [one for one in tallies if one.matched]


async def write_clocks(
    outcome: Outcome, clocks: Mapping[int, int], mine: Sequence[Owned], last_seq: int, connection: Connection
) -> set[str]:
    """What clocks (times by chain) led to, and that the partitions have met them."""
    async with connection.transaction():
        lanes = await write(outcome, mine, last_seq, connection)
        await partition_clocks.keep(connection, [one.partition for one in mine], clocks, last_seq)
    return lanes


async def retract(
    retraction: Retraction, outcome: Outcome, behind: Sequence[Owned], connection: Connection
) -> set[str]:
    """The queue as it would be without the retracted events; the chain's clock begins anew."""
    mine = [one.partition for one in behind]
    async with connection.transaction():
        lanes = await firings.retract(connection, mine, retraction.first_seq, retraction.seq, outcome.deliveries)
        await partition_clocks.forget(connection, mine, retraction.chain_id)
        await partitions.advance(connection, behind, retraction.seq)
    return lanes
