"""Caps, fairness, rates and breakers of a deliverer, in a simulation with a clock of its own (protocol P22)."""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentauri.channels.discipline import Discipline
from agentauri.models.delivery import Destination

ORGANIZATIONS = [UUID(int=n) for n in range(1, 4)]


@dataclass
class Server:
    """A receiver: its queue, how long it takes, whether it answers."""

    destination: Destination
    organization: UUID
    rows: int
    seconds: float = 0.01
    answers: bool = True
    rate: float | None = None


@dataclass
class Simulation:
    """Drives a Discipline as a deliverer does; a claim finds what the servers' queues hold."""

    servers: list[Server]
    slots: int = 64
    now: float = 0.0
    running: list[tuple[float, int, Server]] = field(default_factory=list)
    starts: list[tuple[float, Server]] = field(default_factory=list)
    done: Counter[Destination] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.discipline = Discipline(self.slots)
        self.by_destination = {server.destination: server for server in self.servers}
        for server in self.servers:
            self.discipline.due(server.destination, server.organization, 0.0, server.rate, 0.0)

    def run(self, until: float) -> None:
        while self.now <= until:
            while planned := self.discipline.plan(self.now):
                for destination, count in planned:
                    self.start(self.by_destination[destination], count)
            self.check_caps()
            ends = self.running[0][0] if self.running else inf
            moment = min(ends, max(self.discipline.next_wake(), self.now + 1e-6))
            if moment > until:
                self.now = until
                return
            self.now = moment
            while self.running and self.running[0][0] <= self.now:
                self.end(heapq.heappop(self.running)[2])

    def start(self, server: Server, count: int) -> None:
        got = min(count, server.rows)
        server.rows -= got
        self.discipline.taken(server.destination, got, more=got == count, now=self.now)
        for _ in range(got):
            self.starts.append((self.now, server))
            heapq.heappush(self.running, (self.now + server.seconds, len(self.starts), server))

    def end(self, server: Server) -> None:
        self.done[server.destination] += 1
        self.discipline.finished(server.destination, answered=server.answers, seconds=server.seconds, now=self.now)

    def check_caps(self) -> None:
        of = [server for _, _, server in self.running]
        assert len(of) + self.discipline.free == self.slots
        assert max(Counter(server.destination for server in of).values(), default=0) <= 8
        assert max(Counter(server.destination.lane for server in of).values(), default=0) <= max(1, self.slots // 4)
        assert max(Counter(server.organization for server in of).values(), default=0) <= max(1, self.slots * 3 // 4)


def server(number: int, *, organization: UUID = ORGANIZATIONS[0], lane: str | None = None, **more: object) -> Server:
    destination = Destination(lane or f"host:{number}", f"{organization} {number}")
    return Server(destination, organization, **({"rows": 1000} | more))  # type: ignore[arg-type]  # keywords of a test


servers = st.lists(
    st.builds(
        server,
        st.integers(0, 9),
        organization=st.sampled_from(ORGANIZATIONS),
        lane=st.none() | st.just("host:shared"),
        rows=st.integers(0, 40),
        seconds=st.floats(0.001, 3),
        answers=st.booleans(),
        rate=st.none() | st.floats(0.5, 100),
    ),
    max_size=12,
    unique_by=lambda one: one.destination,
)


@settings(max_examples=80, deadline=None)
@given(servers, st.sampled_from([1, 4, 64]))
def test_p22_caps_hold_and_everything_is_served(many: list[Server], slots: int) -> None:
    wanted = {one.destination: one.rows for one in many}
    simulation = Simulation(many, slots)
    simulation.run(until=40_000)
    assert simulation.done == Counter({destination: count for destination, count in wanted.items() if count})
    assert simulation.discipline.free == slots


def test_rate_of_a_destination_is_kept() -> None:
    simulation = Simulation([server(0, rate=5.0, seconds=0.001)])
    simulation.run(until=10)
    assert 49 <= len(simulation.starts) <= 52


def test_breaker_holds_back_without_spending_attempts() -> None:
    simulation = Simulation([server(0, answers=False, seconds=0.01)])
    simulation.run(until=29)
    assert len(simulation.starts) == 10
    simulation.run(until=29 + 60)
    assert len(simulation.starts) == 11


def test_hanging_half_leaves_the_others_their_rate() -> None:
    def good(hanging: bool) -> int:
        hung = [server(n, rows=1000 if hanging else 0, seconds=15, answers=False) for n in range(25)]
        fast = [server(n, rows=10**6, seconds=0.01) for n in range(25, 50)]
        simulation = Simulation(hung + fast, slots=256)
        simulation.run(until=20)
        return sum(simulation.done[one.destination] for one in fast)

    assert good(hanging=True) >= 0.95 * good(hanging=False)


def test_receiver_that_begins_to_hang_keeps_few_slots() -> None:
    one = server(0, rows=10**6, seconds=0.01)
    simulation = Simulation([one])
    simulation.run(until=1)
    one.seconds, one.answers = 60, False
    simulation.run(until=10)
    assert len(simulation.running) <= 8


@pytest.mark.parametrize("greedy_seconds", [0.01, 1.0])
def test_organizations_share_the_slots_in_seconds(greedy_seconds: float) -> None:
    greedy = [server(n, rows=10**6, seconds=greedy_seconds) for n in range(40)]
    modest = [server(n, organization=ORGANIZATIONS[1], rows=10**6) for n in range(40, 80)]
    simulation = Simulation(greedy + modest)
    simulation.run(until=5)
    seconds = dict.fromkeys(ORGANIZATIONS[:2], 0.0)
    for moment, one in simulation.starts:
        seconds[one.organization] += min(one.seconds, 5 - moment)
    assert seconds[ORGANIZATIONS[1]] >= 0.4 * sum(seconds.values())


def test_newcomer_is_served_at_once_while_another_organization_hangs() -> None:
    simulation = Simulation([server(n, seconds=60, answers=False) for n in range(100)])
    simulation.run(until=1)
    late = server(500, organization=ORGANIZATIONS[1], rows=1)
    simulation.by_destination[late.destination] = late
    simulation.discipline.due(late.destination, late.organization, 1.0, None, 1.0)
    simulation.run(until=1.2)
    assert simulation.done[late.destination] == 1


def test_dropped_lane_is_not_planned_any_more_until_it_comes_back() -> None:
    one = server(0, rows=100)
    simulation = Simulation([one])
    simulation.discipline.drop_lanes({"host:0"})
    simulation.run(until=1)
    assert not simulation.starts
    simulation.discipline.due(one.destination, one.organization, 1.0, None, 1.0)
    simulation.run(until=5)
    assert simulation.done[one.destination] == 100


def test_pause_and_due_time_are_kept() -> None:
    discipline, destination = Discipline(8), Destination("host:x", "x")
    discipline.due(destination, uuid4(), 5.0, None, 0.0)
    assert discipline.plan(4.9) == []
    assert discipline.next_wake() == 5.0
    discipline.pause(destination, 9.0)
    assert discipline.plan(5.0) == []
    assert discipline.plan(9.0) == [(destination, 2)]


def test_sweep_forgets_what_is_idle() -> None:
    simulation = Simulation([server(0, rows=3)])
    simulation.run(until=5)
    simulation.discipline.sweep(simulation.now + 10_000)
    assert simulation.discipline.status()["destinations"] == 0


def bot_chats(count: int, *, rows: int, organization: UUID = ORGANIZATIONS[0]) -> list[Server]:
    """Chats of one bot with messages for each."""
    places = [Destination("bot:x", f"{organization} bot:x {chat}") for chat in range(1, count + 1)]
    return [Server(place, organization, rows) for place in places]


def starts_in(starts: list[float], seconds: float) -> int:
    """The most starts within any stretch of so many seconds."""
    return max(sum(start <= one < start + seconds for one in starts) for start in starts)


def test_bot_with_many_chats_speaks_thirty_times_a_second_and_wastes_little() -> None:
    simulation = Simulation(bot_chats(500, rows=1))
    simulation.run(20.0)
    starts = [at for at, _ in simulation.starts]
    assert len(starts) == 500
    assert starts_in(starts, 1.0) <= 30
    assert starts[-1] < 500 / 30 * 1.1 + 1.2


def test_chat_gets_one_message_a_second_and_a_group_twenty_a_minute() -> None:
    (chat,) = bot_chats(1, rows=100)
    group = Server(Destination("bot:x", "o bot:x -100"), ORGANIZATIONS[0], 100)
    simulation = Simulation([chat, group])
    simulation.run(130.0)
    starts: dict[Destination, list[float]] = {server.destination: [] for server in (chat, group)}
    for at, server in simulation.starts:
        starts[server.destination].append(at)
    assert starts_in(starts[chat.destination], 1.0) == 1
    assert starts_in(starts[group.destination], 60.0) == 20
    assert len(starts[chat.destination]) == 100
    assert len(starts[group.destination]) == 49


def test_two_organizations_share_the_pace_of_one_chat_and_neither_starves() -> None:
    both = [bot_chats(1, rows=50, organization=one)[0] for one in ORGANIZATIONS[:2]]
    simulation = Simulation(both)
    simulation.run(40.0)
    assert starts_in([at for at, _ in simulation.starts], 1.0) == 1
    counts = Counter(server.organization for _, server in simulation.starts)
    assert min(counts.values()) >= 15


def test_paused_lane_starts_nothing_until_its_time_and_others_go_on() -> None:
    servers = [*bot_chats(40, rows=3), Server(Destination("host:b", "b"), ORGANIZATIONS[1], 10)]
    simulation = Simulation(servers)
    simulation.run(0.5)
    before = len([one for one in simulation.starts if one[1].destination.lane == "bot:x"])
    simulation.discipline.pause_lane("bot:x", 10.0)
    simulation.run(9.9)
    assert len([one for one in simulation.starts if one[1].destination.lane == "bot:x"]) == before
    assert simulation.done[servers[-1].destination] == 10
    simulation.run(30.0)
    assert sum(simulation.done.values()) == 130


def test_claim_that_found_nothing_gives_the_pace_back() -> None:
    discipline = Discipline(8)
    (chat,) = bot_chats(1, rows=0)
    discipline.due(chat.destination, chat.organization, 0.0, None, 0.0)
    assert discipline.plan(0.0) == [(chat.destination, 1)]
    discipline.taken(chat.destination, 0, more=True, now=0.0)
    assert discipline.plan(0.01) == [(chat.destination, 1)]


HERE, THERE = Destination("lane", "here"), Destination("lane", "there")


def served(*places: Destination) -> Discipline:
    """A discipline that served these, one after the other, and where all is at rest."""
    discipline = Discipline(64)
    for place in places:
        discipline.due(place, ORGANIZATIONS[0], 0.0, None, 0.0)
        assert discipline.plan(0.0)
        discipline.taken(place, 1, more=False, now=0.0)
        discipline.finished(place, answered=True, seconds=0.01, now=0.0)
    return discipline


def test_lane_that_rings_is_taken_to_mean_where_it_was_last() -> None:
    discipline = served(THERE, HERE)
    assert discipline.guess({"lane", "unknown"}, 1.0)
    assert [place for place, _ in discipline.plan(1.0)] == [HERE]


def test_nothing_is_guessed_while_something_is_under_way_or_after_a_wrong_guess() -> None:
    discipline = served(HERE)
    assert discipline.guess({"lane"}, 1.0)
    assert discipline.plan(1.0)
    assert not discipline.guess({"lane"}, 1.0)
    discipline.taken(HERE, 1, more=False, now=1.0)
    assert not discipline.guess({"lane"}, 1.0)
    discipline.finished(HERE, answered=True, seconds=0.01, now=1.0)
    assert discipline.guess({"lane"}, 2.0)
    assert discipline.plan(2.0)
    discipline.taken(HERE, 0, more=False, now=2.0)
    assert not discipline.guess({"lane"}, 3.0)


def test_place_that_is_forgotten_or_paused_is_not_guessed_into_service() -> None:
    discipline = served(HERE, THERE)
    discipline.pause(THERE, 5.0)
    discipline.guess({"lane"}, 1.0)
    assert not discipline.plan(1.0)
    discipline = served(HERE)
    discipline.drop_lanes({"lane"})
    assert not discipline.guess({"lane"}, 1.0)
    discipline.sweep(10_000.0)
    assert not discipline.guess({"lane"}, 10_000.0)
