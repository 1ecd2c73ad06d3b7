"""Addresses of links: which texts are taken for one, and which a message may lead to.

What the chain says can become a link to the web and to nothing else; other addresses have to stand in the template
itself. Pure.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from agentauri.channels.telegram.markup import Kind, Leaf
from agentauri.channels.templates import url_part
from agentauri.models.place import MAX_URL_LENGTH
from agentauri.models.template import Placeholder

ADDRESS = re.compile(
    r"(?:https?|tg|ton)://\S+|mailto:\S+|[^\s/:?#@.]+(?:\.[^\s/:?#@.]+)*\.[a-z]{2,}(?:[/:?#]\S*)?", re.I
)
WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
LIVE = re.compile(r"tg://(?:emoji\?id=\d{1,20}|time\?unix=\d{1,12}(?:&format=(?:r|w?[dD]?[tT]?))?)")
URL_SAFE = "%/:?#[]@!$&'()*+,;=~"


def is_address(text: str) -> bool:
    """Whether this can be the address of a link, as far as a template shows it."""
    return ADDRESS.fullmatch(text) is not None


def is_live(text: str) -> bool:
    """Whether this is the address of a custom emoji or a time."""
    return LIVE.fullmatch(text) is not None


def filled(kind: Kind, argument: Sequence[Leaf], value_of: Callable[[Placeholder], str]) -> str | None:
    """The address with its values; None where it leads nowhere, and the text has to stand alone.

    A value that begins an address is a whole one; any other is a part, and percent-encoded.
    """
    parts: list[str] = []
    for place, leaf in enumerate(argument):
        if isinstance(leaf, str):
            parts.append(leaf)
        elif place == 0:
            whole = value_of(leaf)
            if not WEB.match(whole):
                return None
            parts.append(quote(whole, safe=URL_SAFE))
        else:
            parts.append(url_part(value_of(leaf)))
    address = "".join(parts)
    if len(address) > MAX_URL_LENGTH:
        return None
    return address if (is_live(address) if kind is Kind.LIVE else is_address(address)) else None
