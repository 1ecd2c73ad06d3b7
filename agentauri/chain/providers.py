"""Several providers of one chain, the healthiest first, and what to do when one fails.

A provider is used only after it named the right chain id, while it is not resting after failures, and while its head
is not behind the others'. Failures rest it for a growing, jittered time, or as long as its Retry-After says; after
that it is tried again by itself. ``use`` walks the usable providers until one does the job; it raises RpcUnavailable
when none can. What makes an answer right is not decided here (source.py).
"""

import asyncio
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from agentauri import logs
from agentauri.chain.decoder import quantity
from agentauri.chain.headers import Header, read_header
from agentauri.chain.pace import DEFAULT_PER_SECOND, Pace, backoff
from agentauri.chain.ranges import AdaptiveRange
from agentauri.chain.registries import WatchedChain
from agentauri.chain.rpc import Call, Rpc, is_local, label_of, results
from agentauri.errors import DecodeError, RangeNotWhole, RpcError, RpcUnavailable

T = TypeVar("T")
Observe = Callable[[float, str], None]
"""Hears every answer: seconds, outcome (ok or error)."""

LAG_BLOCKS = 3
"""A head so many blocks behind the best one is late, not merely asked a moment earlier."""
ROUND_SECONDS = 10.0
"""Between two comparisons of all providers' heads."""
WRONG_CHAIN_SECONDS = 60.0
SMOOTHING = 0.3
"""Weight of the newest answer in error rate and latency."""
ERROR_SECONDS = 10.0
"""What an error rate of 1 weighs against latency in the order of providers."""
LOYALTY_SECONDS = 0.25
"""How much worse than another the provider in use may be before it is left."""
MAX_BATCH = 100
"""Calls in one request at most; fewer for a provider that refuses so many."""
BATCH = re.compile(r"\bbatch", re.IGNORECASE)

log = logs.get("providers")


class Provider:
    """One provider and its health. Times are seconds of the monotonic clock."""

    def __init__(self, url: str, label: str, chain: WatchedChain, observe: Observe) -> None:
        self.label = label
        self.range = AdaptiveRange(chain.max_range_blocks)
        self.head: int | None = None
        self.lagging = False
        self.gives_receipts = True
        """Whether it knows eth_getBlockReceipts, as far as is known."""
        self.resting_until = 0.0
        self.trouble = ""
        """The last failure, for people; empty while all is well."""
        self._rpc = Rpc(url)
        self._chain_id = chain.id
        usual = math.inf if is_local(url) else DEFAULT_PER_SECOND
        self._pace = Pace(chain.requests_per_second or usual)
        self._observe = observe
        self._batch_size = MAX_BATCH
        self._admitted = False
        self._failures = 0
        self._well_from = 0.0
        self._error_rate = 0.0
        self._latency = 0.0

    @property
    def cost(self) -> float:
        """Latency and error rate in one number, in seconds: the lower the better."""
        return self._latency + ERROR_SECONDS * self._error_rate

    async def batch(self, calls: Sequence[Call]) -> list[object]:
        """Results of the calls, at the pace that the provider allows. Raises RpcError."""
        return results(await self.try_batch(calls))

    async def try_batch(self, calls: Sequence[Call]) -> list[object]:
        """``batch`` with the RpcError of a call that failed in its place."""
        answers: list[object] = []
        while len(answers) < len(calls):
            part = calls[len(answers) : len(answers) + self._batch_size]
            await asyncio.sleep(self._pace.reserve(len(part), time.monotonic()))
            try:
                found = await self._timed(part)
            except RpcError as error:
                if not self._wants_less(part, error):
                    raise
                continue
            if not any(isinstance(one, RpcError) and self._wants_less(part, one) for one in found):
                answers += found
        return answers

    def _wants_less(self, part: Sequence[Call], error: RpcError) -> bool:
        """Whether the provider takes no batch of this size; from now on it gets smaller ones."""
        if len(part) == 1 or not BATCH.search(error.message):
            return False
        self._batch_size = len(part) // 2
        log.info("batch_shrinks", provider=self.label, calls=self._batch_size, why=error.message)
        return True

    async def _timed(self, calls: Sequence[Call]) -> list[object]:
        began, outcome = time.monotonic(), "error"
        try:
            answers = await self._rpc.try_batch(calls)
            outcome = "ok"
            return answers
        finally:
            took = time.monotonic() - began
            self._latency += SMOOTHING * (took - self._latency)
            self._observe(took, outcome)

    async def admit(self) -> None:
        """Make sure that it serves the right chain. Raises RpcError."""
        if self._admitted:
            return
        found = understood(quantity, {"eth_chainId": (await self.batch([Call("eth_chainId")]))[0]}, "eth_chainId")
        if found != self._chain_id:
            raise RpcError(f"{self.label} serves chain {found}, not {self._chain_id}", None, WRONG_CHAIN_SECONDS)
        self._admitted = True

    async def newest(self) -> Header:
        """The head's header. Raises RpcError."""
        await self.admit()
        answers = await self.batch([Call("eth_getBlockByNumber", ("latest", False))])
        header = understood(read_header, answers[0])
        self.head = header.number
        return header

    def succeeded(self) -> None:
        """An answer was used. Failures are forgotten after as long a time without any as the last rest was."""
        self.trouble = ""
        self._error_rate -= SMOOTHING * self._error_rate
        if time.monotonic() >= self._well_from:
            self._failures = 0

    def failed(self, error: Exception) -> None:
        """An answer was missing or not to be used: rest."""
        self._failures += 1
        self._error_rate += SMOOTHING * (1.0 - self._error_rate)
        self._admitted = False
        asked_for = (error.retry_after or 0.0) if isinstance(error, RpcError) else 0.0
        wait = max(backoff(self._failures, random.random()), asked_for)
        self.resting_until = time.monotonic() + wait
        self._well_from = self.resting_until + wait
        self.trouble = str(error.args[0]) if error.args else type(error).__name__
        log.warning("provider_rests", provider=self.label, seconds=round(wait, 2), why=self.trouble)

    async def close(self) -> None:
        """Close its connections."""
        await self._rpc.close()


