from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain.ranges import RECONSIDER_AFTER, AdaptiveRange

MOST = 10_000


def ask(sizes: AdaptiveRange, limit: int, times: int) -> int:
    """Ask so often; how often that was refused."""
    refused = 0
    for _ in range(times):
        if sizes.size <= limit:
            sizes.answered(sizes.size)
        else:
            refused += 1
            sizes.refused(sizes.size)
    return refused


def test_a_refused_size_is_halved_down_to_one_block() -> None:
    sizes = AdaptiveRange(10)
    seen = [sizes.size]
    while sizes.refused(sizes.size):
        seen.append(sizes.size)

    assert seen == [10, 5, 2, 1]


@given(limit=st.integers(1, MOST))
def test_a_fixed_limit_is_found_in_a_few_steps_and_then_kept_to(limit: int) -> None:
    sizes = AdaptiveRange(MOST)
    ask(sizes, limit, 40)

    assert sizes.size == limit
    assert ask(sizes, limit, 1_000) < 1_000 * 0.2


def test_a_limit_that_falls_is_followed_by_halving() -> None:
    sizes = AdaptiveRange(MOST)
    ask(sizes, 8_000, 40)
    refused = ask(sizes, 10, 30)

    assert sizes.size <= 10
    assert refused < 20


def test_a_limit_that_rises_is_found_again() -> None:
    sizes = AdaptiveRange(MOST)
    ask(sizes, 100, 40)
    ask(sizes, MOST, 60 * RECONSIDER_AFTER)

    assert sizes.size == MOST


def test_fewer_blocks_than_the_size_say_nothing_about_it_when_they_are_answered() -> None:
    sizes = AdaptiveRange(MOST)
    sizes.refused(1_000)
    sizes.answered(10)

    assert sizes.size == 500


@given(st.lists(st.booleans(), max_size=200))
def test_the_size_stays_between_one_and_the_most(answers: list[bool]) -> None:
    sizes = AdaptiveRange(100)
    for answered in answers:
        if answered:
            sizes.answered(sizes.size)
        else:
            sizes.refused(sizes.size)
        assert 1 <= sizes.size <= 100
