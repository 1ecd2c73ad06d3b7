"""A chain as the indexer reads it: where its head is, and the logs of a range, whole and of one fork.

A range comes from one provider, whose own head, asked in the same batch, is at or past the range's end (protocol
P7a). Near the head every block's header is fetched after the logs: they link to what was indexed before, name every
log's block, and their filters name no registry that brought no log; where one does, somebody else and the block's
receipts are asked (P9). Deep below finality the ends of the range and the logs' own hashes are checked, and an answer
without logs is asked for twice. What cannot be shown to be whole is RangeNotWhole and rests the provider; nothing of
it is used.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agentauri import logs
from agentauri.chain import wholeness
from agentauri.chain.decoder import Position, quantity, read_position
from agentauri.chain.headers import Header, bloom_mask, read_header
from agentauri.chain.providers import Provider, Providers, understood
from agentauri.chain.registries import WatchedChain
from agentauri.chain.rpc import Call, results
from agentauri.errors import DecodeError, RangeNotWhole, RangeTooLarge, RpcError, RpcTimeout, RpcUnavailable
from agentauri.models.log import BlockRef

DEEP_BLOCKS = 1024
"""A range that ends so far below the final block is read at low cost; everything above is checked block by block."""
CAREFUL_BLOCKS = 100
"""Blocks of a range whose headers are all fetched: one batch."""
ASSUMED_FINALITY_BLOCKS = 256
"""How far below the head blocks count as final on chains whose nodes do not say."""

UNKNOWN_METHOD = re.compile(r"method|support|-32601|-32004", re.IGNORECASE)

RawLog = Mapping[str, object]
log = logs.get("source")


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a provider says of the head: its header, the final block, and the hash that it has at ``known``."""

    provider: Provider
    head: Header
    final_block: int
    at_known: str | None
    """None: it has no block there, or nothing was known."""


@dataclass(frozen=True, slots=True)
class Found:
    """The logs in (after, end], in chain order, with their positions, each of which has its block's time.

    ``blocks`` are those whose headers were seen, in order; the last is ``end``.
    """

    end: BlockRef
    blocks: tuple[BlockRef, ...]
    positions: tuple[Position, ...]
    logs: tuple[RawLog, ...]
    provider: str


