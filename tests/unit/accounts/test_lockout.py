"""Lockout: the table of locks, and who counts as one account and one client."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts import lockout

FAILURES = st.integers(0, 10_000)
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 0), (4, 0), (5, 15), (9, 15), (10, 30), (15, 60), (20, 120), (25, 240), (26, 240), (1000, 240)],
)
def test_locks_are_those_of_the_contract(failures: int, minutes: int) -> None:
    assert lockout.lock_seconds(failures) == minutes * 60


@given(failures=FAILURES)
def test_another_failure_never_shortens_a_lock(failures: int) -> None:
    assert lockout.lock_seconds(failures) <= lockout.lock_seconds(failures + 1) <= lockout.LOCKS[-1]


@given(failures=st.integers(1, 10_000))
def test_the_schedule_that_the_store_gets_says_the_same(failures: int) -> None:
    assert lockout.SCHEDULE[min(failures, len(lockout.SCHEDULE)) - 1] == lockout.lock_seconds(failures)


@given(name=st.text(max_size=300), ip=ADDRESSES)
def test_a_name_is_one_account_however_it_is_written(name: str, ip: str) -> None:
    written = lockout.of_name(name, ip)
    assert written == lockout.of_name(f" {name}\t", ip)
    assert len(written.account) == 32
    if name.isascii():
        assert written == lockout.of_name(name.upper(), ip)


@given(ip=ADDRESSES)
def test_an_account_is_no_name_and_no_client(ip: str) -> None:
    id_ = uuid4()
    assert len({lockout.of_user(id_, ip).account, lockout.of_name(str(id_), ip).account, lockout.client(ip)}) == 3


def test_clients_are_addresses_but_networks_of_64_bits_in_ipv6() -> None:
    assert lockout.client("192.0.2.1") != lockout.client("192.0.2.2")
    assert lockout.client("2001:db8::1") == lockout.client("2001:db8:0:0:ffff::2")
    assert lockout.client("2001:db8::1") != lockout.client("2001:db8:0:1::1")


def test_an_address_that_nobody_vouches_for_is_no_client() -> None:
    assert lockout.of_name("ada", "").client is None
