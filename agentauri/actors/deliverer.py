"""A deliverer: leases lanes, claims what is due in them, sends it, and records what became of it.

Guarantees that no delivery is lost and that each is attempted until it succeeds or its schedule is spent, whatever
dies: rows are leased, and a result counts with its lease alone (protocol P21–P25). Slow, dead and greedy receivers
hold a bounded share of its slots. The doorbell is a hint; a timer looks, too. What it sends may arrive twice.
"""

import asyncio
import gc
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agentauri import logs
from agentauri.actors import tasks
from agentauri.actors.agent_book import AgentBook
from agentauri.actors.lane_keeper import LaneKeeper
from agentauri.actors.recorder import Recorder
from agentauri.chain.registries import IdentityRegistry
from agentauri.channels.addresses import HIGH_PORTS, policy_of
from agentauri.channels.discipline import Discipline
from agentauri.channels.registry import Channel, Outside, open_channels
from agentauri.channels.retry import is_destination_failure, judge, next_wait, waits_of
from agentauri.models.action import ActionType
from agentauri.models.delivery import Attempt, Claimed, DeliveryStatus, Destination, Judgement, Outcome, Result
from agentauri.store import breakers, claims, database, retractions, webhook_secrets
from agentauri.store.attempts import Recorded
from agentauri.store.held import TRY_AGAIN, Held
from agentauri.store.vault import Vault

log = logs.get("deliverer")

LOOK_SECONDS = 1.0
"""How often the queue is looked at without a doorbell."""
LOOK_SHARE = 0.05
"""Looking takes at most this share of the time, however many destinations there are."""
EXPIRE_SECONDS = 2.0
SWEEP_SECONDS = 60.0
NOTE_SECONDS = 30.0
"""How often the times of the last use of secrets are written down."""
RETRY_SECONDS = 0.25
BACKLOG_PER_SLOT = 4
"""Results that may wait for the database before claiming stops."""
BUSY_IN_FLIGHT = 16
GATHER_SECONDS = 0.003
"""With more than BUSY_IN_FLIGHT under way, claims are gathered this long: fewer and larger statements."""
LEAST_SECONDS = 0.5
"""An attempt with less time left than this is not begun; its lease ends, and it comes again."""
MAX_PAUSE_SECONDS = 60.0
TOO_MANY_REQUESTS = 429
GC_THRESHOLDS = (50_000, 20, 50)
"""The collector's defaults cost a fifth of the CPU time of a webhook; nearly all of its garbage has no cycles."""


@dataclass(frozen=True, slots=True)
class DelivererSettings:
    """What a deliverer needs to know; plain, so that it travels to the actor."""

    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    allowed_networks: tuple[str, ...] = ()
    ipfs_gateways: tuple[str, ...] = ()
    identity_registries: tuple[IdentityRegistry, ...] = ()
    telegram_api: str = "https://api.telegram.org"
    telegram_token: str = field(default="", repr=False)
    previous_secret_keys: tuple[str, ...] = field(default=(), repr=False)
    high_ports: range = HIGH_PORTS
    slots: int = 256
    lane_lease_seconds: float = 6.0
    beat_seconds: float = 2.0