class Source:
    """The chain through its providers."""

    def __init__(self, chain: WatchedChain, providers: Providers) -> None:
        self._addresses = tuple(chain.registries)
        self._masks = {address: bloom_mask(address) for address in chain.registries}
        self._providers = providers

    async def look(self, known: BlockRef | None) -> Sighting:
        """The head now, and whether ``known`` still stands. Raises RpcUnavailable."""
        return await self._providers.use(lambda provider: _look(provider, known))

    async def hashes(self, provider: Provider, numbers: Sequence[int]) -> dict[int, str]:
        """The hash of each block that the provider has. Raises RpcError."""
        answers = await provider.batch([_header_call(number) for number in numbers])
        headers = [_header(number, answer) for number, answer in zip(numbers, answers, strict=True) if answer]
        return {header.number: header.hash for header in headers}

    async def fork_is_real(self, known: BlockRef, seen_by: Provider) -> bool:
        """Whether others agree that ``known`` left the chain: False rests ``seen_by`` (or it was alone in its view)."""
        keep, left = 0, 1
        for other in self._providers.usable(avoid=[seen_by]):
            try:
                await other.admit()
                there = (await self.hashes(other, [known.number])).get(known.number)
            except RpcError as error:
                other.failed(error)
                continue
            keep += there == known.hash
            left += there not in (None, known.hash)
        if keep >= left:
            seen_by.failed(RangeNotWhole(f"{seen_by.label} has another block {known.number} than {keep} others"))
        return keep < left

    async def fetch(self, after: BlockRef, upto: int, final_block: int) -> Found:
        """The next range after ``after``, as far as a provider gives it, at most up to ``upto``.

        Raises RpcUnavailable when no provider can show one that is whole.
        """
        return await self._providers.use(lambda provider: self._fetch(provider, after, upto, final_block))

    async def _fetch(self, provider: Provider, after: BlockRef, upto: int, final_block: int) -> Found:
        deep_end = min(upto, final_block - DEEP_BLOCKS)
        while True:
            if after.number < deep_end:
                last = min(deep_end, after.number + provider.range.size)
                work = self._fetch_deep(provider, after, last)
            else:
                last = min(upto, after.number + min(provider.range.size, CAREFUL_BLOCKS))
                work = self._fetch_careful(provider, after, last)
            try:
                found = await work
            except (RangeTooLarge, RpcTimeout) as error:
                log.info("range_shrinks", provider=provider.label, first=after.number + 1, last=last, why=error.message)
                if not provider.range.refused(last - after.number) or isinstance(error, RpcTimeout):
                    raise
                continue
            provider.range.answered(last - after.number)
            return found

    async def _fetch_careful(self, provider: Provider, after: BlockRef, last: int) -> Found:
        """Every block's header, fetched after the logs."""
        first = after.number + 1
        positions, raw, (end,) = await self._ask_logs(provider, first, last, [last])
        numbers = range(first, last + 1)
        answers = await provider.batch([_header_call(number) for number in numbers])
        headers = [_header(number, answer) for number, answer in zip(numbers, answers, strict=True)]
        if headers[-1].hash != end.hash:
            raise RangeNotWhole(f"{provider.label} changed block {last} while its logs were read")
        wholeness.check_links(headers, after.hash)
        wholeness.check_hashes(positions, {header.number: header for header in headers})
        await self._settle(provider, headers, positions)
        times = {header.number: header.time for header in headers}
        return _found(provider, [header.ref for header in headers], positions, raw, times)

    async def _fetch_deep(self, provider: Provider, after: BlockRef, last: int) -> Found:
        """The ends of the range and the logs' own hashes; headers of blocks only where a log lacks its time."""
        first = after.number + 1
        positions, raw, (start, end) = await self._ask_logs(provider, first, last, [first, last])
        wholeness.check_links([start], after.hash)
        untimed = sorted({position.block_number for position in positions if position.block_timestamp is None})
        answers = await provider.batch([_header_call(number) for number in untimed])
        headers = {number: _header(number, answer) for number, answer in zip(untimed, answers, strict=True)}
        wholeness.check_hashes(positions, headers | {first: start, last: end})
        if not positions:
            await self._ask_again(provider, positions, first, last)
        times = {number: header.time for number, header in headers.items()}
        return _found(provider, [end.ref], positions, raw, times)

    async def _ask_logs(
        self, provider: Provider, first: int, last: int, headers_of: Sequence[int]
    ) -> tuple[list[Position], list[RawLog], list[Header]]:
        """The logs in chain order and some headers. Raises RangeNotWhole when the provider is not past the end."""
        calls = [Call("eth_blockNumber"), self._logs_call(first, last), *(_header_call(one) for one in headers_of)]
        head, answer, *header_answers = await provider.batch(calls)
        reached = understood(_quantity, head)
        provider.head = reached
        if reached < last:
            raise RangeNotWhole(f"{provider.label} is at block {reached}, the range ends at {last}")
        positions, raw = understood(_ordered, answer)
        wholeness.check_asked(positions, first, last, self._addresses)
        return positions, raw, [_header(number, one) for number, one in zip(headers_of, header_answers, strict=True)]

    def _logs_call(self, first: int, last: int) -> Call:
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(self._addresses)}
        return Call("eth_getLogs", (query,))

    async def _settle(self, provider: Provider, headers: Sequence[Header], positions: Sequence[Position]) -> None:
        """Blocks whose filters claim logs that did not come: ask somebody else, and look into the blocks themselves.

        A full filter claims anything, and full blocks are large: only those with sparse filters are looked into. So is
        the last block that brought logs, where an answer that was cut short would end.
        """
        silent = wholeness.silent_blocks(headers, positions, self._masks)
        if silent and (self._providers.usable(avoid=[provider]) or not all(header.sparse for header in silent)):
            there = {header.hash for header in headers}
            await self._ask_again(provider, positions, headers[0].number, headers[-1].number, there)
        doubtful = {header.number: header for header in silent}
        if positions:
            last = headers[positions[-1].block_number - headers[0].number]
            doubtful[last.number] = last
        await self._look_into(provider, [one for one in doubtful.values() if one.sparse], positions)

    async def _ask_again(
        self,
        provider: Provider,
        positions: Sequence[Position],
        first: int,
        last: int,
        blocks: Collection[str] | None = None,
    ) -> None:
        """Compare with another provider's logs, or with the same one's second answer. Raises RangeNotWhole.

        ``blocks``: hashes of the range's blocks where they are known; logs of others are of another fork.
        """

        async def job(other: Provider) -> list[Position]:
            try:
                found, _, _ = await self._ask_logs(other, first, last, [])
            except RangeTooLarge:
                return []  # that provider's own limit, and no opinion
            return [position for position in found if blocks is None or position.block_hash in blocks]

        try:
            second = await self._providers.use(job, avoid=[provider])
        except RpcUnavailable:
            second = await job(provider)
        missing = {_key(position) for position in second} - {_key(position) for position in positions}
        if missing:
            raise RangeNotWhole(f"{provider.label} left out {len(missing)} logs of blocks {first}–{last}")

    async def _look_into(self, provider: Provider, headers: Sequence[Header], positions: Sequence[Position]) -> None:
        """Compare with the receipts of blocks, where the node gives them. Raises RangeNotWhole, RpcError."""
        if not provider.gives_receipts:
            return
        answers = await provider.try_batch([Call("eth_getBlockReceipts", (hex(one.number),)) for one in headers])
        came = Counter(position.block_number for position in positions)
        for header, receipts in zip(headers, answers, strict=True):
            if receipts is None or (isinstance(receipts, RpcError) and UNKNOWN_METHOD.search(receipts.message)):
                provider.gives_receipts = False
                log.info("receipts_not_given", provider=provider.label)
                return
            results([receipts])
            there = understood(_count_logs, receipts, header.hash, self._addresses)
            if there != came[header.number]:
                raise RangeNotWhole(f"{provider.label} gave {came[header.number]} of {there} logs of {header.number}")


