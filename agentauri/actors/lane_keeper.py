"""Which lanes a deliverer looks after: takes, renews, shares out and gives back leases (protocol P23).

A lane that was lost, or whose lease may have ended because the database did not answer, is dropped at once. Lanes
that nobody owns are divided: each deliverer takes up to its share at every beat, and gives back what it has beyond.
A lane without open rows is given back after a while.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from math import ceil
from uuid import UUID, uuid4

from agentauri import logs
from agentauri.store import lanes as lane_rows
from agentauri.store.held import TRY_AGAIN, Held

log = logs.get("lanes")

SAFETY_SECONDS = 1.0
"""A lease counts as ended this much before the database would say so."""
FOREIGN_SECONDS = 1.0
"""How long a lane that somebody else leases is not asked for again."""
IDLE_SECONDS = 120.0
PRUNE_BEATS = 300
SPARE_LANES = 1
"""So many beyond its share a deliverer keeps: an odd lane does not wander."""

HASTY_LANES = 64
"""So many beyond its share it takes when a doorbell rings: a delivery waits for nobody's beat; beats even it out."""

Changed = Callable[[frozenset[str], frozenset[str]], None]


class LaneKeeper:
    """``changed`` hears which lanes came and which went; ``in_flight`` counts what is under way in a lane."""

    def __init__(
        self,
        held: Held,
        name: str,
        *,
        lease_seconds: float,
        beat_seconds: float,
        changed: Changed,
        in_flight: Callable[[str], int],
    ) -> None:
        self.token: UUID = uuid4()
        self.owned: frozenset[str] = frozenset()
        self._held = held
        self._name = name
        self._lease_seconds = lease_seconds
        self._beat_seconds = beat_seconds
        self._changed = changed
        self._in_flight = in_flight
        self._leaving: frozenset[str] = frozenset()
        self._used_at: dict[str, float] = {}
        self._foreign_until: dict[str, float] = {}
        self._asked: set[str] = set()
        self._wake = asyncio.Event()
        self._counts = lane_rows.Counts(1, 0)
        self._safe_until = 0.0
        self._beats = 0

    def is_safe(self, now: float) -> bool:
        """Whether the leases of what is owned cannot have ended yet."""
        return now < self._safe_until

    def ask(self, lanes: Iterable[str]) -> None:
        """Something is due in lanes that are not owned: take those that nobody leases."""
        now = time.monotonic()
        wanted = {lane for lane in lanes if self._foreign_until.get(lane, 0.0) <= now} - self.owned - self._leaving
        if wanted:
            self._asked |= wanted
            self._wake.set()

    def touch(self, lanes: Iterable[str]) -> None:
        """These lanes have open rows."""
        self._used_at.update(dict.fromkeys(lanes, time.monotonic()))

    async def run(self) -> None:
        """Keep lanes for ever."""
        next_beat = 0.0
        while True:
            try:
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + self._beat_seconds
                    await self._beat()
                await self._take_asked()
            except TRY_AGAIN as error:
                self._held.drop()
                log.warning("lanes_not_renewed", deliverer=self._name, error=repr(error))
                self._wake.clear()
            await self._rest(next_beat)

    async def _rest(self, until: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), max(0.0, until - time.monotonic()))
        except TimeoutError:
            pass  # it is time for the next beat
        self._wake.clear()

    async def leave(self) -> None:
        """Give everything back; the keeper is not used after this."""
        self._set_owned(frozenset())
        try:
            await lane_rows.leave(await self._held.get(), self.token)
        except TRY_AGAIN as error:
            log.warning("lanes_not_released", deliverer=self._name, error=repr(error), remedy="their leases end soon")
        await self._held.close()

    # -- one beat ----------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        connection = await self._held.get()
        began = time.monotonic()
        mine = await lane_rows.beat(connection, self.token, self._name, self._lease_seconds)
        self._safe_until = began + self._lease_seconds - SAFETY_SECONDS
        self._leaving &= mine
        self._set_owned(mine - self._leaving)
        self._counts = await lane_rows.count(connection)
        await self._give_back()
        unowned = await lane_rows.list_unowned(connection)
        await self._take(unowned, self._share(self._counts.lanes + len(unowned)))
        self._beats += 1
        if self._beats % PRUNE_BEATS == 0:
            await lane_rows.prune(connection)

    async def _give_back(self) -> None:
        """Stop with surplus and idle lanes, and release those that nothing is under way in any more."""
        now = time.monotonic()
        idle = {lane for lane in self.owned if now - self._used_at.setdefault(lane, now) > IDLE_SECONDS}
        surplus = len(self.owned) - len(idle) - self._share(self._counts.lanes) - SPARE_LANES
        busiest_last = sorted(self.owned - idle, key=self._in_flight)
        self._leaving |= idle | frozenset(busiest_last[: max(0, surplus)])
        self._set_owned(self.owned - self._leaving)
        done = {lane for lane in self._leaving if not self._in_flight(lane)}
        if done:
            await lane_rows.release(await self._held.get(), self.token, done)
            self._leaving -= done

    def _share(self, lanes: int) -> int:
        return ceil(lanes / max(1, self._counts.deliverers))

    async def _take_asked(self) -> None:
        asked, self._asked = self._asked - self.owned, set()
        if asked:
            known = max(self._counts.lanes, len(self.owned)) + len(asked)
            await self._take(sorted(asked), self._share(known) + HASTY_LANES)

    async def _take(self, lanes: list[str], most: int) -> None:
        """Lease what nobody leases, as long as no more than ``most`` lanes are owned."""
        wanted = lanes[: max(0, most - len(self.owned))]
        if not wanted:
            return
        taken = await lane_rows.take(await self._held.get(), self.token, self._name, wanted, self._lease_seconds)
        now = time.monotonic()
        self._foreign_until = {lane: until for lane, until in self._foreign_until.items() if until > now}
        self._foreign_until.update(dict.fromkeys(set(wanted) - taken, now + FOREIGN_SECONDS))
        self._used_at.update(dict.fromkeys(taken, now))
        self._set_owned(self.owned | taken)

    def _set_owned(self, owned: frozenset[str]) -> None:
        came, went = owned - self.owned, self.owned - owned
        self.owned = owned
        for lane in went:
            self._used_at.pop(lane, None)
        if came or went:
            self._changed(came, went)
            log.debug("lanes_changed", deliverer=self._name, came=sorted(came), went=sorted(went))
