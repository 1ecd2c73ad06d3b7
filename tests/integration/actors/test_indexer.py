"""The indexer against a real PostgreSQL and nodes that do what a test wants."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from agentauri.actors import indexer as indexer_module
from agentauri.actors.chain_writer import ChainWriter
from agentauri.actors.indexer import Indexer
from agentauri.models.ids import event_id
from agentauri.store import events
from agentauri.store.database import Pool
from tests.support.fake_chain import CHAIN_ID, REPUTATION, FakeChain, FakeNode, Refuse, serving
from tests.support.indexing import Indexing, kill, watched
from tests.support.waiting import eventually


@pytest.fixture
def indexing(database: str, pool: Pool) -> Indexing:
    return Indexing(database, pool)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts of so few rows that ranges, and blocks, are cut."""
    monkeypatch.setattr(events, "MAX_ROWS", 4)
    return 4


def a_chain(blocks: int = 30) -> FakeChain:
    chain = FakeChain()
    chain.mine(*(number % 4 for number in range(1, blocks + 1)))
    return chain


def broken(text: str = "broken", status: int = 500) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, text=text)


# -- following ---------------------------------------------------------------------------------------------------------


async def test_what_is_there_and_what_comes_is_stored_in_order(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as indexer:
        await indexing.eventually_agrees(chain)
        chain.mine(2, 0, 3)
        chain.mine(5, address=REPUTATION)
        await indexing.eventually_agrees(chain)

        status = await indexer.status()
        assert (status["head"], status["indexed"], status["lag_blocks"]) == (chain.head, chain.head, 0)
        assert (status["state"], status["errors"], status["reorgs"]) == ("following", 0, 0)
    rows = await indexing.pool.fetch("SELECT registry, count(*) FROM events GROUP BY 1 ORDER BY 1 DESC")
    assert [tuple(row) for row in rows] == [("reputation", 5), ("identity", len(chain.log_keys()) - 5)]


async def test_blocks_wait_for_their_confirmations(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes, confirmations=3):
        await indexing.eventually_agrees(chain, confirmations=3)
        chain.mine(1)
        await indexing.eventually_agrees(chain, confirmations=3)


async def test_a_new_chain_is_indexed_from_its_start_block(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes, start_block=20):
        await eventually(lambda: indexing.checkpoint())
        await eventually(lambda: at_block(indexing, chain.head))

    assert await indexing.standing() == [key for key in chain.log_keys() if key[0] in hashes(chain, 20)]


async def at_block(indexing: Indexing, number: int) -> bool:
    return await indexing.checkpoint() == number


def hashes(chain: FakeChain, first: int) -> set[str]:
    return {block.hash for block in chain.blocks[first:]}


async def test_a_quiet_chain_is_not_stalled(indexing: Indexing) -> None:
    chain = FakeChain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        chain.mine(0, 0, 0)
        await indexing.eventually_agrees(chain)
        moved = await indexing.pool.fetchval("SELECT extract(epoch FROM confirmed_time)::bigint FROM chains")
        assert moved == int(chain.blocks[-1].header()["timestamp"], 16)


async def test_p04_a_malformed_log_is_kept_and_stops_nothing(indexing: Indexing) -> None:
    chain = a_chain()

    def spoil(_params: Any, right: Any) -> Any:
        return [{**log, "data": "0x0"} if log["blockNumber"] == "0x3" else log for log in right]

    async with serving(FakeNode(chain, twist={"eth_getLogs": spoil})) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)

    rows = await indexing.pool.fetch("SELECT data FROM events WHERE event_type = 'Unknown'")
    assert [row[0]["raw_data"] for row in rows] == ["0x0"] * 3


async def test_start_and_drain_may_be_called_again(indexing: Indexing) -> None:
    chain = a_chain(3)
    async with serving(FakeNode(chain)) as nodes:
        indexer = Indexer(watched(nodes[0].url), indexing.url)
        await indexer.start()
        await indexer.start()
        await indexing.eventually_agrees(chain)
        await indexer.drain()
        await indexer.drain()
        assert (await indexer.status())["state"] == "drained"


