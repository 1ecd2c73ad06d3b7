from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain.ranges import RECONSIDER_AFTER, AdaptiveRange


def test_a_refused_size_is_halved_down_to_one_block() -> None:
    sizes = AdaptiveRange(10)
    seen = [sizes.size]
    while sizes.shrink():
        seen.append(sizes.size)

    assert seen == [10, 5, 2, 1]


@given(limit=st.integers(1, 10_000))
def test_a_fixed_limit_is_found_and_then_kept_to(limit: int) -> None:
    sizes, refused = AdaptiveRange(10_000), 0
    for _ in range(RECONSIDER_AFTER - 1):
        if sizes.size <= limit:
            sizes.grow()
        else:
            refused += 1
            sizes.shrink()

    assert refused <= 20
    assert limit * 0.9 - 1 <= sizes.size <= max(limit, 1)


def test_a_ceiling_is_lifted_after_a_long_run_of_answers() -> None:
    sizes = AdaptiveRange(1_000)
    sizes.shrink()
    ceiling = 999
    for _ in range(3 * RECONSIDER_AFTER):
        sizes.grow()

    assert sizes.size == 1_000 > ceiling


@given(st.lists(st.booleans(), max_size=200))
def test_the_size_stays_between_one_and_the_most(answers: list[bool]) -> None:
    sizes = AdaptiveRange(100)
    for answered in answers:
        if answered:
            sizes.grow()
        else:
            sizes.shrink()
        assert 1 <= sizes.size <= 100
