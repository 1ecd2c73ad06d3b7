"""Which destinations a deliverer serves next, and how many deliveries of each: fairness, caps, rates and breakers.

Guarantees, whatever receivers do: at most ``slots`` deliveries under way, eight of a destination, a quarter of the
slots on a host, half of them with one organization while others wait (protocol P22). A destination starts with two
at once and earns more by answering, so one that hangs holds few slots. Bots and chats keep to what Telegram allows
(``windows.py``). Pure: time comes in as an argument, in seconds of a steady clock. What is planned is reserved until
``taken`` says what was really there.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from uuid import UUID

from agentauri.channels.breaker import Breaker
from agentauri.channels.bucket import TokenBucket
from agentauri.channels.turns import START_COST_SECONDS, Turns
from agentauri.channels.windows import Pace, Window, lane_pace, paces_of
from agentauri.models.delivery import Destination

MAX_IN_FLIGHT = 8
UNPROVEN_STARTS = 2
STARTS_PER_TURN = 4
HOST_SHARE = 0.25
ORGANIZATION_SHARE = 0.5
LONE_ORGANIZATION_SHARE = 0.75
"""An organization that is alone leaves room for the first deliveries of whoever comes next."""
WOKEN_PER_FINISH = 2
FORGET_AFTER_SECONDS = 1200.0
LANE_BEAT_SECONDS = 0.02
"""Between two looks at a lane whose pace lets through fewer than wait there."""


class State(Enum):
    """Where a destination waits."""

    IDLE = auto()
    """Nothing is known to be due."""
    TIMED = auto()
    """For a moment: due time, rate, breaker."""
    READY = auto()
    """For its organization's turn."""
    FULL = auto()
    """For one of its own deliveries to end."""
    HOST_FULL = auto()
    """For a delivery on its host to end, or for its lane's pace."""
    CLAIMING = auto()
    """For its claim."""


@dataclass(slots=True, eq=False)
class _Spot:
    destination: Destination
    organization: UUID
    used_at: float
    state: State = State.IDLE
    due_at: float = inf
    wake_at: float = inf
    paused_until: float = 0.0
    in_flight: int = 0
    planned: int = 0
    queued: bool = False
    permits: int = UNPROVEN_STARTS
    lost: bool = False
    bucket: TokenBucket | None = None
    windows: tuple[Window, ...] = ()
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(slots=True, eq=False)
class _Lane:
    in_flight: int = 0
    waiting: deque[_Spot] = field(default_factory=deque)
    window: Window | None = None
    paused_until: float = 0.0
    wake_at: float = inf
    likely: _Spot | None = None
    """Where a claim found something last."""

    def opens_at(self) -> float:
        """When its pace allows a start; a time in the past means now."""
        return max(self.paused_until, self.window.ready_at() if self.window else 0.0)

    def available(self, now: float) -> int:
        """How many of its deliveries its pace lets start."""
        return self.window.available(now) if self.window else MAX_IN_FLIGHT


@dataclass(slots=True, eq=False)
class _Organization:
    in_flight: int = 0
    ready: deque[_Spot] = field(default_factory=deque)


