"""The text of a wallet sign-in: it is EIP-4361's, says what it was made of, and changes with each of its fields."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts import siwe
from agentauri.accounts.siwe import MAX_MESSAGE, SignIn, begin, domain_of, find_nonce

NOW = datetime(2026, 11, 23, 8, 0, 1, 234_567, tzinfo=UTC)
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SIGN_IN = begin("https://agentauri.example", ADDRESS, 8453, NOW)


def test_the_text_is_that_of_the_standard() -> None:
    expected = f"""\
agentauri.example wants you to sign in with your Ethereum account:
{ADDRESS}

Sign in to AgentAuri. This sends no transaction and costs nothing.

URI: https://agentauri.example
Version: 1
Chain ID: 8453
Nonce: {SIGN_IN.nonce}
Issued At: 2026-11-23T08:00:01.234Z
Expiration Time: 2026-11-23T08:05:01.234Z"""
    assert SIGN_IN.text() == expected


CHANGES: list[dict[str, object]] = [
    {"domain": "agentauri.example:8443"}, {"uri": "https://evil.example"}, {"address": "0x" + "11" * 20},
    {"chain_id": 1}, {"nonce": "0" * 32}, {"issued_at": NOW + timedelta(seconds=1)},
    {"expires_at": NOW + timedelta(days=1)},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_another_field_is_another_text(change: dict[str, object]) -> None:
    other: SignIn = replace(SIGN_IN, **change)  # type: ignore[arg-type]  # each value is of its field's type
    assert other.text() != SIGN_IN.text()


def test_a_nonce_has_at_least_96_bits_in_letters_and_digits_and_does_not_come_back() -> None:
    nonces = {begin("https://a.example", ADDRESS, 1, NOW).nonce for _ in range(1000)}
    assert len(nonces) == 1000
    assert all(re.fullmatch("[0-9a-f]{24,}", nonce) for nonce in nonces)


def test_a_request_lives_five_minutes_in_whole_milliseconds() -> None:
    assert SIGN_IN.expires_at - SIGN_IN.issued_at == timedelta(minutes=5)
    assert SIGN_IN.issued_at.microsecond == 234_000


def test_times_are_written_in_utc_whatever_zone_they_came_in() -> None:
    elsewhere = timezone(timedelta(hours=9))
    moved = replace(
        SIGN_IN,
        issued_at=SIGN_IN.issued_at.astimezone(elsewhere),
        expires_at=SIGN_IN.expires_at.astimezone(elsewhere),
    )
    assert moved.text() == SIGN_IN.text()


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://agentauri.example", "agentauri.example"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("https://user:word@agentauri.example:8443/api", "agentauri.example:8443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_domain_is_host_and_port_of_the_public_address(url: str, domain: str) -> None:
    assert domain_of(url) == domain


def test_a_long_public_address_still_fits_into_what_is_read() -> None:
    long = "https://" + ".".join(["a" * 60] * 4) + ":65535/" + "b" * 255
    assert len(begin(long, ADDRESS, 2**63 - 1, NOW).text()) <= MAX_MESSAGE


def test_the_nonce_of_our_own_text_is_found() -> None:
    assert find_nonce(SIGN_IN.text()) == SIGN_IN.nonce


@given(st.text())
def test_a_text_without_a_nonce_line_of_ours_has_none(text: str) -> None:
    found = find_nonce(text)
    assert found is None or f"Nonce: {found}" in text
    assert find_nonce(text.replace("Nonce: ", "")) is None


NOT_NONCES = ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 31 + "٣", "' OR 1=1 --"]


@pytest.mark.parametrize("nonce", NOT_NONCES)
def test_what_is_no_nonce_of_ours_is_not_looked_up(nonce: str) -> None:
    assert find_nonce(f"Nonce: {nonce}") is None


def test_a_nonce_holds_enough_bits() -> None:
    assert siwe.NONCE_BYTES * 8 >= 96
