"""The file that an event names, checked before a tool sees it.

A feedback, a response and a validation request name a file and may name its keccak-256; content is given only when
that hash, or the URI itself, vouches for it. Content without anything that vouches for it is left out, never given.
"""

import base64
from collections.abc import Mapping
from typing import Any

from eth_hash.auto import keccak

from agentauri.channels.files import Files
from agentauri.errors import Unobtainable

FILE_FIELDS = (("feedback_uri", "feedback_hash"), ("response_uri", "response_hash"), ("request_uri", "request_hash"))
ZERO = "0" * 64


def file_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """The URI and the hash (hex digits, "" where there is none) of the file that an event names; "" and "": none."""
    data = event.get("data")
    if not isinstance(data, Mapping):
        return "", ""
    for uri_name, hash_name in FILE_FIELDS:
        uri = data.get(uri_name)
        if isinstance(uri, str) and uri.strip():
            digest = data.get(hash_name)
            text = digest.lower().removeprefix("0x") if isinstance(digest, str) else ""
            return uri.strip(), "" if text == ZERO else text
    return "", ""


async def verified_content(files: Files, event: Mapping[str, Any], *, is_strict: bool) -> str | None:
    """The content of the event's file; None where it names none, or nothing vouches for what it names.

    ``is_strict``: content that is not what the event's hash says is Unobtainable, finally; else it counts as content
    that nothing vouches for. Raises what ``Files.fetch`` raises.
    """
    uri, digest = file_of(event)
    if not uri:
        return None
    if not digest and uri.lower().startswith(("https:", "http:")):
        return None  # nothing could tell whether it is the right one
    found = await files.fetch(uri)
    if not digest:
        return as_text(found.content)
    actual = keccak(found.content).hex()
    if actual == digest:
        return as_text(found.content)
    if is_strict:
        raise Unobtainable(f"the file's keccak-256 is 0x{actual}, but the event says 0x{digest[:64]}.")
    return None


def as_text(content: bytes) -> str:
    """Content as a JSON string can hold it whole: UTF-8 as it is, anything else as a ``data:`` URI."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"
