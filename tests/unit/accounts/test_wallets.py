"""Signatures of wallets: a key's own is accepted in one form only, and a contract is asked before it is believed."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts.wallets import (
    ORDER,
    Proof,
    is_signed_by_key,
    message_hash,
    parse_address,
    parse_key_signature,
    shown,
    subject_of,
    verify,
)
from agentauri.chain.erc1271 import Verdict
from agentauri.errors import Unauthenticated

KEY = Account.from_key("0x" + "17" * 32)
OTHER = Account.from_key("0x" + "18" * 32)
MESSAGE = "agentauri.example wants you to sign in\nNonce: ü"
keys = st.integers(1, ORDER - 1).map(lambda number: Account.from_key(number.to_bytes(32)))


def sign(message: str = MESSAGE, key: LocalAccount = KEY) -> bytes:
    return bytes(key.sign_message(encode_defunct(text=message)).signature)


def split(signature: bytes) -> tuple[int, int, int]:
    return int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]


def join(r: int, s: int, v: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32) + bytes([v])


def compact(signature: bytes) -> bytes:
    r, s, v = split(signature)
    return r.to_bytes(32) + (s | (v - 27) << 255).to_bytes(32)


def accepted(signature: bytes) -> bool:
    try:
        return is_signed_by_key(KEY.address, MESSAGE, signature)
    except ValueError:
        return False


@given(keys, st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_a_key_signs_is_its_own_in_every_accepted_form(key: LocalAccount, message: str) -> None:
    signature, address = sign(message, key), key.address
    r, s, v = split(signature)
    for form in (signature, join(r, s, v - 27), compact(signature)):
        assert parse_key_signature(form) == signature
        assert is_signed_by_key(address, message, form)
        assert not is_signed_by_key(OTHER.address, message, form)


@given(st.binary(min_size=64, max_size=65))
def test_random_bytes_are_nobodys_signature(signature: bytes) -> None:
    assert not accepted(signature)


@given(st.integers(0, 64 * 8 - 1))
def test_one_flipped_bit_is_another_signature(bit: int) -> None:
    flipped = (int.from_bytes(sign()) ^ 1 << (bit + 8)).to_bytes(65)
    assert not accepted(flipped)


@given(keys)
def test_the_malleable_twin_is_refused_in_every_form(key: LocalAccount) -> None:
    r, s, v = split(sign(key=key))
    twin = join(r, ORDER - s, 55 - v)
    address = key.address
    assert Account.recover_message(encode_defunct(text=MESSAGE), signature=twin) == address
    for form in (twin, join(r, ORDER - s, 28 - v), compact(twin) if ORDER - s < 1 << 255 else twin):
        with pytest.raises(ValueError, match="malleable"):
            is_signed_by_key(address, MESSAGE, form)


@pytest.mark.parametrize("v", [2, 26, 29, 35, 36, 37, 38, 255])
def test_another_v_is_refused(v: int) -> None:
    with pytest.raises(ValueError, match=f"has the v {v};"):
        parse_key_signature(sign()[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 1, 63, 66, 96, 130])
def test_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"has {length} bytes"):
        parse_key_signature((sign() * 2)[:length])


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (2**256 - 1, 1), (1, ORDER), (1, 2**256 - 1)])
def test_numbers_beyond_the_order_are_refused(r: int, s: int) -> None:
    with pytest.raises(ValueError, match="must lie between"):
        parse_key_signature(join(r, s, 27))


def test_a_number_that_is_no_point_of_the_curve_is_nobodys_signature() -> None:
    assert not is_signed_by_key(KEY.address, MESSAGE, join(5, 1, 27))


def test_the_hash_is_the_one_that_keys_sign() -> None:
    assert message_hash(MESSAGE) == KEY.sign_message(encode_defunct(text=MESSAGE)).message_hash


@pytest.mark.parametrize("form", [KEY.address.lower(), "0x" + KEY.address[2:].upper(), KEY.address])
def test_an_address_comes_out_in_its_checksum_form(form: str) -> None:
    assert parse_address(form) == KEY.address


BAD_ADDRESSES = [
    "", "0x", "0x" + "1" * 39, "0x" + "1" * 41, "0X" + "1" * 40, "1" * 40, "0x" + "g" * 40, "vitalik.eth",
    "0x" + "0" * 40, " " + KEY.address, KEY.address + "\n", "0x" + "١" * 40,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_ADDRESSES)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be 0x|zero address"):
        parse_address(text)


@given(st.integers(2, 41))
def test_an_address_with_one_letter_in_the_wrong_case_is_mistyped(place: int) -> None:
    text = KEY.address
    changed = text[:place] + text[place].swapcase() + text[place + 1 :]
    if changed == text:
        assert parse_address(changed) == text
    else:
        with pytest.raises(ValueError, match="checksum"):
            parse_address(changed)


def test_a_contract_is_known_by_its_chain_too() -> None:
    assert subject_of(KEY.address, 10, Proof.KEY) == subject_of(KEY.address, 1, Proof.KEY) == KEY.address
    assert subject_of(KEY.address, 10, Proof.CONTRACT) == f"eip155:10:{KEY.address}"


def test_an_address_is_shortened_for_people() -> None:
    assert shown("0x70997970C51812dc3A010C7d01b50e0d17dc79C8") == "0x7099…79C8"


class Chain:
    """Says one thing, and counts who asks."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.asked: list[tuple[str, bytes, bytes]] = []

    async def check(self, address: str, hash: bytes, signature: bytes) -> Verdict:
        self.asked.append((address, hash, signature))
        return self.verdict


async def attempt(signature: bytes, chain: Chain | None) -> Proof:
    check = None if chain is None else chain.check
    return await verify(address=KEY.address, chain_id=10, message=MESSAGE, signature=signature, check=check)


async def test_a_keys_signature_asks_no_chain() -> None:
    chain = Chain(Verdict.INVALID)
    assert await attempt(sign(), chain) is Proof.KEY
    assert await attempt(sign(), None) is Proof.KEY
    assert chain.asked == []


async def test_what_no_key_signed_is_what_the_contract_says() -> None:
    chain = Chain(Verdict.VALID)
    assert await attempt(b"anything", chain) is Proof.CONTRACT
    assert chain.asked == [(KEY.address, message_hash(MESSAGE), b"anything")]
    with pytest.raises(Unauthenticated, match="does not accept the signature"):
        await attempt(b"anything", Chain(Verdict.INVALID))


async def test_without_a_contract_the_flaw_of_the_signature_is_named() -> None:
    nobody = Chain(Verdict.NO_CONTRACT)
    with pytest.raises(Unauthenticated, match=r"is not one by 0x.* no contract at 0x.* on chain 10"):
        await attempt(sign(key=OTHER), nobody)
    with pytest.raises(Unauthenticated, match="has 8 bytes"):
        await attempt(b"anything", nobody)
    r, s, v = split(sign())
    with pytest.raises(Unauthenticated, match="malleable"):
        await attempt(join(r, ORDER - s, 55 - v), nobody)


async def test_where_no_chain_can_be_asked_contract_wallets_are_told_so() -> None:
    for signature in (sign(key=OTHER), b"anything"):
        with pytest.raises(Unauthenticated, match="no RPC URL of that chain"):
            await attempt(signature, None)