async def _look(provider: Provider, known: BlockRef | None) -> Sighting:
    calls = [Call("eth_getBlockByNumber", ("latest", False)), Call("eth_getBlockByNumber", ("finalized", False))]
    if known is not None and known.number >= 0:
        calls.append(_header_call(known.number))
    latest, finalized, *at_known = await provider.try_batch(calls)
    results([latest, *at_known])
    head = understood(read_header, latest)
    provider.head = head.number
    try:
        final_block = min(read_header(finalized).number, head.number)
    except DecodeError:  # null or an error: the chain's nodes do not know the tag
        final_block = max(head.number - ASSUMED_FINALITY_BLOCKS, 0)
    there = understood(read_header, at_known[0]).hash if at_known and at_known[0] is not None else None
    return Sighting(provider, head, final_block, there)


def _header_call(number: int) -> Call:
    return Call("eth_getBlockByNumber", (hex(number), False))


def _header(number: int, answer: object) -> Header:
    if answer is None:
        raise RangeNotWhole(f"block {number} is not there any more")
    header = understood(read_header, answer)
    if header.number != number:
        raise RpcError(f"block {header.number} came for {number}")
    return header


def _quantity(answer: object) -> int:
    return quantity({"eth_blockNumber": answer}, "eth_blockNumber")


def _ordered(answer: object) -> tuple[list[Position], list[RawLog]]:
    """Positions and logs in chain order. Raises DecodeError."""
    if not isinstance(answer, list):
        raise DecodeError(f"eth_getLogs is {type(answer).__name__}, not a list")
    pairs: list[tuple[Position, RawLog]] = []
    for one in answer:
        if not isinstance(one, dict):
            raise DecodeError(f"a log is {type(one).__name__}, not an object")
        if one.get("removed") is True:
            raise DecodeError("a log is marked as removed")
        pairs.append((read_position(one), one))
    pairs.sort(key=lambda pair: (pair[0].block_number, pair[0].log_index))
    return [position for position, _ in pairs], [one for _, one in pairs]


def _key(position: Position) -> tuple[str, int]:
    return position.block_hash, position.log_index


def _count_logs(receipts: object, block_hash: str, addresses: Collection[str]) -> int:
    """Logs of the addresses in a block's receipts. Raises DecodeError when they are of another block."""
    if not isinstance(receipts, list):
        raise DecodeError(f"eth_getBlockReceipts is {type(receipts).__name__}, not a list")
    found = 0
    for receipt in receipts:
        if not isinstance(receipt, Mapping) or str(receipt.get("blockHash")).lower() != block_hash:
            raise DecodeError(f"receipts are not of block {block_hash}")
        for one in receipt.get("logs") or ():
            found += isinstance(one, Mapping) and str(one.get("address")).lower() in addresses
    return found


def _found(
    provider: Provider,
    blocks: Sequence[BlockRef],
    positions: Sequence[Position],
    raw: Sequence[RawLog],
    times: Mapping[int, int],
) -> Found:
    timed = tuple(
        position
        if position.block_timestamp is not None
        else position._replace(block_timestamp=times[position.block_number])
        for position in positions
    )
    return Found(blocks[-1], tuple(blocks), timed, tuple(raw), provider.label)
