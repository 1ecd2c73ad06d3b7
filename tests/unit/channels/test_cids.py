"""Content identifiers against known ones, and against bytes that are none."""

import hashlib
from base64 import b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.cids import RAW, parse_cid, parse_node
from agentauri.errors import Unobtainable

HELLO_V0 = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"
"""``ipfs add`` of "hello world" with a line's end."""
EMPTY_V0 = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"


def raw_cid(content: bytes) -> str:
    digest = bytes((1, RAW, 0x12, 32)) + hashlib.sha256(content).digest()
    return "b" + b32encode(digest).decode().lower().rstrip("=")


@pytest.mark.parametrize(("cid", "content"), [(HELLO_V0, b"hello world\n"), (EMPTY_V0, b""), (raw_cid(b"x"), b"x")])
def test_identifier_names_its_content_and_no_other(cid: str, content: bytes) -> None:
    assert parse_cid(cid).names_file(content)
    assert not parse_cid(cid).names_file(content + b"x")


@pytest.mark.parametrize("base", ["f", "F", "b"])
def test_bases_name_the_same_block(base: str) -> None:
    raw = bytes((1, RAW, 0x12, 32)) + hashlib.sha256(b"x").digest()
    text = raw_cid(b"x") if base == "b" else base + raw.hex()
    assert parse_cid(text).names(b"x")


@pytest.mark.parametrize(
    "text",
    [
        "", "Qm", "b", "hello", HELLO_V0[:-1], HELLO_V0 + "a", "Qm" + "0" * 44, "bafy", "f00", "b" * 500, "f01 55",
        "f01711220" + "00" * 31, "f0172" + "1220" + "00" * 32, "f0155" + "1b20" + "00" * 32, "é" * 46, "f0155/../x",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Unobtainable):
        parse_cid(text)


@given(st.binary(max_size=300))
def test_no_block_breaks_the_reader(block: bytes) -> None:
    try:
        parse_node(block)
    except Unobtainable:
        pass  # the one way out
