"""A message as a tree of texts and entities, whatever the parse mode that it was written in and will be sent in.

Templates are parsed into such a tree once, values are filled into its leaves, and only what comes out is written as
markup: so no value can open, close or break an entity, and a message that is too long is cut between characters and
with its entities closed. Lengths are those that Telegram counts: UTF-16 units of what is shown. Pure.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from agentauri.models.template import Placeholder, Text

MAX_UNITS = 4096
"""What Telegram shows of a text message, after its entities are parsed."""
ELLIPSIS = "…"
RESERVED_UNITS = 2
"""For the ellipsis, and a line break before it where it follows a quote."""
DROPPED_UNITS = 512
"""An entity that the cut falls into is left out whole unless it is longer than this; then it is cut, and closed."""
LOOKED_BACK = 32
HOLE = "\0"
"""What stands for a placeholder in a source; no text that was cleaned holds it."""
HOLES = re.compile(HOLE)
LINE_BREAKS = re.compile(r"\r\n?")
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
SURROGATES = re.compile(r"[\ud800-\udfff]")
JOINER = "\u200d"


class Kind(Enum):
    """What an entity is."""

    BOLD = auto()
    ITALIC = auto()
    UNDERLINE = auto()
    STRIKE = auto()
    SPOILER = auto()
    CODE = auto()
    PRE = auto()
    LINK = auto()
    LIVE = auto()
    """A custom emoji or a time: what is shown stands for what its tg:// address says."""
    QUOTE = auto()
    EXPANDABLE = auto()
    """A quote of which little is shown at first."""


QUOTES = frozenset({Kind.QUOTE, Kind.EXPANDABLE})
RAW = frozenset({Kind.CODE, Kind.PRE})
"""Entities that hold text alone."""
ADDRESSED = frozenset({Kind.LINK, Kind.LIVE})
"""Entities with an address, which cannot hold each other."""

Leaf: TypeAlias = str | Placeholder
Node: TypeAlias = "Leaf | Entity"
Shown: TypeAlias = "str | ShownEntity"


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of a template. ``argument``: the address of a link, the language of a block of code."""

    kind: Kind
    children: tuple[Node, ...]
    argument: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownEntity:
    """An entity of a message. Never empty."""

    kind: Kind
    children: tuple[Shown, ...]
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A template's text with ``HOLE`` for each placeholder, and which one stands where."""

    text: str
    holes: Mapping[int, Placeholder]

    def part(self, start: int, end: int) -> "Source":
        """The source between two places."""
        places = [found.start() for found in HOLES.finditer(self.text, start, end)]
        return Source(self.text[start:end], {place - start: self.holes[place] for place in places})

    def leaves(self) -> tuple[Leaf, ...]:
        """Texts and placeholders in order."""
        found: list[Leaf] = []
        done = 0
        for at in sorted(self.holes):
            found += [self.text[done:at], self.holes[at]]
            done = at + 1
        return tuple(leaf for leaf in (*found, self.text[done:]) if leaf != "")


def source_of(template: Text) -> Source:
    """A parsed template as markup is read from it."""
    text = ""
    holes: dict[int, Placeholder] = {}
    for part in template.parts:
        if isinstance(part, Placeholder):
            holes[len(text)] = part
            text += HOLE
        else:
            text += clean(part)
    return Source(text, holes)


def joined(parts: Sequence[Source]) -> Source:
    """Sources one after the other."""
    text = ""
    holes: dict[int, Placeholder] = {}
    for part in parts:
        holes |= {len(text) + at: hole for at, hole in part.holes.items()}
        text += part.text
    return Source(text, holes)


def clean(text: str) -> str:
    """A text as Telegram keeps it: line feeds alone end lines, and no other control character stands in it."""
    return SURROGATES.sub("\ufffd", CONTROLS.sub(" ", LINE_BREAKS.sub("\n", text)))


class Branch:
    """Children that are being collected; texts that follow each other become one."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, *nodes: Node) -> None:
        """Append."""
        for node in nodes:
            if node == "":
                continue
            if isinstance(node, str) and self.nodes and isinstance(self.nodes[-1], str):
                self.nodes[-1] += node
            else:
                self.nodes.append(node)


def texts(nodes: Sequence[Node]) -> tuple[Leaf, ...]:
    """The leaves of a tree: what is left of it where no entity can be."""
    found = Branch()
    for node in nodes:
        found.add(*(texts(node.children) if isinstance(node, Entity) else (node,)))
    return tuple(leaf for leaf in found.nodes if not isinstance(leaf, Entity))


def units(text: str) -> int:
    """Its length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def width(nodes: Sequence[Shown]) -> int:
    """The units that a tree shows."""
    return sum(units(node) if isinstance(node, str) else width(node.children) for node in nodes)


def shown_text(nodes: Sequence[Shown]) -> str:
    """What a tree shows."""
    return "".join(node if isinstance(node, str) else shown_text(node.children) for node in nodes)


def fitted(nodes: Sequence[Shown], most: int = MAX_UNITS) -> tuple[tuple[Shown, ...], bool]:
    """The tree with at most ``most`` units, and whether it was cut for that; then it ends in an ellipsis."""
    if width(nodes) <= most:
        return tuple(nodes), False
    return _cut(nodes, most - RESERVED_UNITS), True


def _cut(nodes: Sequence[Shown], left: int) -> tuple[Shown, ...]:
    kept: list[Shown] = []
    for node in nodes:
        wide = width((node,))
        if wide > left:
            kept += _begin(node, wide, left)
            break
        kept.append(node)
        left -= wide
    return tuple(kept)


def _begin(node: Shown, wide: int, left: int) -> tuple[Shown, ...]:
    """As much of a node as there is room for, and the ellipsis."""
    if isinstance(node, str):
        return (beginning(node, left) + ELLIPSIS,)
    if wide <= DROPPED_UNITS:
        return (ELLIPSIS,)
    return (ShownEntity(node.kind, _cut(node.children, left), node.argument),)


def beginning(text: str, most: int) -> str:
    """At most so many units of the beginning of a text, cut between what people see as characters."""
    found = text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
    end = len(found)
    for _ in range(LOOKED_BACK):
        if end == 0 or end == len(text) or not _belongs(text[end - 1], text[end]):
            return text[:end]
        end -= 1
    return found


def _belongs(before: str, after: str) -> bool:
    """Whether the second character changes how the first one looks."""
    is_tone = "\U0001f3fb" <= after <= "\U0001f3ff"
    return JOINER in (before, after) or is_tone or unicodedata.category(after) in ("Mn", "Me")
