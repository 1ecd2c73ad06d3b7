"""Ranges that are whole and of one fork, from nodes that may answer anything."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from agentauri.chain import source as source_module
from agentauri.chain.forks import common_block
from agentauri.chain.providers import Providers
from agentauri.chain.registries import watch
from agentauri.chain.source import Found, Source
from agentauri.errors import RpcUnavailable
from agentauri.models.log import BlockRef
from tests.support.fake_chain import IDENTITY, REPUTATION, FakeChain, FakeNode, Refuse, serving
from tests.support.waiting import eventually

START = BlockRef(-1, "", 0)
HEAD = 40


def a_chain() -> FakeChain:
    chain = FakeChain()
    chain.mine(*(number % 3 for number in range(1, HEAD + 1)))
    return chain


@asynccontextmanager
async def reading(*nodes: FakeNode, **settings: Any) -> AsyncIterator[tuple[Source, Providers]]:
    async with serving(*nodes):
        urls = [node.url for node in nodes]
        chain = watch(id=31337, name="fake", rpc_urls=urls, identity=IDENTITY, reputation=REPUTATION, **settings)
        providers = Providers(chain)
        yield Source(chain, providers), providers
        await providers.close()


async def all_of(source: Source, upto: int, final: int) -> list[Found]:
    """Every range up to a block, through failures that pass."""
    ranges: list[Found] = []
    after = START
    while after.number < upto:
        found = await eventually(partial(attempt, source, after, upto, final))
        ranges.append(found)
        after = found.end
    return ranges


async def attempt(source: Source, after: BlockRef, upto: int, final: int) -> Found | None:
    try:
        return await source.fetch(after, upto, final)
    except RpcUnavailable:
        return None


def keys(ranges: Sequence[Found]) -> list[tuple[str, int]]:
    return [(position.block_hash, position.log_index) for one in ranges for position in one.positions]


def ref(chain: FakeChain, number: int) -> BlockRef:
    header = chain.blocks[number].header()
    return BlockRef(number, header["hash"], int(header["timestamp"], 16))


def empty(_params: Any, _right: Any) -> Any:
    return []


# -- whole -------------------------------------------------------------------------------------------------------------


async def test_a_range_has_every_log_in_order_with_its_time_and_the_end_block() -> None:
    chain = a_chain()
    async with reading(FakeNode(chain)) as (source, _):
        (found,) = await all_of(source, HEAD, 0)

    assert keys([found]) == chain.log_keys()
    assert found.end == ref(chain, HEAD)
    assert [block.number for block in found.blocks] == list(range(HEAD + 1))
    assert all(one.block_timestamp == ref(chain, one.block_number).time for one in found.positions)


async def test_times_come_from_headers_where_logs_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "DEEP_BLOCKS", 0)
    chain = a_chain()
    for block in chain.blocks:
        for log in block.logs:
            del log["blockTimestamp"]
    async with reading(FakeNode(chain)) as (source, _):
        for final in (0, HEAD):
            ranges = await all_of(source, HEAD, final)
            times = [one.block_timestamp for found in ranges for one in found.positions]
            assert times == [ref(chain, one.block_number).time for found in ranges for one in found.positions]
            assert keys(ranges) == chain.log_keys()


async def test_p07a_a_provider_whose_head_is_before_the_end_is_not_believed() -> None:
    chain = a_chain()
    late, good = FakeNode(chain, late=2), FakeNode(chain)
    async with reading(late, good) as (source, providers):
        (found,) = await all_of(source, HEAD, 0)

        assert keys([found]) == chain.log_keys()
        assert "the range ends at 40" in providers.all[0].trouble


@pytest.mark.parametrize(
    "twist",
    [
        empty,
        lambda _params, right: right[: len(right) // 2],
        lambda _params, right: [log for log in right if log["blockNumber"] != "0x7"],
    ],
    ids=["empty", "cut", "a-block-less"],
)
async def test_p09_logs_that_a_filter_promises_are_asked_of_another_provider(twist: Any) -> None:
    chain = a_chain()
    liar, good = FakeNode(chain, twist={"eth_getLogs": twist}), FakeNode(chain)
    async with reading(liar, good) as (source, providers):
        ranges = await all_of(source, HEAD, 0)

        assert keys(ranges) == chain.log_keys()
        assert "left out" in providers.all[0].trouble


async def test_p09_a_single_provider_that_answers_nothing_is_found_out_by_receipts() -> None:
    chain = a_chain()
    liar = FakeNode(chain, twist={"eth_getLogs": empty})
    async with reading(liar) as (source, _):
        with pytest.raises(RpcUnavailable, match="gave 0 of 1 logs of 1"):
            await source.fetch(START, HEAD, 0)
        liar.twist.clear()

        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


async def test_p09_an_answer_that_was_cut_inside_of_a_block_is_found_out_by_receipts() -> None:
    chain = FakeChain()
    chain.mine(1, 9)
    node = FakeNode(chain, twist={"eth_getLogs": lambda _params, right: right[:5]})
    async with reading(node) as (source, _):
        with pytest.raises(RpcUnavailable, match="gave 4 of 9 logs of 2"):
            await source.fetch(START, 2, 0)


async def test_p09_receipts_that_fail_for_a_moment_are_asked_again() -> None:
    chain = a_chain()

    def refuse_once(_params: Any, right: Any) -> Any:
        node.twist.clear()
        raise Refuse(-32603, "internal error")

    node = FakeNode(chain, twist={"eth_getBlockReceipts": refuse_once})
    async with reading(node) as (source, providers):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()
        assert providers.all[0].gives_receipts


async def test_p09_a_filter_that_promises_too_much_holds_nothing_up() -> None:
    chain = a_chain()

    def full(_params: Any, right: Any) -> Any:
        return right and {**right, "logsBloom": "0x" + "ff" * 256}

    nodes = [FakeNode(chain, twist={"eth_getBlockByNumber": full}) for _ in range(2)]
    async with reading(*nodes) as (source, _):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()
    async with reading(nodes[0]) as (source, _):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


async def test_p09_a_single_provider_that_answers_nothing_once_is_asked_again_on_a_busy_chain() -> None:
    chain = a_chain()

    def full(_params: Any, right: Any) -> Any:
        return right and {**right, "logsBloom": "0x" + "ff" * 256}

    node = FakeNode(chain, twist={"eth_getBlockByNumber": full})
    node.twist["eth_getLogs"] = lambda _params, right: [] if node.asked.count("eth_getLogs") == 1 else right
    async with reading(node) as (source, _):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


async def test_p09_a_node_without_receipts_or_filters_is_believed() -> None:
    chain = a_chain()
    node = FakeNode(chain, receipts=False)
    node.twist["eth_getBlockByNumber"] = lambda _params, right: right and {**right, "logsBloom": None}
    async with reading(node) as (source, _):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


async def test_p09_an_empty_answer_deep_below_finality_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "DEEP_BLOCKS", 0)
    chain = a_chain()
    liar, good = FakeNode(chain, twist={"eth_getLogs": empty}), FakeNode(chain)
    async with reading(liar, good) as (source, providers):
        assert keys(await all_of(source, HEAD, HEAD)) == chain.log_keys()
        assert "left out" in providers.all[0].trouble


async def test_deep_below_finality_no_block_is_asked_for_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "DEEP_BLOCKS", 10)
    chain = a_chain()
    node = FakeNode(chain)
    async with reading(node) as (source, _):
        found = await source.fetch(START, HEAD, HEAD)

    assert found.end == ref(chain, HEAD - 10)
    assert node.asked.count("eth_getBlockByNumber") == 2


# -- of one fork -------------------------------------------------------------------------------------------------------


async def test_p09_a_range_that_does_not_link_to_the_checkpoint_is_refused() -> None:
    chain = a_chain()
    other = BlockRef(10, "0x" + "0b" * 32, 0)
    async with reading(FakeNode(chain)) as (source, _):
        for final in (0, HEAD + source_module.DEEP_BLOCKS):
            with pytest.raises(RpcUnavailable, match="block 11 has the parent"):
                await source.fetch(other, HEAD, final)
            await eventually(lambda: source._providers.rest_seconds() == 0)


async def test_p09_a_reorg_between_logs_and_headers_is_noticed() -> None:
    chain = a_chain()

    def reorg_after(_params: Any, right: Any) -> Any:
        if node.asked.count("eth_getLogs") == 1:
            chain.reorg(3, 1, 1, 1)
        return right

    node = FakeNode(chain, twist={"eth_getLogs": reorg_after})
    async with reading(node) as (source, _):
        with pytest.raises(RpcUnavailable, match=r"is not there|changed block|name "):
            await source.fetch(START, HEAD, 0)
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


async def test_p09_logs_of_another_fork_are_refused() -> None:
    chain = a_chain()
    other = chain.copy()
    other.reorg(5, 1, 1, 1, 1, 1)
    mixed = FakeNode(chain, twist={"eth_getLogs": lambda _params, _right: [x for b in other.blocks for x in b.logs]})
    async with reading(mixed, FakeNode(chain)) as (source, providers):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()
        assert "name 0x" in providers.all[0].trouble


# -- ranges ------------------------------------------------------------------------------------------------------------


def at_most(blocks: int) -> Callable[[Any, Any], Any]:
    def twist(params: Any, right: Any) -> Any:
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= blocks:
            raise Refuse(-32602, f"block range is too wide, at most {blocks} blocks")
        return right

    return twist


async def test_a_range_that_is_too_large_is_halved_until_it_is_answered() -> None:
    chain = a_chain()
    async with reading(FakeNode(chain, twist={"eth_getLogs": at_most(7)})) as (source, providers):
        ranges = await all_of(source, HEAD, 0)

        assert keys(ranges) == chain.log_keys()
        assert all(len(one.blocks) <= 7 for one in ranges)
        assert providers.all[0].range.size <= 7
        assert providers.all[0].trouble == ""


async def test_results_that_are_too_many_for_one_block_rest_the_provider() -> None:
    chain = a_chain()
    async with reading(FakeNode(chain, twist={"eth_getLogs": at_most(0)}), FakeNode(chain)) as (source, _):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


async def test_a_time_out_makes_the_range_smaller_and_turns_to_another_provider() -> None:
    chain = a_chain()

    def slow(_params: Any, _right: Any) -> Any:
        raise Refuse(-32000, "query timeout exceeded")

    async with reading(FakeNode(chain, twist={"eth_getLogs": slow}), FakeNode(chain)) as (source, providers):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()
        assert providers.all[0].range.size < 10_000


@pytest.mark.parametrize(
    "nonsense",
    [None, {}, "0x", [7], [{}], [{"removed": True}]],
    ids=repr,
)
async def test_nonsense_for_logs_turns_to_another_provider(nonsense: Any) -> None:
    chain = a_chain()
    liar = FakeNode(chain, twist={"eth_getLogs": lambda _params, _right: nonsense})
    async with reading(liar, FakeNode(chain)) as (source, _):
        assert keys(await all_of(source, HEAD, 0)) == chain.log_keys()


# -- the head ----------------------------------------------------------------------------------------------------------


async def test_the_head_comes_with_finality_and_what_stands_at_a_known_block() -> None:
    chain = a_chain()
    async with reading(FakeNode(chain, finality=9)) as (source, _):
        seen = await source.look(ref(chain, 30))

    assert (seen.head.number, seen.final_block, seen.at_known) == (HEAD, HEAD - 9, chain.blocks[30].hash)


async def test_a_chain_that_knows_no_finality_is_final_far_below_its_head() -> None:
    chain = FakeChain()
    chain.mine(*[0] * 300)

    def no_tag(params: Any, right: Any) -> Any:
        if params[0] == "finalized":
            raise Refuse(-32602, "unknown tag")
        return right

    async with reading(FakeNode(chain, twist={"eth_getBlockByNumber": no_tag})) as (source, _):
        assert (await source.look(None)).final_block == 300 - source_module.ASSUMED_FINALITY_BLOCKS


async def test_p09_a_fork_that_another_provider_denies_is_not_believed() -> None:
    chain = a_chain()
    wrong = chain.copy()
    wrong.reorg(5, 1, 1, 1, 1, 1)
    known = ref(chain, HEAD)
    async with reading(FakeNode(wrong), FakeNode(chain)) as (source, providers):
        seen = await source.look(known)
        assert seen.at_known == wrong.blocks[HEAD].hash

        assert not await source.fork_is_real(known, seen.provider)
        assert "has another block 40" in providers.all[0].trouble


async def test_a_fork_that_nobody_denies_is_believed() -> None:
    chain = a_chain()
    known = ref(chain, HEAD)
    chain.reorg(5, 1, 1, 1, 1, 1)
    async with reading(FakeNode(chain), FakeNode(chain)) as (source, _):
        seen = await source.look(known)

        assert await source.fork_is_real(known, seen.provider)


async def test_the_common_block_is_the_newest_one_that_still_stands() -> None:
    blocks = [BlockRef(number, f"0x{number:02x}", number) for number in (9, 8, 7, 5, 3)]

    async def pages() -> AsyncIterator[Sequence[BlockRef]]:
        yield blocks[:2]
        yield blocks[2:]

    async def hashes(numbers: Sequence[int]) -> Mapping[int, str]:
        return {number: f"0x{number:02x}" if number < 7 else "0xff" for number in numbers if number != 9}

    assert await common_block(pages(), hashes) == BlockRef(5, "0x05", 5)


async def test_without_a_common_block_there_is_none() -> None:
    async def pages() -> AsyncIterator[Sequence[BlockRef]]:
        yield [BlockRef(1, "0x01", 1)]

    async def hashes(_numbers: Sequence[int]) -> Mapping[int, str]:
        return {1: "0xff"}

    assert await common_block(pages(), hashes) is None
