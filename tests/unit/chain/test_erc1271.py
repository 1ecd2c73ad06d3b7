"""What contract wallets are asked and what counts as their yes, held against eth-abi."""

import json

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain.erc1271 import (
    ARTIFACT,
    SELECTOR,
    WRAPPED_END,
    YES,
    creation,
    has_code,
    is_wrapped,
    is_yes,
    question,
    unwrap,
)
from agentauri.errors import DecodeError

WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
HASH = bytes(range(32))


def wrap(factory: str, data: bytes, signature: bytes) -> bytes:
    return encode(["address", "bytes", "bytes"], [factory, data, signature]) + WRAPPED_END


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_was_wrapped_comes_out(data: bytes, signature: bytes) -> None:
    found = unwrap(wrap(WALLET, data, signature))
    assert (found.factory, found.factory_data, found.signature) == (WALLET, data, signature)


@given(st.binary(max_size=300))
def test_a_wrapper_around_nonsense_is_a_decode_error_and_nothing_else(data: bytes) -> None:
    assert is_wrapped(data + WRAPPED_END)
    try:
        unwrap(data + WRAPPED_END)
    except DecodeError:
        pass  # that is the only way out beside a result


def test_a_plain_signature_is_not_wrapped() -> None:
    assert not is_wrapped(bytes(65))
    assert not is_wrapped(WRAPPED_END[1:])


def test_the_question_is_the_standards_call() -> None:
    asked = question(HASH, b"signature")
    assert asked[:4] == SELECTOR == bytes.fromhex("1626ba7e")
    assert decode(["bytes32", "bytes"], asked[4:]) == (HASH, b"signature")


def test_a_creation_is_the_code_with_its_arguments_behind_it() -> None:
    code = bytes.fromhex(json.loads(ARTIFACT.read_text("utf-8"))["bytecode"][2:])
    made = creation(WALLET, HASH, unwrap(wrap(WALLET, b"deploy", b"signature")))
    assert made.startswith(code)
    arguments = decode(["address", "bytes32", "address", "bytes", "bytes"], made[len(code) :])
    assert arguments == (WALLET.lower(), HASH, WALLET.lower(), b"deploy", b"signature")


@pytest.mark.parametrize("answer", [YES, YES + bytes(32)])
def test_the_one_word_is_a_yes(answer: bytes) -> None:
    assert is_yes("0x" + answer.hex())


NOT_YES = [b"", YES[:4], YES[:31], b"\xff" * 32, bytes(32), question(HASH, b""), YES[:4] + b"\1" + YES[5:]]


@pytest.mark.parametrize("answer", NOT_YES)
def test_every_other_answer_is_a_no(answer: bytes) -> None:
    assert not is_yes("0x" + answer.hex())


def test_an_address_has_code_or_has_none() -> None:
    assert has_code("0x60")
    assert not has_code("0x")


@pytest.mark.parametrize("answer", [None, 1, "", "60", "0xg0", "0x6", {"a": 1}])
def test_what_is_no_answer_is_a_decode_error(answer: object) -> None:
    with pytest.raises(DecodeError):
        is_yes(answer)