async def test_a_head_that_is_announced_is_not_waited_for(indexing: Indexing) -> None:
    chain = a_chain(3)
    async with serving(FakeNode(chain)) as (node,):
        urls = (node.url, node.url.replace("http", "ws"))
        async with indexing.running(watched(*urls, poll_interval_ms=600_000)):
            await indexing.eventually_agrees(chain)
            await eventually(lambda: bool(node.sockets))
            for _ in range(3):
                chain.mine(2)
                await node.announce()
                await indexing.eventually_agrees(chain)
            for socket in list(node.sockets):
                await socket.close()
            await eventually(lambda: bool(node.sockets))
            chain.mine(1)
            await node.announce()
            await indexing.eventually_agrees(chain)


# -- forks -------------------------------------------------------------------------------------------------------------


async def test_p06_events_of_a_fork_are_retracted_and_the_new_ones_stored(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as indexer:
        await indexing.eventually_agrees(chain)
        gone = sum(len(block.logs) for block in chain.blocks[-5:])
        chain.reorg(5, 1, 1, 1, 1, 1, 1)
        await indexing.eventually_agrees(chain)

        assert await indexing.retracted() == gone
        assert (await indexer.status())["reorgs"] == 1
    row = await indexing.pool.fetchrow("SELECT chain_id, fork_block, retracted_count FROM retractions")
    assert row is not None
    assert tuple(row) == (CHAIN_ID, 25, gone)


async def test_p06_a_fork_of_the_same_height_is_noticed(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        chain.reorg(1, 3)
        await indexing.eventually_agrees(chain)


async def test_p06_a_fork_with_a_lower_head_is_noticed(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        chain.reorg(10, 1, 1)
        await indexing.eventually_agrees(chain)


async def test_p05_a_block_that_was_left_and_is_adopted_again_gives_new_rows(indexing: Indexing) -> None:
    chain = a_chain()
    first = list(chain.blocks)
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        chain.reorg(4, 1, 1, 1, 1)
        await indexing.eventually_agrees(chain)
        chain.blocks = first
        await indexing.eventually_agrees(chain)

    log = first[-1].logs[0]
    key = (CHAIN_ID, log["blockHash"], log["transactionHash"], 0)
    sql = "SELECT id FROM events WHERE block_hash = $1 AND log_index = 0 ORDER BY seq"
    ids = await indexing.pool.fetch(sql, log["blockHash"])
    assert [row[0] for row in ids] == [event_id(*key, 0), event_id(*key, 1)]


async def test_p06_a_chain_that_began_anew_replaces_everything(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        before = len(chain.log_keys())
        chain.reorg(len(chain.blocks), *[0], *[2] * 32)
        await indexing.eventually_agrees(chain)

    assert await indexing.retracted() == before


async def test_p06_a_node_that_is_late_retracts_nothing(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as indexer:
        await indexing.eventually_agrees(chain)
        nodes[0].late = 10
        await eventually(lambda: head_is(indexer, chain.head - 10))

        assert await indexing.agrees(chain)
        assert await indexing.pool.fetchval("SELECT count(*) FROM retractions") == 0


async def head_is(indexer: Indexer, number: int) -> bool:
    return bool((await indexer.status())["head"] == number)


# -- kills -------------------------------------------------------------------------------------------------------------


async def run_until_commit(indexing: Indexing, chain_url: str, commits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an indexer and kill it after so many commits of parts."""
    reached, never = asyncio.Event(), asyncio.Event()
    commit = ChainWriter._commit
    done = 0

    async def counted(self: ChainWriter, *args: Any) -> int:
        nonlocal done
        if done == commits:
            reached.set()
            await never.wait()
        done += 1
        return await commit(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ChainWriter, "_commit", counted)
        indexer = Indexer(watched(chain_url), indexing.url)
        await indexer.start()
        await asyncio.wait_for(reached.wait(), 10)
        await kill(indexer)


@pytest.mark.parametrize("commits", [1, 2, 3, 5])
async def test_p08_an_indexer_killed_between_parts_loses_and_doubles_nothing(
    indexing: Indexing, small_parts: int, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    chain = FakeChain()
    chain.mine(1, 11, 2, 3)
    async with serving(FakeNode(chain)) as nodes:
        await run_until_commit(indexing, nodes[0].url, commits, monkeypatch)
        assert 0 < len(await indexing.standing()) <= commits * small_parts

        async with indexing.following(*nodes):
            await indexing.eventually_agrees(chain)

    assert await indexing.pool.fetchval("SELECT count(*) FROM events") == len(chain.log_keys())


async def test_p09_a_block_that_was_left_while_half_of_it_was_stored_is_retracted(
    indexing: Indexing, small_parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = FakeChain()
    chain.mine(1, 11, 2)
    async with serving(FakeNode(chain)) as nodes:
        await run_until_commit(indexing, nodes[0].url, 2, monkeypatch)
        half = len(await indexing.standing()) - 1
        assert 0 < half < 11
        chain.reorg(2, 12, 1)

        async with indexing.following(*nodes):
            await indexing.eventually_agrees(chain)

    assert await indexing.retracted() == half


async def test_p08_two_indexers_of_one_chain_store_each_log_once(
    indexing: Indexing, small_parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_module, "STANDBY_POLL_SECONDS", 0.02)
    chain = a_chain(60)
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as one, indexing.following(*nodes) as two:
        await indexing.eventually_agrees(chain)
        for _ in range(5):
            chain.mine(3, 1)
            await indexing.eventually_agrees(chain)
        chain.reorg(2, 3, 3, 1)
        await indexing.eventually_agrees(chain)

        await eventually(lambda: one_stands_by(one, two))
    assert await indexing.pool.fetchval("SELECT count(*) FROM retractions") == 1


async def one_stands_by(*indexers: Indexer) -> bool:
    return sorted([(await one.status())["state"] for one in indexers]) == ["following", "standby"]


async def test_p08_a_fenced_indexer_takes_over_when_the_other_is_silent(
    indexing: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_module, "STANDBY_POLL_SECONDS", 0.02)
    monkeypatch.setattr(indexer_module, "TAKEOVER_SECONDS", 3.0)
    monkeypatch.setattr(indexer_module, "BEAT_SECONDS", 0.2)
    chain = a_chain(5)
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as first:
        await indexing.eventually_agrees(chain)
        second = Indexer(watched(nodes[0].url), indexing.url)
        await second.start()
        await eventually(lambda: one_stands_by(first, second))
        await kill(second)
        chain.mine(2)

        await indexing.eventually_agrees(chain)
        assert (await first.status())["state"] == "following"


# -- bad providers, a database that goes -------------------------------------------------------------------------------


def refuse(_params: Any, _right: Any) -> Any:
    raise Refuse(-32603, "Internal error")


MISBEHAVIOURS: dict[str, Callable[[FakeNode], None]] = {
    "errors": lambda node: setattr(node, "raw", broken()),
    "error-answers": lambda node: node.twist.update(eth_getLogs=refuse),
    "nonsense": lambda node: setattr(node, "raw", broken("<html>", 200)),
    "stale-head": lambda node: setattr(node, "late", 12),
    "late-logs": lambda node: node.twist.update(eth_blockNumber=lambda _params, _right: "0x5"),
    "empty-lists": lambda node: node.twist.update(eth_getLogs=lambda _params, _right: []),
    "cut-lists": lambda node: node.twist.update(eth_getLogs=lambda _params, right: right[:1]),
    "another-chain": lambda node: setattr(node, "chain_id", 1),
}


@pytest.mark.parametrize("name", sorted(MISBEHAVIOURS))
async def test_with_two_providers_one_may_misbehave(indexing: Indexing, name: str) -> None:
    chain = a_chain()
    bad, good = FakeNode(chain), FakeNode(chain)
    MISBEHAVIOURS[name](bad)
    async with serving(bad, good) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        chain.mine(2, 0, 1)
        await indexing.eventually_agrees(chain)


@pytest.mark.parametrize("name", sorted(MISBEHAVIOURS))
async def test_a_single_provider_that_misbehaves_costs_time_alone(indexing: Indexing, name: str) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as indexer:
        await indexing.eventually_agrees(chain)
        MISBEHAVIOURS[name](nodes[0])
        chain.mine(2, 1)
        if name == "stale-head":
            await eventually(lambda: head_is(indexer, chain.head - 12))
        elif name == "another-chain":
            pass  # what was checked once is checked again after a failure only
        else:
            await eventually(lambda: recorded_error(indexing))
        nodes[0].raw, nodes[0].late, nodes[0].chain_id = None, 0, CHAIN_ID
        nodes[0].twist.clear()
        await indexing.eventually_agrees(chain)

    assert await indexing.retracted() == 0


async def recorded_error(indexing: Indexing) -> bool:
    found: str = await indexing.pool.fetchval("SELECT last_error FROM chains")
    return found.startswith("no provider of local can be used")


async def test_p09_a_provider_of_another_fork_retracts_nothing(indexing: Indexing) -> None:
    chain = a_chain()
    wrong = FakeNode(chain)
    async with serving(wrong, FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        wrong.chain = chain.copy()
        wrong.chain.reorg(6, *[1] * 6)
        chain.mine(2)
        await indexing.eventually_agrees(chain)

    assert await indexing.retracted() == 0


async def test_connections_that_are_cut_cost_time_alone(indexing: Indexing) -> None:
    chain = a_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as indexer:
        await indexing.eventually_agrees(chain)
        for _ in range(3):
            chain.mine(3, 0, 2)
            await indexing.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%indexer%'"
            )
            await indexing.eventually_agrees(chain)
        assert (await indexer.status())["state"] == "following"


async def test_a_database_that_is_not_there_is_waited_for(indexing: Indexing, postgres_url: str) -> None:
    chain = a_chain(3)
    async with serving(FakeNode(chain)) as nodes:
        indexer = Indexer(watched(nodes[0].url), postgres_url + "_that_is_not_there")
        await indexer.start()
        await eventually(lambda: waits(indexer))
        indexer._url = indexing.url
        await indexing.eventually_agrees(chain)
        await indexer.drain()


async def waits(indexer: Indexer) -> bool:
    status = await indexer.status()
    return bool(status["errors"] and "cannot be used" in status["last_error"])


# -- everything at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_after_forks_kills_and_failures_the_store_has_what_the_chain_has(
    indexing: Indexing, small_parts: int, seed: int
) -> None:
    rng = random.Random(seed)
    chain = a_chain(10)
    async with serving(FakeNode(chain), FakeNode(chain)) as nodes:
        urls = [node.url for node in nodes]
        indexer = Indexer(watched(*urls), indexing.url)
        await indexer.start()
        for _ in range(25):
            match rng.randrange(5):
                case 0:
                    chain.reorg(rng.randint(1, 6), *(rng.randrange(9) for _ in range(rng.randint(1, 8))))
                case 1:
                    await kill(indexer)
                    indexer = Indexer(watched(*urls), indexing.url)
                    await indexer.start()
                case 2:
                    rng.choice(nodes).raw = rng.choice([None, None, broken()])
                case _:
                    chain.mine(*(rng.randrange(9) for _ in range(rng.randint(1, 4))))
            await asyncio.sleep(rng.random() * 0.05)
        for node in nodes:
            node.raw = None
        await indexing.eventually_agrees(chain)
        await indexer.drain()

    orphans = "SELECT count(*) FROM events AS e LEFT JOIN retractions AS r ON r.seq = e.retracted_seq"
    assert await indexing.pool.fetchval(f"{orphans} WHERE e.retracted_at IS NOT NULL AND r.seq IS NULL") == 0
