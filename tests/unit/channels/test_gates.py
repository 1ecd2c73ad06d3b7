"""At most so many at once by name."""

import asyncio

import pytest

from agentauri.channels.gates import Gates

SOON, LONG = 0.01, 5.0


async def test_who_finds_it_full_waits_until_one_leaves() -> None:
    gates, order = Gates(1), list[str]()

    async def go_in(name: str) -> None:
        async with gates.enter("host", LONG):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(go_in("a"), go_in("b"))
    assert order == ["a in", "a out", "b in", "b out"]


async def test_who_waits_in_vain_is_told_and_takes_no_place() -> None:
    gates = Gates(1)
    async with gates.enter("host", LONG):
        with pytest.raises(TimeoutError):
            async with gates.enter("host", SOON):
                raise AssertionError("there was no room")
    async with gates.enter("host", SOON):
        pass


async def test_other_names_have_places_of_their_own_and_are_forgotten_after_use() -> None:
    gates = Gates(1)
    async with gates.enter("a", LONG), gates.enter("b", SOON):
        assert len(gates) == 2
    assert len(gates) == 0
