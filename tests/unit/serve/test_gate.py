"""Turns at passwords: few at a time, nobody forgotten, nothing kept."""

import asyncio

from agentauri.accounts.lockout import ALLOWANCE, Subjects
from agentauri.serve.gate import Gate

ACCOUNT = Subjects(b"account", b"client")


async def test_as_many_as_are_allowed_check_at_once_and_all_come_to_their_turn() -> None:
    gate, under_way, most, done = Gate(), 0, 0, 0

    async def check() -> None:
        nonlocal under_way, most, done
        async with gate.turn(ACCOUNT):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            done += 1

    await asyncio.gather(*(check() for _ in range(40)))
    assert (most, done) == (ALLOWANCE, 40)
    assert not gate._lines


async def test_one_client_has_the_same_few_turns_over_all_accounts() -> None:
    gate, inside, leave = Gate(), 0, asyncio.Event()

    async def check(account: bytes) -> None:
        nonlocal inside
        async with gate.turn(Subjects(account, b"client")):
            inside += 1
            await leave.wait()

    tasks = [asyncio.create_task(check(bytes([number]))) for number in range(20)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert inside == ALLOWANCE
    leave.set()
    await asyncio.gather(*tasks)
    assert inside == 20


async def test_who_waited_is_told_of_a_failure_in_front_and_of_no_other() -> None:
    gate, told = Gate(), []

    async def check(subjects: Subjects, *, right: bool) -> None:
        async with gate.turn(subjects) as failed:
            await asyncio.sleep(0)
            if not right:
                gate.note_failure(subjects)
            told.append(failed)

    await asyncio.gather(*(check(ACCOUNT, right=True) for _ in range(2 * ALLOWANCE)))
    assert told == [False] * 2 * ALLOWANCE
    told.clear()
    other = Subjects(b"account", None)
    await asyncio.gather(*(check(other if one else ACCOUNT, right=one != 0) for one in range(2 * ALLOWANCE)))
    assert told == [False] * ALLOWANCE + [True] * ALLOWANCE


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    gate, leave = Gate(), asyncio.Event()

    async def check() -> None:
        async with gate.turn(ACCOUNT):
            await leave.wait()

    tasks = [asyncio.create_task(check()) for _ in range(10)]
    await asyncio.sleep(0)
    for late in tasks[ALLOWANCE:]:
        late.cancel()
    await asyncio.wait(tasks[ALLOWANCE:])
    assert gate._lines[b"account"].users == ALLOWANCE
    leave.set()
    await asyncio.gather(*tasks[:ALLOWANCE])
    assert not gate._lines
