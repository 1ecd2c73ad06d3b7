"""Step ② of an evaluator's commit, in its kinds: what a stretch of the log, a clock, or a retraction led to.

Each is one transaction with the progress of its partitions in it, and returns the lanes in which something became
due. Raises Fenced, and does nothing, when a partition has another owner (protocol P13, P14).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import compress
from uuid import UUID

from agentauri.actors.batch import Outcome
from agentauri.models.page import Clock, Retraction
from agentauri.store import firings, ledger, partition_clocks, partitions, retractions
from agentauri.store.database import Connection
from agentauri.store.firings import NewDelivery, Tally
from agentauri.store.partitions import Owned


async def write(outcome: Outcome, behind: Sequence[Owned], last_seq: int, connection: Connection) -> set[str]:
    """Deliveries, counters and progress are one statement; failing triggers and absences need more."""
    tallies = list(outcome.tallies.values())
    if not outcome.failures and not outcome.absences and not outcome.withdrawn:
        if not tallies:
            await partitions.advance(connection, behind, last_seq)
            return set()
        return await firings.commit(connection, outcome.deliveries, tallies, behind, last_seq)
    async with connection.transaction():
        lanes = await retractions.withdraw(connection, outcome.withdrawn)
        tallies = await _without_told(connection, outcome)
        lanes |= await firings.commit(connection, outcome.deliveries, tallies, behind, last_seq)
        lanes |= await retractions.revive(connection, [row for told in outcome.absences for row in told.deliveries])
        await firings.fail(connection, list(outcome.failures.values()))
    return lanes


async def _without_told(connection: Connection, outcome: Outcome) -> list[Tally]:
    """The counts without the absences whose deliveries are there already: they were told, and counted, before."""
    known = await firings.known(connection, [row.id for told in outcome.absences for row in told.deliveries])
    is_known = [any(row.id in known for row in told.deliveries) for told in outcome.absences]
    again = Counter((told.trigger_id, told.day) for told in compress(outcome.absences, is_known))
    less = [(one, again[(one.trigger_id, one.day)]) for one in outcome.tallies.values()]
    tallies = [replace(one, matched=one.matched - count, fired=one.fired - count) for one, count in less]
    return [one for one in tallies if one.matched]


def _count_new(rows: Sequence[NewDelivery], before: set[UUID], made: set[UUID]) -> list[Tally]:
    """The firings of which a row was made and none was there before, by trigger and day."""
    firings_of: dict[tuple[UUID, UUID], list[NewDelivery]] = {}
    for row in rows:
        firings_of.setdefault((row.trigger_id, row.event_id), []).append(row)
    tallies: dict[tuple[UUID, date], Tally] = {}
    for (trigger_id, _), group in firings_of.items():
        ids = {row.id for row in group}
        if ids.isdisjoint(before) and not ids.isdisjoint(made):
            tally = tallies.setdefault((trigger_id, group[0].day), Tally(trigger_id, group[0].day))
            tally.fired += 1
            tally.last_fired = max(tally.last_fired, group[0].fired_at)
    return list(tallies.values())


async def write_clocks(
    outcome: Outcome, clocks: Sequence[Clock], mine: Sequence[Owned], last_seq: int, connection: Connection
) -> set[str]:
    """What clocks led to, and that the partitions have met them."""
    async with connection.transaction():
        lanes = await write(outcome, mine, last_seq, connection)
        await partition_clocks.keep(connection, [one.partition for one in mine], clocks, last_seq)
    return lanes


async def retract(
    retraction: Retraction,
    outcome: Outcome,
    told: Collection[UUID],
    behind: Sequence[Owned],
    connection: Connection,
) -> set[str]:
    """The queue as it would be without the retracted events; the chain's clock begins anew.

    ``told``: deliveries of absences that stand whatever told them. What fires only now is counted; what does not any
    more stays counted, as its deliveries stay, cancelled.
    """
    mine, rows = [one.partition for one in behind], outcome.deliveries
    async with connection.transaction():
        mend = partial(retractions.retract, connection, mine, retraction.first_seq, retraction.seq, rows, told)
        lanes = await _counting_new(connection, rows, mend)
        await partition_clocks.forget(connection, mine, retraction.chain_id)
        await partitions.advance(connection, behind, retraction.seq)
    return lanes


async def retract_of(
    connection: Connection, trigger_id: UUID, first_seq: int, end: int, rows: Sequence[NewDelivery]
) -> set[str]:
    """The same for one trigger whose past is worked off, as far as it has come, in the caller's transaction."""
    mend = partial(retractions.retract_of, connection, trigger_id, first_seq, end, rows)
    return await _counting_new(connection, rows, mend)


async def _counting_new(
    connection: Connection, rows: Sequence[NewDelivery], mend: Callable[[], Awaitable[set[str]]]
) -> set[str]:
    """Do what makes the queue hold ``rows``, and count what fires only since then."""
    ids = [one.id for one in rows]
    before = await firings.known(connection, ids)
    lanes = await mend()
    made = await firings.known(connection, ids) - before
    await ledger.add_firings(connection, _count_new(rows, before, made))
    return lanes
