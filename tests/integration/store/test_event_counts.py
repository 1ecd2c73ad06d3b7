"""Counts of events: exact at their place in the log, whoever writes meanwhile, retractions included."""

import asyncio

import pytest

from agentauri.store import event_counts, events
from agentauri.store.database import Connection, Pool
from tests.support.logs import a_log, block
from tests.support.rows import feedback, insert_events


async def count_all(connection: Connection) -> dict[str, tuple[int, int]]:
    while await event_counts.add_step(connection):
        pass
    found = await event_counts.get_counts(connection)
    return {one.event_type: (one.stored, one.retracted) for one in found.kinds}


async def test_counting_in_steps_while_others_write_counts_everything_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_counts, "STEP_SEQS", 7)

    async def write() -> None:
        async with pool.acquire() as connection:
            for number in range(20):
                await insert_events(connection, [feedback(number) for _ in range(5)])

    async def count() -> None:
        async with pool.acquire() as connection:
            for _ in range(40):
                await event_counts.add_step(connection)

    await asyncio.gather(write(), write(), count(), count())
    async with pool.acquire() as connection:
        assert await count_all(connection) == {"NewFeedback": (200, 0)}


async def test_retracted_events_are_counted_as_such_wherever_the_step_ends(pool: Pool) -> None:
    async with pool.acquire() as connection:
        async with connection.transaction():
            await events.append(connection, 1, [a_log(block(number)) for number in range(1, 5)])
        assert await count_all(connection) == {"NewFeedback": (4, 0)}
        async with connection.transaction():
            await events.append(connection, 1, [a_log(block(5))])
        async with connection.transaction():
            await events.retract(connection, 1, 3)
        assert await count_all(connection) == {"NewFeedback": (5, 2)}
        async with connection.transaction():
            await events.append(connection, 1, [a_log(block(4))])
            await events.retract(connection, 1, 2)
        assert await count_all(connection) == {"NewFeedback": (6, 4)}


async def test_kind_of_any_length_is_counted(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(1, event_type="x" * 9_000)])
        assert await count_all(connection) == {"x" * event_counts.MAX_TYPE: (1, 0)}
