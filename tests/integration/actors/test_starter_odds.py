"""Pasts worked off while everything goes wrong: workers and evaluators die, the chain forks, the log grows."""

import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from agentauri.actors.pasts import Past
from agentauri.actors.starter import Turn
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import events, retractions, start_work, trigger_versions
from tests.integration.actors.test_absences import CHAIN, set_clock
from tests.integration.actors.test_evaluator import rebuilt_state, scores, state_of
from tests.integration.actors.test_starter import KINDS
from tests.support.path import Gone, Rig, snapshot
from tests.support.rows import BLOCK_TIME
from tests.support.starts import Starts, expected, queue
from tests.support.triggers import make_organization, make_trigger

STEPS = 15
PLACES: list[tuple[Any, str]] = [
    (start_work, "advance"), (start_work, "join"), (start_work, "lock_log"), (retractions, "retract_of"),
    (trigger_versions, "write"), (Past, "meet"),
]  # fmt: skip
"""Where a worker dies, before or after; all but the last within a transaction."""


class World:
    """A chain that grows and forks, triggers that begin in its past, and what may happen meanwhile."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig, self.dice, self.starts = rig, random.Random(seed), Starts(rig.pool)
        self.block = 0
        self.evaluator: Any = None

    async def grow(self, count: int | None = None) -> None:
        count = count or self.dice.randint(1, 15)
        values = [self.dice.randint(0, 100) for _ in range(count)]
        await scores(self.rig, values, start=self.block, block_hash=hex(self.dice.getrandbits(64)))
        self.block += count

    async def fork(self) -> None:
        self.block = max(1, self.block - self.dice.randint(1, 40))
        async with self.rig.pool.acquire() as connection, connection.transaction():
            await events.retract(connection, CHAIN, self.block - 1)

    async def work(self) -> None:
        """A step of a worker, which may die at any place in it."""
        owner, name = self.dice.choice(PLACES)
        real, dies = getattr(owner, name), self.dice.random() < 0.3
        after = self.dice.random() < 0.5

        async def crash(*arguments: Any, **more: Any) -> Any:
            if after:
                await real(*arguments, **more)
            raise Gone

        def crash_when_committed(*_: Any) -> None:
            raise Gone

        with pytest.MonkeyPatch.context() as patch:
            if dies:
                patch.setattr(owner, name, crash)
            elif self.dice.random() < 0.2:
                patch.setattr(Turn, "_committed", crash_when_committed)
            try:
                await self.starts.turn(seconds=0)
            except Gone:
                await self.starts.free()

    async def serve(self) -> None:
        self.evaluator = self.evaluator or await self.rig.start()
        await self.rig.serve(self.evaluator)

    async def end_evaluator(self) -> None:
        if self.evaluator is not None:
            await self.rig.crash(self.evaluator)
        self.evaluator = None

    async def keep(self) -> None:
        if self.evaluator is not None:
            await snapshot(self.evaluator)

    async def tell_time(self) -> None:
        """The chain has come to its newest block, and no event of it is still to come."""
        await set_clock(self.rig, self.block - 1)
        await self.serve()
        await self.rig.serve_clocks(self.evaluator)

    async def live(self, odd: str) -> None:
        """Anything, many times; what is ``odd`` more often."""
        happenings: list[Callable[[], Awaitable[None]]] = [
            *[self.grow] * 3, *[self.work] * 5, *[self.serve] * 2, *[getattr(self, odd)] * 2, self.end_evaluator,
            self.keep,
        ]  # fmt: skip
        for _ in range(STEPS):
            await self.dice.choice(happenings)()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("odd", ["fork", "tell_time"])
async def test_p18_queue_and_state_are_those_of_an_undisturbed_pass(
    rig: Rig, small_pages: None, odd: str, seed: int
) -> None:
    world = World(rig, seed)
    await world.grow(60)
    async with rig.pool.acquire() as connection:
        organization, triggers = await make_organization(connection), list[tuple[TriggerDefinition, int]]()
        for kind in KINDS:
            after, cooldown = world.dice.randrange(50), world.dice.choice([0, 7])
            made = await make_trigger(connection, organization, kind, after=after, cooldown_seconds=cooldown)
            triggers.append((made, after))
    await world.live(odd)
    await world.starts.work()
    await world.live(odd)
    await world.grow(20)
    await world.tell_time()
    clocks = {CHAIN: BLOCK_TIME + world.block - 1}
    wanted = set[UUID]().union(*[await expected(rig.pool, made, after, clocks) for made, after in triggers])
    assert await queue(rig.pool) == wanted
    assert await rig.pool.fetchval("SELECT count(*) FROM trigger_starts WHERE status <> 'joined'") == 0
    if odd == "tell_time":  # what a fork took back stays counted
        assert await rig.pool.fetchval("SELECT sum(fired_count) FROM triggers") == len(wanted)
    live = state_of(world.evaluator)
    await world.evaluator.drain()
    assert await rebuilt_state(rig) == live