class Discipline:
    """The state of one deliverer's lanes; a single task plans, any may report."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._host_slots = max(1, int(slots * HOST_SHARE))
        self._free = slots
        self._spots: dict[Destination, _Spot] = {}
        self._lanes: dict[str, _Lane] = {}
        self._organizations: dict[UUID, _Organization] = {}
        self._turns = Turns()
        self._windows: dict[str, Window] = {}
        self._timers: list[tuple[float, int, _Spot | _Lane]] = []
        self._numbers = itertools.count()

    # -- what is known from outside ---------------------------------------------------------------------------------

    def due(self, destination: Destination, organization: UUID, at: float, rate: float | None, now: float) -> None:
        """Something waits there from ``at`` on; ``rate``: the starts a second that its action allows."""
        spot = self._spots.get(destination)
        if spot is None:
            spot = self._spots[destination] = _Spot(destination, organization, now)
            spot.windows = tuple(self._window(pace) for pace in paces_of(destination))
            if destination.lane not in self._lanes:
                pace = lane_pace(destination.lane)
                self._lanes[destination.lane] = _Lane(window=self._window(pace) if pace else None)
            self._organizations.setdefault(organization, _Organization())
        spot.lost = False
        spot.used_at = now
        self.limit(destination, rate, now)
        if at < spot.due_at:
            spot.due_at = at
            if spot.state in (State.IDLE, State.TIMED):
                self._sort_in(spot, now)

    def _window(self, pace: Pace) -> Window:
        """The window that everything of this pace's name shares."""
        return self._windows.setdefault(pace.name, Window(pace.most, pace.seconds))

    def guess(self, lanes: Iterable[str], now: float) -> bool:
        """Something became due in ``lanes``: where there is rest, take it to be where it was last. False: nowhere.

        Saves looking, a query. One that was wrong is the last until a claim in its lane finds something again.
        """
        likely = [self._lanes[name].likely for name in lanes if name in self._lanes]
        spots = [spot for spot in likely if spot and self._spots.get(spot.destination) is spot]
        guessed = [spot for spot in spots if spot.state is State.IDLE and not spot.in_flight and not spot.lost]
        for spot in guessed:
            spot.due_at = now
            self._sort_in(spot, now)
        return bool(guessed)

    def limit(self, destination: Destination, rate: float | None, now: float) -> None:
        """Set the destination's rate (None: no limit)."""
        spot = self._spots[destination]
        if rate is None:
            spot.bucket = None
        elif spot.bucket is None or spot.bucket.rate != rate:
            spot.bucket = TokenBucket(rate, now)

    def pause(self, destination: Destination, until: float) -> None:
        """The receiver asked to be left alone until then."""
        spot = self._spots[destination]
        spot.paused_until = max(spot.paused_until, until)

    def pause_lane(self, lane: str, until: float) -> None:
        """The server asked for the whole lane to be left alone until then."""
        found = self._lanes[lane]
        found.paused_until = max(found.paused_until, until)

    def drop_lanes(self, lanes: Set[str]) -> None:
        """The lanes are somebody else's now: nothing more is planned in them; what is under way still counts."""
        for spot in self._spots.values():
            if spot.destination.lane in lanes:
                spot.lost = True
                spot.due_at = inf
                if spot.state is State.HOST_FULL:
                    spot.state = State.IDLE
        for lane in lanes & self._lanes.keys():
            self._lanes[lane].waiting.clear()

    def in_flight_of(self, lane: str) -> int:
        """Deliveries under way or being claimed in a lane."""
        found = self._lanes.get(lane)
        return found.in_flight if found else 0

    @property
    def free(self) -> int:
        """Slots that nothing uses."""
        return self._free

    def next_wake(self) -> float:
        """When something may become ready without anybody's report; infinity: not at all."""
        return self._timers[0][0] if self._timers else inf

    # -- planning ----------------------------------------------------------------------------------------------------

    def plan(self, now: float) -> list[tuple[Destination, int]]:
        """What to claim now: destinations with how many each. All of it is reserved until ``taken``."""
        while self._timers and self._timers[0][0] <= now:
            at, _, waiting = heapq.heappop(self._timers)
            if isinstance(waiting, _Lane):
                self._wake_lane(waiting, now)
            elif waiting.state is State.TIMED and waiting.wake_at == at:
                self._sort_in(waiting, now)
        planned: dict[Destination, _Spot] = {}
        while self._free > 0:
            organization = self._turns.choose(self._may)
            if organization is None:
                break
            self._serve(organization, now, planned)
        for spot in planned.values():
            spot.state = State.CLAIMING
            spot.due_at = inf
        return [(destination, spot.planned) for destination, spot in planned.items()]

    def _may(self, organization: UUID) -> bool:
        return self._room_of(organization) > 0

    def _room_of(self, organization: UUID) -> int:
        share = ORGANIZATION_SHARE if len(self._turns) > 1 else LONE_ORGANIZATION_SHARE
        return max(1, int(self._slots * share)) - self._organizations[organization].in_flight

    def _serve(self, organization: UUID, now: float, planned: dict[Destination, _Spot]) -> None:
        ready = self._organizations[organization].ready
        spot = ready.popleft()
        spot.queued = False
        if spot.state is State.READY:
            count = self._startable(spot, now)
            if count:
                self._reserve(spot, count)
                planned[spot.destination] = spot
                spot.queued = True
                ready.append(spot)
            elif spot.planned == 0 and spot.state is State.READY:
                self._sort_in(spot, now)
        if not ready:
            self._turns.leave(organization)

    def _startable(self, spot: _Spot, now: float) -> int:
        """How many can start now. When none, the spot is marked with what it waits for; READY: for a moment."""
        if self._opens_at(spot) > now:
            return 0
        lane = self._lanes[spot.destination.lane]
        if lane.in_flight >= self._host_slots or lane.opens_at() > now:
            spot.state = State.HOST_FULL
            if not spot.planned:
                lane.waiting.append(spot)
                self._time_lane(lane, now)
            return 0
        room = min(MAX_IN_FLIGHT - spot.in_flight, spot.permits)
        if room <= 0 or (spot.breaker.is_open and spot.in_flight > 0):
            spot.state = State.FULL
            return 0
        if spot.breaker.is_open:
            room = 1
        if spot.bucket is not None:
            room = min(room, spot.bucket.available(now))
        paced = min([lane.available(now), *(window.available(now) for window in spot.windows)])
        of_others = min(self._host_slots - lane.in_flight, self._room_of(spot.organization), self._free)
        return min(room, STARTS_PER_TURN, of_others, paced)

    def _time_lane(self, lane: _Lane, now: float) -> None:
        """See to it that those who wait for a lane's pace are woken."""
        if lane.wake_at == inf and lane.waiting and (lane.window is not None or lane.paused_until > now):
            lane.wake_at = max(lane.opens_at(), now + LANE_BEAT_SECONDS)
            heapq.heappush(self._timers, (lane.wake_at, next(self._numbers), lane))

    def _wake_lane(self, lane: _Lane, now: float) -> None:
        """Let as many try again as the lane's pace allows."""
        lane.wake_at = inf
        if lane.opens_at() <= now:
            self._wake(lane, lane.available(now), now)
        self._time_lane(lane, now)

    def _opens_at(self, spot: _Spot) -> float:
        """When a start is allowed by due time, pause, breaker and rate; infinity while a probe is under way."""
        breaker = spot.breaker.ready_at()
        if breaker is None or spot.lost:
            return inf
        bucket = spot.bucket.ready_at() if spot.bucket else 0.0
        paced = max([window.ready_at() for window in spot.windows], default=0.0)
        return max(0.0 if spot.planned else spot.due_at, spot.paused_until, breaker, bucket, paced)

    def _reserve(self, spot: _Spot, count: int) -> None:
        """Count ``count`` starts (negative: take them back) everywhere."""
        spot.planned += count
        spot.in_flight += count
        spot.permits -= count
        if spot.bucket is not None:
            spot.bucket.take(count)
        lane = self._lanes[spot.destination.lane]
        for window in (*spot.windows, *([lane.window] if lane.window else ())):
            window.take(count)
        lane.in_flight += count
        self._organizations[spot.organization].in_flight += count
        self._free -= count
        self._turns.charge(spot.organization, count * START_COST_SECONDS)
        if count > 0:
            spot.breaker.started()

    def _sort_in(self, spot: _Spot, now: float) -> None:
        """Put a spot where it waits next: for its turn, for a moment, or for news."""
        opens = self._opens_at(spot)
        if opens <= now:
            spot.state = State.READY
            if not spot.queued:
                spot.queued = True
                self._organizations[spot.organization].ready.append(spot)
                self._turns.enter(spot.organization)
        elif opens < inf:
            if spot.state is State.TIMED and spot.wake_at == opens:
                return
            spot.state = State.TIMED
            spot.wake_at = opens
            heapq.heappush(self._timers, (opens, next(self._numbers), spot))
        else:
            spot.state = State.IDLE if spot.due_at == inf else State.FULL

    # -- what became of it -------------------------------------------------------------------------------------------

    def taken(self, destination: Destination, got: int, more: bool, now: float) -> None:
        """The claim of a planned destination is through: ``got`` of them are under way now, the others are not.

        ``more``: there may be further ones that are due.
        """
        spot = self._spots[destination]
        missing = spot.planned - got
        if missing:
            self._reserve(spot, -missing)
            if got == 0 and spot.breaker.is_open:
                spot.breaker.withdrawn()
            self._wake_host(spot, now)
        lane = self._lanes[destination.lane]
        if got:
            lane.likely = spot
        elif lane.likely is spot:
            lane.likely = None
        spot.planned = 0
        spot.used_at = now
        if more and not spot.lost:
            spot.due_at = min(spot.due_at, now)
        self._sort_in(spot, now)

    def finished(self, destination: Destination, *, answered: bool, seconds: float, now: float) -> None:
        """One delivery ended after ``seconds``; ``answered``: the destination was there, whatever it said."""
        spot = self._spots[destination]
        spot.in_flight -= 1
        self._lanes[destination.lane].in_flight -= 1
        self._organizations[spot.organization].in_flight -= 1
        self._free += 1
        self._turns.charge(spot.organization, seconds - START_COST_SECONDS)
        if answered:
            spot.breaker.succeeded()
            spot.permits = min(spot.permits + 2, spot.in_flight + UNPROVEN_STARTS, MAX_IN_FLIGHT - spot.in_flight)
        else:
            spot.breaker.failed(now)
            spot.permits = 0 if spot.in_flight else 1
        if spot.state in (State.FULL, State.IDLE, State.TIMED):
            self._sort_in(spot, now)
        self._wake_host(spot, now)

    def _wake_host(self, spot: _Spot, now: float) -> None:
        """Let some that waited for room on a host try again; all of them when nothing is under way there."""
        lane = self._lanes[spot.destination.lane]
        if lane.opens_at() <= now:
            self._wake(lane, WOKEN_PER_FINISH if lane.in_flight else len(lane.waiting), now)
        else:
            self._time_lane(lane, now)

    def _wake(self, lane: _Lane, count: int, now: float) -> None:
        for _ in range(min(count, len(lane.waiting))):
            woken = lane.waiting.popleft()
            if woken.state is State.HOST_FULL:
                self._sort_in(woken, now)

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Forget destinations, lanes and organizations that nothing was heard of for long."""
        for destination, spot in list(self._spots.items()):
            idle = spot.in_flight == 0 and spot.state is State.IDLE and not spot.queued
            if idle and (spot.lost or now - spot.used_at > FORGET_AFTER_SECONDS):
                del self._spots[destination]
        lanes = {spot.destination.lane for spot in self._spots.values()}
        organizations = {spot.organization for spot in self._spots.values()}
        self._lanes = {lane: kept for lane, kept in self._lanes.items() if lane in lanes or kept.paused_until > now}
        used = {pace.name for spot in self._spots for pace in paces_of(spot)} | lanes
        self._windows = {name: window for name, window in self._windows.items() if name in used}
        for organization in self._organizations.keys() - organizations:
            del self._organizations[organization]
            self._turns.forget(organization)

    def status(self) -> dict[str, int]:
        """How much is going on."""
        return {
            "slots": self._slots,
            "in_flight": self._slots - self._free,
            "destinations": len(self._spots),
            "breakers_open": sum(spot.breaker.is_open for spot in self._spots.values()),
        }
