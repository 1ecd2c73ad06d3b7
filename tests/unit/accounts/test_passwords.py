"""Passwords: what is refused, and hashing that is bounded and blind to whether a user exists."""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn import matching

from agentauri.accounts.passwords import HASHING_NICENESS, PRODUCTION, Cost, Passwords, find_weakness
from agentauri.errors import Unavailable

CHEAP = Cost(memory_kib=64, iterations=1)
GOOD = "correct-horse-battery-staple"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(cost=CHEAP, threads=1, max_waiting=2)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short-one", "12 to 128"),
        ("x" * 129, "12 to 128"),
        ("my-ADA.LOVELACE-is-here-9", "user name"),
        ("quite-ada@example.com-odd", "e-mail"),
        ("passwordpassword", "guess"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "guess"),
        ("qwertyuiop123", "guess"),
    ],
)
def test_a_weak_password_is_told_why(password: str, word: str) -> None:
    found = find_weakness(password, username="ada.lovelace", email="ada@example.com")
    assert found is not None
    assert word in found


@pytest.mark.parametrize("password", [GOOD, GOOD * 4, "Ünïcödé-ist-auch-gut-9", "Xk9$vQ2!mLp7"])
def test_a_good_password_passes(password: str) -> None:
    assert find_weakness(password, username="ab", email="x@example.com") is None


def test_signs_that_can_be_read_in_hundreds_of_ways_are_read_in_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way costs some milliseconds of an interpreter that everybody shares."""
    look_up = Mock(wraps=matching.dictionary_match)
    monkeypatch.setattr(matching, "dictionary_match", look_up)
    assert find_weakness("4@8({[<369&#!1|0$5+7%2zQ", username=None, email=None) is None
    assert 0 < look_up.call_count < 50


@given(password=st.text(max_size=140), username=st.text(max_size=20), email=st.text(max_size=20))
def test_any_text_is_judged_without_an_error(password: str, username: str, email: str) -> None:
    found = find_weakness(password, username=username, email=email)
    assert found is None or found.endswith(".")


async def test_only_the_right_password_verifies(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    assert await passwords.verify(stored, GOOD)
    assert not await passwords.verify(stored, GOOD + "x")
    assert not await passwords.verify("no hash at all", GOOD)


async def test_a_password_is_the_same_from_a_keyboard_that_composes_and_one_that_does_not(passwords: Passwords) -> None:
    composed, decomposed = (unicodedata.normalize(form, "corréct-hörse") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert await passwords.verify(await passwords.hash(composed), decomposed)
    assert await passwords.verify(await passwords.hash(decomposed), composed)


async def test_an_unknown_user_is_never_right_not_even_with_the_dummys_password(passwords: Passwords) -> None:
    assert not await passwords.verify(None, GOOD)
    assert not await passwords.verify(None, "nobody's password")


async def test_a_hash_of_other_parameters_is_to_be_renewed(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    assert not passwords.is_outdated(stored)
    stronger = Passwords(cost=Cost(memory_kib=64, iterations=2))
    assert stronger.is_outdated(stored)
    stronger.close()


async def test_a_line_that_is_too_long_is_refused(passwords: Passwords) -> None:
    answers = await asyncio.gather(*(passwords.hash(GOOD) for _ in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, str, Unavailable, Unavailable]
    assert await passwords.hash(GOOD)


async def test_hashing_gives_way_to_all_else_and_nothing_else_does(passwords: Passwords) -> None:
    """Where threads have no niceness of their own, nothing has another one than before."""
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    await passwords.hash(GOOD)
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours
    if sys.platform == "linux":
        hashing = {thread.native_id or 0 for thread in threading.enumerate() if thread.name.startswith("argon2")}
        assert {os.getpriority(os.PRIO_PROCESS, one) for one in hashing} == {min(19, ours + HASHING_NICENESS)}


def test_the_cost_of_production_is_the_one_that_was_promised() -> None:
    assert (PRODUCTION.memory_kib, PRODUCTION.iterations, PRODUCTION.lanes) == (19 * 1024, 2, 1)
