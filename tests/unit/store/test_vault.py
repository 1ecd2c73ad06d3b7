"""Sealed secrets open where they belong, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.errors import ConfigError, StoreError
from agentauri.store.vault import Vault

SECRET_KEY = "k" * 32
VAULT = Vault(SECRET_KEY)


@given(data=st.binary(max_size=200), context=st.text(max_size=40))
def test_what_is_sealed_opens_under_its_context(data: bytes, context: str) -> None:
    assert VAULT.open(VAULT.seal(data, context), context) == data


def test_a_value_moved_to_another_row_does_not_open() -> None:
    sealed = VAULT.seal(b"whsec", "webhook_secret:a")
    with pytest.raises(StoreError, match="belongs elsewhere"):
        VAULT.open(sealed, "webhook_secret:b")


@given(position=st.integers(0, 40), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(position: int, bit: int) -> None:
    sealed = bytearray(VAULT.seal(b"some secret text", "x"))
    sealed[position] ^= 1 << bit
    with pytest.raises(StoreError):
        VAULT.open(bytes(sealed), "x")


def test_a_rotated_key_opens_what_the_previous_one_sealed() -> None:
    sealed = VAULT.seal(b"old", "x")
    rotated = Vault("n" * 32, previous=[SECRET_KEY])
    assert rotated.open(sealed, "x") == b"old"
    with pytest.raises(StoreError, match="secret_key"):
        VAULT.open(rotated.seal(b"new", "x"), "x")


def test_a_short_secret_key_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="openssl rand"):
        Vault("short")


def test_equal_secrets_do_not_look_equal() -> None:
    assert VAULT.seal(b"same", "x") != VAULT.seal(b"same", "x")