class Providers:
    """The providers of one chain."""

    def __init__(self, chain: WatchedChain, observe: Observe = lambda _seconds, _outcome: None) -> None:
        labels = [label_of(url) for url in chain.rpc_urls]
        self.all = [
            Provider(url, label if labels.count(label) == 1 else f"{label}#{place}", chain, observe)
            for place, (url, label) in enumerate(zip(chain.rpc_urls, labels, strict=True), 1)
        ]
        self._chain = chain
        self._current = self.all[0]
        self._round_due = 0.0

    @property
    def current(self) -> str:
        """Label of the provider in use."""
        return self._current.label

    def usable(self, avoid: Collection[Provider] = ()) -> list[Provider]:
        """Providers that may be asked now, best first."""
        now = time.monotonic()
        found = [one for one in self.all if one.resting_until <= now and not one.lagging and one not in avoid]
        return sorted(found, key=lambda one: one.cost - (LOYALTY_SECONDS if one is self._current else 0.0))

    async def compare(self) -> None:
        """Ask every provider that is not resting for its head, if that was not done lately; mark those that lag."""
        now = time.monotonic()
        if len(self.all) == 1 or now < self._round_due:
            return
        self._round_due = now + ROUND_SECONDS
        awake = [one for one in self.all if one.resting_until <= now]
        heads = await asyncio.gather(*(self._head_of(one) for one in awake))
        best = max((head for head in heads if head is not None), default=0)
        for one, head in zip(awake, heads, strict=True):
            late = head is not None and head < best - LAG_BLOCKS
            if late and not one.lagging:
                log.warning("provider_lags", provider=one.label, head=head, best=best)
            one.lagging = late

    async def _head_of(self, provider: Provider) -> int | None:
        try:
            header = await provider.newest()
        except RpcError as error:
            provider.failed(error)
            return None
        provider.succeeded()
        return header.number

    async def use(self, job: Callable[[Provider], Awaitable[T]], avoid: Collection[Provider] = ()) -> T:
        """What ``job`` makes with the best provider that can do it. Raises RpcUnavailable with the reasons."""
        await self.compare()
        if not self.usable():
            self._round_due = 0.0
            await self.compare()
        for provider in self.usable(avoid):
            try:
                await provider.admit()
                found = await job(provider)
            except (RpcError, RangeNotWhole) as error:
                provider.failed(error)
                continue
            provider.succeeded()
            if not avoid:
                self._turn_to(provider)
            return found
        raise RpcUnavailable(self._reasons(avoid))

    def _turn_to(self, provider: Provider) -> None:
        if provider is not self._current:
            log.info("provider_changed", chain=self._chain.name, provider=provider.label, before=self._current.label)
            self._current = provider

    def _reasons(self, avoid: Collection[Provider]) -> str:
        reasons = [
            f"{one.label}: {one.trouble or ('its head lags' if one.lagging else 'resting')}"
            for one in self.all
            if one not in avoid
        ]
        return f"no provider of {self._chain.name} can be used ({'; '.join(reasons) or 'there is no other'})"

    def rest_seconds(self) -> float:
        """Seconds until the first provider may be tried again."""
        return max(0.0, min(one.resting_until for one in self.all) - time.monotonic())

    async def close(self) -> None:
        """Close all connections."""
        for one in self.all:
            await one.close()


def understood(read: Callable[..., T], *answer: object) -> T:
    """``read(*answer)``, with what it cannot read as RpcError."""
    try:
        return read(*answer)
    except DecodeError as error:
        raise RpcError(f"nonsense: {error.message}") from error
