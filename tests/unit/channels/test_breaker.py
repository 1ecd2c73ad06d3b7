"""The breaker opens after ten failures in a row and lets single probes through at growing distances."""

from agentauri.channels.breaker import Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(10):
        breaker.started()
        breaker.failed(now)
    return breaker


def test_nine_failures_leave_it_closed_and_a_success_forgets_them() -> None:
    breaker = Breaker()
    for _ in range(2):
        for _ in range(9):
            breaker.failed(0)
        assert not breaker.is_open
        breaker.succeeded()


def test_probes_come_after_30_s_doubling_to_10_min() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(7):
        at = breaker.ready_at()
        assert at is not None
        pauses.append(at - now)
        now = at
        breaker.started()
        assert breaker.ready_at() is None
        breaker.failed(now)
    assert pauses == [30, 60, 120, 240, 480, 600, 600]


def test_probe_that_succeeds_closes_it() -> None:
    breaker = opened()
    breaker.started()
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.ready_at() == 0


def test_late_failures_of_what_was_under_way_do_not_delay_the_probe() -> None:
    breaker = opened(0)
    for now in (1, 2, 3):
        breaker.failed(now)
    assert breaker.ready_at() == 30


def test_withdrawn_probe_can_be_made_again() -> None:
    breaker = opened()
    breaker.started()
    breaker.withdrawn()
    assert breaker.ready_at() == 30
