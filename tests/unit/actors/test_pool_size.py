"""The size of the pool: it follows work that more deliverers would do, and nothing else."""

from itertools import pairwise

import pytest

from agentauri.actors.pool_size import GROW_BEATS, SHRINK_BEATS, Load, PoolSize

IDLE = Load(0, 0, 256, 0.0)
SLOTS = 256


def beats(pool: PoolSize, load: Load, count: int) -> list[int]:
    return [pool.beat(load) for _ in range(count)]


def full(pool: PoolSize, share: float = 1.0) -> Load:
    return Load(0, int(share * SLOTS * pool.size), SLOTS * pool.size, 10.0)


def test_due_rows_that_move_ask_for_more_deliverers() -> None:
    pool = PoolSize(1, 8, 1)
    assert beats(pool, Load(3_900, 40, SLOTS, 3_000.0), GROW_BEATS)[-1] == 2


def test_slots_in_use_ask_for_more_however_few_rows_are_due() -> None:
    pool = PoolSize(1, 8, 1)
    assert beats(pool, full(pool), GROW_BEATS)[-1] == 2


@pytest.mark.parametrize("finished", [0.0, 10.0])
def test_due_rows_of_a_dead_receiver_ask_for_nobody(finished: float) -> None:
    pool = PoolSize(1, 8, 1)
    assert set(beats(pool, Load(16_000, 2, SLOTS, finished), 1_000)) == {1}


def test_short_burst_starts_no_process() -> None:
    pool = PoolSize(1, 8, 1)
    beats(pool, Load(16_000, 200, SLOTS, 3_000.0), GROW_BEATS - 1)
    assert set(beats(pool, IDLE, 10)) == {1}


def test_pool_at_most_doubles_at_a_time_and_stays_within_its_bounds() -> None:
    pool = PoolSize(1, 5, 1)
    sizes = beats(pool, Load(100_000, 250, SLOTS, 3_000.0), 4 * GROW_BEATS)
    assert sorted(set(sizes)) == [1, 2, 4, 5]


def test_pool_shrinks_one_by_one_and_not_below_its_least() -> None:
    pool = PoolSize(2, 8, 4)
    assert beats(pool, IDLE, SHRINK_BEATS - 1)[-1] == 4
    assert pool.beat(IDLE) == 3
    assert beats(pool, IDLE, 10 * SHRINK_BEATS)[-1] == 2


def test_one_busy_beat_begins_the_wait_anew() -> None:
    pool = PoolSize(1, 8, 2)
    beats(pool, IDLE, SHRINK_BEATS - 1)
    pool.beat(full(pool))
    assert beats(pool, IDLE, SHRINK_BEATS - 1)[-1] == 2


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.6, 0.7, 0.74, 0.8, 1.0])
def test_steady_load_ends_in_one_size(share: float) -> None:
    """The load stays, whoever carries it: a pool that shrinks under it may not grow again and so on for ever."""
    pool, in_flight = PoolSize(1, 8, 4), int(share * 4 * SLOTS)
    sizes = [pool.beat(Load(0, in_flight, SLOTS * pool.size, 100.0)) for _ in range(12 * SHRINK_BEATS)]
    changes = [after - before for before, after in pairwise(sizes) if after != before]
    assert len(set(changes)) <= 1
    assert len(set(sizes[-2 * SHRINK_BEATS :])) == 1


def test_pool_goes_on_with_the_deliverers_that_are_there() -> None:
    assert [PoolSize(1, 4, size).size for size in (0, 3, 9)] == [1, 3, 4]


def test_deliverers_that_do_not_answer_change_nothing_at_once() -> None:
    assert PoolSize(1, 4, 3).beat(Load(0, 0, 0, 0.0)) == 3
