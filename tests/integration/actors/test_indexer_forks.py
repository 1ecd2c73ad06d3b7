"""The indexer when chains fork and processes die: what is stored is what the chain has, each log once."""

import asyncio
import random
from typing import Any

import pytest
from aiohttp import web

from agentauri.actors import indexer as indexer_module
from agentauri.actors.chain_writer import ChainWriter
from agentauri.actors.indexer import Indexer
from agentauri.models.ids import event_id
from tests.support.fake_chain import CHAIN_ID, FakeChain, FakeNode, serving, uneven_chain
from tests.support.indexing import Indexing, head_is, kill, watched
from tests.support.waiting import eventually

# -- forks -------------------------------------------------------------------------------------------------------------


async def test_p06_events_of_a_fork_are_retracted_and_the_new_ones_stored(indexing: Indexing) -> None:
    chain = uneven_chain()
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
    chain = uneven_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        chain.reorg(1, 3)
        await indexing.eventually_agrees(chain)


async def test_p06_a_fork_with_a_lower_head_is_noticed(indexing: Indexing) -> None:
    chain = uneven_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        chain.reorg(10, 1, 1)
        await indexing.eventually_agrees(chain)


async def test_p05_a_block_that_was_left_and_is_adopted_again_gives_new_rows(indexing: Indexing) -> None:
    chain = uneven_chain()
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
    chain = uneven_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes):
        await indexing.eventually_agrees(chain)
        before = len(chain.log_keys())
        chain.reorg(len(chain.blocks), *[0], *[2] * 32)
        await indexing.eventually_agrees(chain)

    assert await indexing.retracted() == before


async def test_p06_a_node_that_is_late_retracts_nothing(indexing: Indexing) -> None:
    chain = uneven_chain()
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as indexer:
        await indexing.eventually_agrees(chain)
        nodes[0].late = 10
        await eventually(lambda: head_is(indexer, chain.head - 10))

        assert await indexing.agrees(chain)
        assert await indexing.pool.fetchval("SELECT count(*) FROM retractions") == 0


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
    chain = uneven_chain(60)
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
    chain = uneven_chain(5)
    async with serving(FakeNode(chain)) as nodes, indexing.following(*nodes) as first:
        await indexing.eventually_agrees(chain)
        second = Indexer(watched(nodes[0].url), indexing.url)
        await second.start()
        await eventually(lambda: one_stands_by(first, second))
        await kill(second)
        chain.mine(2)

        await indexing.eventually_agrees(chain)
        assert (await first.status())["state"] == "following"


# -- everything at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_after_forks_kills_and_failures_the_store_has_what_the_chain_has(
    indexing: Indexing, small_parts: int, seed: int
) -> None:
    rng = random.Random(seed)
    chain = uneven_chain(10)
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
                    rng.choice(nodes).raw = rng.choice([None, None, lambda: web.Response(status=500)])
                case _:
                    chain.mine(*(rng.randrange(9) for _ in range(rng.randint(1, 4))))
            await asyncio.sleep(rng.random() * 0.05)
        for node in nodes:
            node.raw = None
        await indexing.eventually_agrees(chain)
        await indexer.drain()

    orphans = "SELECT count(*) FROM events AS e LEFT JOIN retractions AS r ON r.seq = e.retracted_seq"
    assert await indexing.pool.fetchval(f"{orphans} WHERE e.retracted_at IS NOT NULL AND r.seq IS NULL") == 0
