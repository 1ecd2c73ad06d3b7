"""The listener on a real log: who leads, what every evaluator is served, and how soon."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from agentauri.actors.listener import WAKE_SECONDS, Listener, ListenerSettings
from agentauri.actors.messages import Away, Progress
from agentauri.actors.pages import KEPT_PAGES, PageReader, Shared
from agentauri.models.page import Page, parse_rows
from agentauri.store.database import Pool
from tests.support.rows import feedback, insert_events
from tests.support.waiting import eventually


class Fake:
    """An evaluator that keeps the pages it was served; away or slow when told so."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.last_seq = 0
        self.epoch = 0
        self.away = False
        self.go = asyncio.Event()
        self.go.set()

    async def progress(self) -> Progress:
        if self.away:
            raise Away("told so")
        return Progress(self.last_seq, self.epoch)

    async def batch(self, page: Shared) -> Progress:
        await self.go.wait()
        if self.away:
            raise Away("told so")
        self.pages.append(page.page)
        assert page.page.after_seq <= self.last_seq
        self.last_seq = max(self.last_seq, page.page.last_seq)
        return await self.progress()

    @property
    def seqs(self) -> list[int]:
        return [event.seq for page in self.pages for event in parse_rows(page.rows)]


Start = Callable[..., "asyncio.Future[Listener]"]


@pytest.fixture
async def fakes(pool: Pool, database: str) -> AsyncIterator[tuple[Listener, list[Fake], list[bool]]]:
    evaluators, ended = [Fake(), Fake()], []
    settings = ListenerSettings("listener", database, len(evaluators))
    listener = Listener(settings, lambda index: evaluators[index], lambda: ended.append(True))
    await listener.start()
    yield listener, evaluators, ended
    await listener.drain()


async def add(pool: Pool, count: int, start: int = 0) -> None:
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(start + number) for number in range(count)])


async def test_p11_every_evaluator_gets_every_event_once_in_order(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, evaluators, _ = fakes
    for part in range(5):
        await add(pool, 7, 7 * part)
    await eventually(lambda: all(len(one.seqs) == 35 for one in evaluators))
    assert evaluators[0].seqs == evaluators[1].seqs == sorted(set(evaluators[0].seqs))


async def test_p11_slow_evaluator_delays_nobody_and_catches_up(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, (quick, slow), _ = fakes
    slow.go.clear()
    for part in range(4):
        await add(pool, 5, 5 * part)
        await eventually(lambda part=part: len(quick.seqs) == 5 * (part + 1))  # type: ignore[misc]  # mypy: default
    assert slow.seqs == []
    slow.go.set()
    await eventually(lambda: slow.seqs == quick.seqs)


async def test_p11_slow_evaluator_holds_no_more_pages_than_the_high_water_mark(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, (quick, slow), _ = fakes
    monkeypatch.setattr("agentauri.actors.pages.MOST_ROWS", 5)
    listener._reader._rows = 5
    slow.go.clear()
    await add(pool, 5 * (KEPT_PAGES + 10))
    await eventually(lambda: len(quick.seqs) == 5 * (KEPT_PAGES + 10))
    assert len(listener._reader._pages) <= KEPT_PAGES
    assert slow.pages == []
    slow.go.set()
    await eventually(lambda: slow.seqs == quick.seqs)
    assert len(listener._reader._pages) <= KEPT_PAGES


async def test_evaluator_that_comes_back_is_served_from_where_it_is(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, (one, other), _ = fakes
    other.away = True
    await add(pool, 6)
    await eventually(lambda: len(one.seqs) == 6)
    other.last_seq, other.away = one.seqs[2], False
    await eventually(lambda: other.seqs == one.seqs[3:])


async def test_p03_lost_notification_costs_a_timer_and_no_event(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, evaluators, _ = fakes
    await pool.execute("ALTER TABLE events DISABLE TRIGGER events_ring")
    await add(pool, 3)
    await eventually(lambda: len(evaluators[0].seqs) == 3, seconds=WAKE_SECONDS * 5)


async def test_p11_second_listener_waits_until_the_leader_is_gone_and_raises_the_epoch(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool, database: str
) -> None:
    first, evaluators, _ = fakes
    second = Listener(ListenerSettings("second", database, 2), lambda index: evaluators[index], lambda: None)
    starting = asyncio.create_task(second.start())
    await add(pool, 2)
    await eventually(lambda: len(evaluators[0].seqs) == 2)
    assert not starting.done()
    await first.drain()
    await asyncio.wait_for(starting, 10)
    await add(pool, 1, 2)
    await eventually(lambda: evaluators[0].pages[-1].epoch == 2)
    await second.drain()


async def test_p11_leader_whose_connection_ends_stops_at_once(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, _, ended = fakes
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentauri listener' "
        "AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
    )
    await eventually(lambda: ended)


async def test_p11_leader_that_meets_a_newer_epoch_stops(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, evaluators, ended = fakes
    evaluators[0].epoch = 99
    await add(pool, 1)
    await eventually(lambda: ended)


async def test_p12_clock_goes_out_when_the_cursor_has_reached_its_seq(
    fakes: tuple[Listener, list[Fake], list[bool]], pool: Pool
) -> None:
    _, evaluators, _ = fakes
    sql = """INSERT INTO chains (chain_id, name, block_number, confirmed_time, confirmed_seq)
             VALUES ($1, 'x', 1, to_timestamp(1000), $2)"""
    await pool.execute(sql, 1, 0)
    await pool.execute(sql, 2, 10_000)
    clocks = await eventually(lambda: [page.clocks for page in evaluators[0].pages if page.clocks])
    assert [(one.chain_id, one.time) for one in clocks[0]] == [(1, 1000)]


async def test_large_events_make_small_pages(pool: Pool) -> None:
    reader = PageReader(pool, 1)
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(number, data={"tag2": "x" * 300_000}) for number in range(40)])
    after, sizes = 0, []
    while (shared := await reader.page(after)) is not None:
        after = shared.page.last_seq
        sizes.append(shared.page.count)
    assert sum(sizes) == 40
    assert reader._rows < 1000


async def test_reader_lets_go_of_pages_that_were_served(pool: Pool) -> None:
    reader = PageReader(pool, 1)
    reader._rows = 5
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(number, data={"tag2": "x" * 500_000}) for number in range(100)])
    after, most = 0, 0
    while (shared := await reader.page(after)) is not None:
        reader.read_ahead(shared)
        after, most = shared.page.last_seq, max(most, len(reader._pages))
    assert most <= KEPT_PAGES
