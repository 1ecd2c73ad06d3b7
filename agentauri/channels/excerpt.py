"""Makes what a receiver sent fit to be stored and shown: bounded, one line, without control characters."""

import re

EXCERPT_BYTES = 2048
MESSAGE_BYTES = 512
MAX_DECODED_BYTES = 4 * EXCERPT_BYTES
BLANKS = re.compile(r"[\t\n\r]+")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def excerpt(body: bytes) -> str:
    """At most 2 KB of UTF-8 of the beginning of a body, cut between characters."""
    return clean(body[:MAX_DECODED_BYTES].decode(errors="replace"), EXCERPT_BYTES)


def clean(text: str, max_bytes: int) -> str:
    """``text`` without control characters (line breaks become blanks), at most ``max_bytes`` of UTF-8."""
    shown = CONTROLS.sub("", BLANKS.sub(" ", text[:MAX_DECODED_BYTES]))
    return shown.encode()[:max_bytes].decode(errors="ignore")
