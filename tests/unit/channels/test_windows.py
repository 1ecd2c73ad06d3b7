"""Windows: no stretch of time holds more starts than are allowed, whatever is asked when."""

from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.windows import CHAT_SECONDS, Window, lane_pace, paces_of
from agentauri.models.delivery import Destination


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=60))
def test_no_stretch_holds_more_than_is_allowed(steps: list[tuple[float, int]]) -> None:
    window, now, starts = Window(3, 2.0), 0.0, []
    for pause, wanted in steps:
        now += pause
        taken = min(wanted, window.available(now))
        window.take(taken)
        starts += [now] * taken
    assert all(sum(start <= one < start + 2.0 for one in starts) <= 3 for start in starts)


def test_full_window_says_when_it_opens() -> None:
    window = Window(2, 10.0)
    for now in (1.0, 4.0):
        assert window.available(now)
        window.take(1)
    assert (window.available(5.0), window.ready_at()) == (0, 11.0)
    assert window.available(11.0) == 1


def test_start_that_was_taken_back_does_not_count() -> None:
    window = Window(1, 10.0)
    window.available(1.0)
    window.take(1)
    window.take(-1)
    assert window.available(1.0) == 1


def test_bots_chats_and_groups_have_paces_and_hosts_have_none() -> None:
    assert lane_pace("host:example.com") is None
    assert paces_of(Destination("host:example.com", "o https://example.com:443")) == ()
    bot = lane_pace("bot:deployment")
    assert bot is not None
    assert bot.most == 30
    (chat,) = paces_of(Destination("bot:deployment", "o bot:deployment 123"))
    assert (chat.most, chat.seconds > CHAT_SECONDS) == (1, True)
    for name in ("-100", "@channel"):
        assert [one.most for one in paces_of(Destination("bot:x", f"o bot:x {name}"))] == [1, 20]


def test_organizations_share_the_pace_of_a_chat() -> None:
    first, second = (paces_of(Destination("bot:x", f"{one} bot:x 5")) for one in "ab")
    assert first == second
