"""The checks of a range against headers, and the cutting of a range into parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain import wholeness
from agentauri.chain.decoder import Position
from agentauri.chain.headers import Header, bloom_mask, read_header
from agentauri.chain.parts import cut
from agentauri.chain.source import Found
from agentauri.errors import DecodeError, RangeNotWhole
from agentauri.models.log import BlockRef

ADDRESS, OTHER = "0x" + "11" * 20, "0x" + "22" * 20


def block_hash(number: int, fork: str = "a") -> str:
    return f"0x{fork}{number:063x}"


def header(number: int, bloom: int = 0, fork: str = "a", parent: str = "a") -> Header:
    return Header(number, block_hash(number, fork), block_hash(number - 1, parent), 1000 + number, bloom)


def position(number: int, index: int = 0, fork: str = "a", address: str = ADDRESS) -> Position:
    return Position(address, number, block_hash(number, fork), 1000 + number, "0x" + "cd" * 32, index)


def test_p09_a_log_outside_the_range_is_refused() -> None:
    with pytest.raises(RangeNotWhole, match="outside"):
        wholeness.check_asked([position(9)], 10, 12, {ADDRESS})


def test_p09_a_log_of_another_contract_is_refused() -> None:
    with pytest.raises(RangeNotWhole, match="not asked"):
        wholeness.check_asked([position(10, address=OTHER)], 10, 12, {ADDRESS})


def test_p09_a_log_that_comes_twice_is_refused() -> None:
    with pytest.raises(RangeNotWhole, match="twice"):
        wholeness.check_asked([position(10, 1), position(10, 1)], 10, 12, {ADDRESS})


def test_p09_a_block_with_two_hashes_is_refused() -> None:
    with pytest.raises(RangeNotWhole, match="two hashes"):
        wholeness.check_asked([position(10, 1), position(10, 2, fork="b")], 10, 12, {ADDRESS})


def test_p09_a_log_of_another_fork_than_its_header_is_refused() -> None:
    with pytest.raises(RangeNotWhole, match="block 10"):
        wholeness.check_hashes([position(10, fork="b")], {10: header(10)})


def test_p09_headers_that_do_not_link_to_the_checkpoint_are_refused() -> None:
    with pytest.raises(RangeNotWhole, match="parent"):
        wholeness.check_links([header(10), header(11)], block_hash(9, "b"))
    with pytest.raises(RangeNotWhole, match="block 11"):
        wholeness.check_links([header(10), header(11, parent="b")], block_hash(9))


def test_p09_headers_that_link_are_taken() -> None:
    wholeness.check_links([header(10), header(11)], block_hash(9))
    wholeness.check_links([header(10), header(11)], "")


def test_p09_a_filter_that_names_a_silent_registry_is_found() -> None:
    masks = {ADDRESS: bloom_mask(ADDRESS), OTHER: bloom_mask(OTHER)}
    both = masks[ADDRESS] | masks[OTHER]
    headers = [header(10, both), header(11, masks[ADDRESS]), header(12), header(13, both)]
    spoke = [position(10), position(10, 1, address=OTHER), position(11), position(13)]

    assert wholeness.silent_blocks(headers, spoke, masks) == [headers[3]]


def test_a_header_that_is_none_is_refused() -> None:
    answers: list[object] = [None, [], {"number": "0x1"}]
    for answer in answers:
        with pytest.raises(DecodeError):
            read_header(answer)


# -- parts -------------------------------------------------------------------------------------------------------------


def found(counts: list[int], last: int) -> Found:
    positions = [position(number, index) for number, count in enumerate(counts, 1) for index in range(count)]
    end = BlockRef(last, block_hash(last), 1000 + last)
    blocks = tuple(BlockRef(number, block_hash(number), 1000 + number) for number in range(1, last + 1))
    return Found(end, blocks, tuple(positions), tuple({} for _ in positions), "node")


@given(counts=st.lists(st.integers(0, 25), min_size=1, max_size=12), size=st.integers(1, 10))
def test_p09_parts_are_whole_in_order_and_end_at_blocks(counts: list[int], size: int) -> None:
    whole = found(counts, len(counts))
    parts = cut(whole, size)

    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == len(whole.positions)
    assert all(part.stop - part.start <= size for part in parts)
    assert parts[-1].to == whole.end
    for part in parts[:-1]:
        last, following = whole.positions[part.stop - 1], whole.positions[part.stop]
        assert part.blocks[-1].number == last.block_number
        if part.to is None:
            assert following.block_number == last.block_number
        else:
            assert part.to == part.blocks[-1]
            assert following.block_number > last.block_number


@given(counts=st.lists(st.integers(0, 25), min_size=1, max_size=12), size=st.integers(1, 10))
def test_every_block_of_a_range_is_remembered(counts: list[int], size: int) -> None:
    whole = found(counts, len(counts))
    remembered = [block for part in cut(whole, size) for block in part.blocks]

    assert set(remembered) == set(whole.blocks)


def test_a_range_without_logs_is_one_part() -> None:
    (part,) = cut(found([0, 0, 0], 3), 1000)

    assert (part.start, part.stop, part.to) == (0, 0, BlockRef(3, block_hash(3), 1003))
