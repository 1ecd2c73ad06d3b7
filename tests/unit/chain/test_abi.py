"""The ABI reader against eth-abi, on what eth-abi encodes and on what nobody encoded."""

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain import abi
from agentauri.chain.layouts import TYPES
from agentauri.errors import DecodeError

VALUES = {
    "uint256": st.integers(0, 2**256 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "uint8": st.integers(0, 255),
    "int128": st.integers(-(2**127), 2**127 - 1),
    "bool": st.booleans(),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=200),
}
TYPED = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6)


def read(types: list[str], data: bytes) -> list[object]:
    heads = abi.WORD * len(types)
    return [TYPES[kind][1](data, abi.WORD * place, heads) for place, kind in enumerate(types)]


def as_read(kind: str, value: object) -> object:
    return "0x" + value.hex() if kind == "bytes32" and isinstance(value, bytes) else value


@given(st.data())
def test_what_eth_abi_encodes_is_read_back(data: st.DataObject) -> None:
    types = data.draw(TYPED)
    values = [data.draw(VALUES[kind]) for kind in types]

    assert read(types, encode(types, values)) == [as_read(*pair) for pair in zip(types, values, strict=True)]


@given(TYPED, st.binary(max_size=400))
def test_foreign_bytes_are_read_as_eth_abi_reads_them_or_refused(types: list[str], data: bytes) -> None:
    try:
        found = read(types, data)
    except DecodeError:
        with pytest.raises((DecodingError, OverflowError)):
            decode(types, data, strict=False)
        return
    assert found == [as_read(*pair) for pair in zip(types, decode(types, data, strict=False), strict=True)]


@given(st.data())
def test_a_cut_encoding_is_refused(data: st.DataObject) -> None:
    text = data.draw(st.binary(min_size=1, max_size=100))
    whole = encode(["uint256", "bytes"], [1, text])
    cut = data.draw(st.integers(0, 3 * abi.WORD + len(text) - 1))

    with pytest.raises(DecodeError):
        read(["uint256", "bytes"], whole[:cut])


@pytest.mark.parametrize("offset", [0, 31, 2**255, 2**256 - 1])
def test_an_offset_into_the_heads_or_beyond_the_data_is_refused(offset: int) -> None:
    with pytest.raises(DecodeError):
        read(["bytes"], offset.to_bytes(32) + bytes(64))


def test_a_number_beyond_its_type_is_refused() -> None:
    with pytest.raises(DecodeError, match="uint8"):
        read(["uint8"], (256).to_bytes(32))


def test_a_bool_of_two_is_refused() -> None:
    with pytest.raises(DecodeError, match="bool"):
        read(["bool"], (2).to_bytes(32))


def test_an_address_with_more_than_20_bytes_is_refused() -> None:
    with pytest.raises(DecodeError, match="address"):
        read(["address"], (2**160).to_bytes(32))


@pytest.mark.parametrize(
    "address",
    [  # the examples of EIP-55
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    ],
)
def test_addresses_come_in_checksum_form(address: str) -> None:
    assert abi.checksum(bytes.fromhex(address[2:])) == address
