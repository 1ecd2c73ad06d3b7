"""Excerpts are bounded, clean and whole in their characters, whatever bytes came."""

from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.excerpt import clean, excerpt


@given(st.binary(max_size=6000) | st.text(max_size=3000).map(lambda text: text.encode(errors="surrogatepass")))
def test_excerpt_can_be_stored(body: bytes) -> None:
    text = excerpt(body)
    assert len(text.encode()) <= 2048
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text)


def test_cut_falls_between_characters() -> None:
    assert clean("ü" * 10, 5) == "üü"


def test_line_breaks_become_blanks() -> None:
    assert clean("a\r\n\tb\0c", 100) == "a bc"
