"""Deficit round robin: equal time, not equal counts; no savings, bounded debts."""

from collections import Counter
from uuid import UUID, uuid4

from agentauri.channels.turns import MAX_DEBT_SECONDS, QUANTUM_SECONDS, Turns


def served(turns: Turns, costs: dict[UUID, float], rounds: int) -> Counter[UUID]:
    counts: Counter[UUID] = Counter()
    for _ in range(rounds):
        chosen = turns.choose(lambda _: True)
        assert chosen is not None
        turns.charge(chosen, costs[chosen])
        counts[chosen] += 1
    return counts


def test_organizations_get_equal_seconds() -> None:
    turns, costs = Turns(), {uuid4(): 0.01, uuid4(): 0.1, uuid4(): 1.0}
    for organization in costs:
        turns.enter(organization)
    counts = served(turns, costs, 11_100)
    seconds = [counts[organization] * cost for organization, cost in costs.items()]
    assert max(seconds) - min(seconds) <= 1.0 + 2 * QUANTUM_SECONDS


def test_debt_is_bounded_and_repaid_before_the_next_turn() -> None:
    turns, greedy, modest = Turns(), uuid4(), uuid4()
    turns.enter(greedy)
    turns.charge(greedy, 10 * MAX_DEBT_SECONDS)
    turns.enter(modest)
    counts = served(turns, {greedy: 1.0, modest: 0.5}, 60)
    assert 55 <= counts[modest] < 60


def test_alone_it_is_served_whatever_it_owes() -> None:
    turns, only = Turns(), uuid4()
    turns.enter(only)
    turns.charge(only, 1000)
    assert turns.choose(lambda _: True) == only


def test_nobody_saves_up_while_away() -> None:
    turns, away, here = Turns(), uuid4(), uuid4()
    turns.charge(away, -1000)
    turns.enter(away)
    turns.leave(away)
    turns.enter(here)
    turns.enter(away)
    assert served(turns, {away: 0.01, here: 0.01}, 100)[here] >= 45


def test_who_may_not_is_passed_over() -> None:
    turns, one, other = Turns(), uuid4(), uuid4()
    turns.enter(one)
    turns.enter(other)
    assert turns.choose(lambda organization: organization == other) == other
    assert turns.choose(lambda _: False) is None