class Deliverer:
    """See the module."""

    def __init__(self, name: str, settings: DelivererSettings) -> None:
        self._name = name
        self._settings = settings
        self._vault = Vault(settings.secret_key, settings.previous_secret_keys)
        self._policy = policy_of(settings.allowed_networks, settings.high_ports)
        self._discipline = Discipline(settings.slots)
        self._claiming = Held(lambda: claims.connect(settings.database_url, name=f"{name} claims"))
        self._caring = Held(lambda: claims.connect(settings.database_url, name=f"{name} leases"))
        self._recorder = Recorder(
            Held(lambda: claims.connect(settings.database_url, name=f"{name} results")), self._recorded
        )
        self._keeper = LaneKeeper(
            Held(lambda: database.connect(settings.database_url, name=f"{name} lanes")),
            name,
            lease_seconds=settings.lane_lease_seconds,
            beat_seconds=settings.beat_seconds,
            changed=self._lanes_changed,
            in_flight=self._discipline.in_flight_of,
        )
        self._channels: dict[ActionType, Channel] = {}
        self._rung: set[str] = set()
        self._wake = asyncio.Event()
        self._look_at = 0.0
        self._draining = False
        self._sending: set[asyncio.Task[Any]] = set()
        self._eternal: list[asyncio.Task[Any]] = []
        self._counts = dict.fromkeys(Outcome, 0)
        self._signed_for: set[UUID] = set()

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to deliver; idempotent."""
        if self._eternal:
            return
        gc.set_threshold(*GC_THRESHOLDS)
        self._agents = AgentBook(
            Held(lambda: database.connect(self._settings.database_url, name=f"{self._name} agents")),
            self._settings.identity_registries,
        )
        outside = Outside(
            self._policy,
            self._agents.uri_of,
            self._settings.ipfs_gateways,
            self._settings.telegram_api,
            self._settings.telegram_token,
        )
        self._channels = dict(open_channels(outside))
        loops = {"recorder": self._recorder.run, "lanes": self._keeper.run, "plan": self._plan, "care": self._care}
        self._eternal = [tasks.spawn(work(), name=f"{self._name} {name}", eternal=True) for name, work in loops.items()]
        log.info("deliverer_ready", deliverer=self._name, slots=self._settings.slots)

    async def ring(self, lanes: Sequence[str]) -> None:
        """Something became due in ``lanes``. A hint: lanes of other deliverers are ignored."""
        mine = self._keeper.owned.intersection(lanes)
        if mine:
            self._rung |= mine
            self._wake.set()
        if len(mine) < len(lanes) and not self._draining:
            self._keeper.ask(lanes)

    def status(self) -> dict[str, Any]:
        """What it is doing; numbers since it started."""
        return {
            "name": self._name,
            "lanes": len(self._keeper.owned),
            "unrecorded": self._recorder.backlog,
            "outcomes": {outcome.value: count for outcome, count in self._counts.items()},
            **self._discipline.status(),
        }

    async def drain(self, seconds: float = 20.0) -> None:
        """Claim nothing more, let what is under way end (at most so long), record it, and give back the lanes."""
        self._draining = True
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)
        await tasks.cancel(*self._sending)
        try:
            await asyncio.wait_for(self._recorder.flush(), seconds)
        except TimeoutError:
            log.warning("results_not_recorded", results=self._recorder.backlog, remedy="their leases end soon")
        await tasks.cancel(*self._eternal)
        await self._keeper.leave()
        for held in (self._claiming, self._caring, self._recorder.held):
            await held.close()
        for channel in self._channels.values():
            await channel.close()
        if self._channels:
            await self._agents.close()

    # -- lanes -------------------------------------------------------------------------------------------------------

    def _lanes_changed(self, came: frozenset[str], went: frozenset[str]) -> None:
        self._discipline.drop_lanes(went)
        self._rung |= came
        self._wake.set()

    # -- planning and claiming ---------------------------------------------------------------------------------------

    async def _plan(self) -> None:
        while True:
            try:
                worked = await self._round()
            except TRY_AGAIN as error:
                self._claiming.drop()
                log.warning("claim_failed", deliverer=self._name, error=repr(error), retry_seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not worked:
                await self._rest()
            elif len(self._sending) > BUSY_IN_FLIGHT:
                await asyncio.sleep(GATHER_SECONDS)

    async def _rest(self) -> None:
        """Until the doorbell, a finished attempt, or the next moment that is known."""
        until = min(self._look_at, self._discipline.next_wake())
        try:
            await asyncio.wait_for(self._wake.wait(), max(0.001, until - time.monotonic()))
        except TimeoutError:
            pass  # it is time to look
        self._wake.clear()

    async def _round(self) -> bool:
        """Look where the doorbell rang or the timer says so, claim what can start, and start it."""
        now = time.monotonic()
        is_full = self._recorder.backlog > BACKLOG_PER_SLOT * self._settings.slots
        if self._draining or is_full or not self._keeper.is_safe(now):
            self._look_at = max(self._look_at, now + RETRY_SECONDS)
            return False
        if guessed := self._guess(now):
            await self._claim(guessed)
            await asyncio.sleep(GATHER_SECONDS)  # what was claimed goes out before anything else is asked
            return True
        await self._look(now)
        planned = self._discipline.plan(time.monotonic())
        if planned:
            await self._claim(planned)
        return bool(planned)

    def _guess(self, now: float) -> list[tuple[Destination, int]]:
        """What to claim before anything is looked at; what rang is looked for next time, for there may be more."""
        rung = self._keeper.owned & self._rung
        if now < self._look_at and rung and self._discipline.guess(rung, now):
            return self._discipline.plan(now)
        return []

    async def _look(self, now: float) -> None:
        """Learn what waits in lanes that rang, or in all of them from time to time."""
        is_time = now >= self._look_at
        lanes = self._keeper.owned if is_time else self._keeper.owned & self._rung
        self._rung.clear()
        if lanes:
            found = await claims.discover(await self._claiming.get(), sorted(lanes))
            heard = time.monotonic()
            self._keeper.touch({one.destination.lane for one in found})
            for one in found:
                at = heard + max(0.0, one.wait_seconds)
                self._due(one.destination, one.organization_id, at, one.rate, heard)
                if one.pause_seconds > 0 and one.destination.lane in self._keeper.owned:
                    self._discipline.pause_lane(one.destination.lane, heard + one.pause_seconds)
        if is_time:
            took = time.monotonic() - now
            self._look_at = time.monotonic() + max(LOOK_SECONDS, took / LOOK_SHARE)

    def _due(self, destination: Destination, organization: Any, at: float, rate: float | None, now: float) -> None:
        if destination.lane in self._keeper.owned:
            self._discipline.due(destination, organization, at, rate, now)

    async def _claim(self, planned: list[tuple[Destination, int]]) -> None:
        began = time.monotonic()
        try:
            claim = await claims.claim(await self._claiming.get(), self._vault, self._keeper.token, planned)
        except BaseException:
            self._take(planned, None)
            raise
        self._take(planned, claim.deliveries)
        self._rung |= claim.moved_to
        for claimed in claim.deliveries:
            task = tasks.spawn(self._send(claimed, began), name="send")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _take(self, planned: list[tuple[Destination, int]], claimed: Sequence[Claimed] | None) -> None:
        """Tell the discipline what a claim came to; None: it failed, and everything is still to be done."""
        now = time.monotonic()
        got: dict[Destination, int] = {}
        for one in claimed or ():
            got[one.destination] = got.get(one.destination, 0) + 1
        for destination, count in planned:
            taken = got.get(destination, 0)
            self._discipline.taken(destination, taken, more=claimed is None or taken == count, now=now)

    # -- sending -----------------------------------------------------------------------------------------------------

    async def _send(self, claimed: Claimed, claimed_at: float) -> None:
        timeout = float(claimed.config.get("timeout_seconds", claims.DEFAULT_TIMEOUT_SECONDS))
        began = time.monotonic()
        left = claimed_at + timeout + claims.LEASE_MARGIN_SECONDS - LEAST_SECONDS - began
        attempt = await self._attempt(claimed, min(timeout, left)) if left > LEAST_SECONDS else None
        now = time.monotonic()
        answered = attempt is None or not is_destination_failure(attempt)
        self._discipline.finished(claimed.destination, answered=answered, seconds=now - began, now=now)
        self._wake.set()
        if attempt is None:
            log.warning("attempt_too_late", delivery=str(claimed.id), remedy="it comes again when its lease ends")
            return
        if attempt.pauses_lane and attempt.retry_after:
            self._discipline.pause_lane(claimed.destination.lane, now + attempt.retry_after)
        elif attempt.http_status == TOO_MANY_REQUESTS and attempt.retry_after and not attempt.aside:
            self._discipline.pause(claimed.destination, now + min(attempt.retry_after, MAX_PAUSE_SECONDS))
        self._counts[attempt.outcome] += 1
        if attempt.sent and claimed.channel is ActionType.REST:
            self._signed_for.add(claimed.organization_id)
        self._recorder.put(_result(claimed, attempt))

    async def _attempt(self, claimed: Claimed, seconds: float) -> Attempt:
        began = time.monotonic()
        channel = self._channels.get(claimed.channel)
        fault = claimed.fault or (None if channel else f"there is no channel {claimed.channel} in this version.")
        if channel is None or fault:
            return Attempt(Outcome.REJECTED, 0.0, error_class="CannotBeSent", error_message=fault)
        try:
            return await channel.attempt(claimed, seconds)
        except Exception as error:  # a mistake of ours in one delivery must not stop the others
            log.error("attempt_crashed", delivery=str(claimed.id), error=repr(error), exc_info=error)
            took = time.monotonic() - began
            message = "A mistake in AgentAuri; the log has more."
            return Attempt(Outcome.REJECTED, took, error_class=type(error).__name__, error_message=message, sent=True)

    # -- after an attempt ----------------------------------------------------------------------------------------------

    def _recorded(self, results: Sequence[Result], recorded: Recorded) -> None:
        """Results are committed: what is to be tried again has its time."""
        now = time.monotonic()
        for result in results:
            claimed = result.claimed
            if result.wait_seconds is not None and recorded.statuses.get(claimed.id) is DeliveryStatus.RETRYING:
                rate = claimed.config.get("rate_limit_per_second")
                self._due(claimed.destination, claimed.organization_id, now + result.wait_seconds, rate, now)
        self._tell(recorded.lanes)
        self._wake.set()

    def _tell(self, lanes: Iterable[str]) -> None:
        """Something became due in lanes, of this deliverer or of another, whose timer finds it."""
        self._rung |= self._keeper.owned.intersection(lanes)

    async def _care(self) -> None:
        """Take back what dead deliverers held, and forget what is not used."""
        swept_at = noted_at = time.monotonic()
        while True:
            try:
                await self._expire()
                if time.monotonic() - noted_at > NOTE_SECONDS:
                    noted_at = time.monotonic()
                    await self._note_signed()
            except TRY_AGAIN as error:
                self._caring.drop()
                log.warning("leases_not_expired", deliverer=self._name, error=repr(error))
            now = time.monotonic()
            if now - swept_at > SWEEP_SECONDS:
                swept_at = now
                self._discipline.sweep(now)
            await asyncio.sleep(EXPIRE_SECONDS)

    async def _note_signed(self) -> None:
        """Whose secrets signed lately; what is not written down with the process is no harm."""
        if self._signed_for:
            signed, self._signed_for = self._signed_for, set()
            await webhook_secrets.note_used(await self._caring.get(), sorted(signed), datetime.now(UTC))

    async def _expire(self) -> None:
        connection = await self._caring.get()
        async with connection.transaction():
            expired = await claims.expire(connection)
            lanes = await retractions.insert_notices(connection, expired.retracted)
            await breakers.judge(connection, expired.verdicts)
        if expired.count:
            log.warning("leases_expired", deliverer=self._name, deliveries=expired.count)
        self._tell(expired.lanes | lanes)
        self._wake.set()


def _result(claimed: Claimed, attempt: Attempt) -> Result:
    judgement = judge(attempt)
    wait = None
    if judgement is Judgement.RETRY:
        waits = waits_of(claimed.config)
        wait = next_wait(waits, claimed.turn, attempt.retry_after, random.random())
    return Result(claimed, attempt, judgement, wait)
