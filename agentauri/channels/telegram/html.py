"""Telegram's HTML: templates are read from it leniently, messages are written in it strictly.

Tags that Telegram knows are entities where they are closed, the four named and all numerical references stand for
their characters, and every other ``<``, ``>`` and ``&`` is meant as it is written. What ``write`` gives always
parses, and shows exactly the tree that it was given. https://core.telegram.org/bots/api#html-style
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentauri.channels.telegram.links import is_address, is_live
from agentauri.channels.telegram.markup import (
    HOLE,
    QUOTES,
    RAW,
    Branch,
    Entity,
    Kind,
    Leaf,
    Node,
    Shown,
    ShownEntity,
    Source,
    clean,
    joined,
    texts,
)

MAX_DEPTH = 32
TOKEN = re.compile(
    r"""<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z-]*+)
        (?P<attributes>(?:\s++[a-zA-Z-]++(?:\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[a-zA-Z0-9.-]++))?+)*+)\s*+>
    |&(?:(?P<entity>lt|gt|amp|quot)(?![a-zA-Z])|\#(?P<number>[0-9]{1,7}|x[0-9a-fA-F]{1,6})(?![0-9a-zA-Z]));?
    |\0""",
    re.VERBOSE,
)
ATTRIBUTE = re.compile(r"""([a-zA-Z-]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([a-zA-Z0-9.-]++)))?+""")
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
PLAIN_TAGS = {
    "b": Kind.BOLD, "strong": Kind.BOLD, "i": Kind.ITALIC, "em": Kind.ITALIC, "u": Kind.UNDERLINE,
    "ins": Kind.UNDERLINE, "s": Kind.STRIKE, "strike": Kind.STRIKE, "del": Kind.STRIKE, "tg-spoiler": Kind.SPOILER,
    "code": Kind.CODE, "pre": Kind.PRE,
}  # fmt: skip
WRITTEN = {
    Kind.BOLD: "b", Kind.ITALIC: "i", Kind.UNDERLINE: "u", Kind.STRIKE: "s", Kind.SPOILER: "tg-spoiler",
}  # fmt: skip
LANGUAGE = "language-"
TIME = re.compile(r"tg://time\?unix=(\d+)(?:&format=(\w+))?")


@dataclass(slots=True)
class _Open:
    """A tag that was not closed yet. ``source``: the tag as it was written."""

    name: str
    kind: Kind | None
    source: Source
    argument: tuple[Leaf, ...] = ()
    branch: Branch = field(default_factory=Branch)


def read(source: Source) -> tuple[Node, ...]:
    """The tree of a template's text. Every text has one."""
    return _Reader(source).read()


class _Reader:
    """One pass over a text. Open tags are a stack; one that is never closed turns into the text that it was."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stack = [_Open("", None, Source("", {}))]

    def read(self) -> tuple[Node, ...]:
        at = 0
        for found in TOKEN.finditer(self._source.text):
            self._add(self._source.text[at : found.start()])
            at = found.end()
            self._token(found)
        self._add(self._source.text[at:])
        self._give_up(1)
        return tuple(self._stack[0].branch.nodes)

    def _add(self, *nodes: Node) -> None:
        self._stack[-1].branch.add(*nodes)

    def _token(self, found: re.Match[str]) -> None:
        if found[0] == HOLE:
            self._add(self._source.holes[found.start()])
        elif found["name"] is None:
            self._add(_character(found))
        elif found["end"]:
            self._end(found)
        else:
            self._begin(found)

    def _begin(self, found: re.Match[str]) -> None:
        source = self._source.part(*found.span())
        opened = self._opened(found["name"].lower(), source)
        if opened is None or len(self._stack) > MAX_DEPTH:
            self._add(*source.leaves())
        else:
            self._stack.append(opened)

    def _opened(self, name: str, source: Source) -> _Open | None:
        """The tag as an entity that begins; None: Telegram does not know it."""
        attributes = _attributes(source)
        if name == "code":
            language = attributes.get("class", Source("", {})).text
            known = (language.removeprefix(LANGUAGE),) if re.fullmatch(rf"{LANGUAGE}[^\s\0<>\"`]+", language) else ()
            return _Open(name, Kind.CODE, source, known)
        if name in PLAIN_TAGS:
            return _Open(name, PLAIN_TAGS[name], source)
        if name == "span" and attributes.get("class", Source("", {})).text == "tg-spoiler":
            return _Open(name, Kind.SPOILER, source)
        if name == "blockquote":
            return _Open(name, Kind.EXPANDABLE if "expandable" in attributes else Kind.QUOTE, source)
        address = _address(name, attributes)
        if address is None:
            return None
        return _Open(name, Kind.LINK if name == "a" else Kind.LIVE, source, address.leaves())

    def _end(self, found: re.Match[str]) -> None:
        name = found["name"].lower()
        places = range(len(self._stack) - 1, 0, -1)
        place = next((place for place in places if self._stack[place].name == name), None)
        if place is None or found["attributes"]:
            self._add(*self._source.part(*found.span()).leaves())
            return
        self._give_up(place + 1)
        ended = self._stack.pop()
        self._close(ended)

    def _close(self, ended: _Open) -> None:
        nodes, argument = tuple(ended.branch.nodes), ended.argument
        around = {one.kind for one in self._stack}
        assert ended.kind is not None
        if ended.kind in RAW:
            if ended.kind is Kind.PRE and len(nodes) == 1 and isinstance(nodes[0], Entity):
                argument = nodes[0].argument if nodes[0].kind is Kind.CODE else ()
            nodes = texts(nodes)
            if ended.kind is Kind.CODE and Kind.PRE not in around:
                argument = ()
        elif (ended.kind in QUOTES and around & QUOTES) or (ended.kind is Kind.LINK and Kind.LINK in around):
            self._add(*nodes)  # neither can stand in another one: the outer one holds for all
            return
        self._add(Entity(ended.kind, nodes, argument))

    def _give_up(self, depth: int) -> None:
        """Tags that are open at ``depth`` and deeper were text."""
        while len(self._stack) > depth:
            was = self._stack.pop()
            self._add(*was.source.leaves(), *was.branch.nodes)


def _attributes(source: Source) -> dict[str, Source]:
    """The attributes of a start tag."""
    found: dict[str, Source] = {}
    start = re.match(r"<[a-zA-Z-]+", source.text)
    for one in ATTRIBUTE.finditer(source.text, start.end() if start else 0):
        group = next((number for number in (2, 3, 4) if one[number] is not None), None)
        found[one[1].lower()] = _decoded(source.part(*one.span(group))) if group else Source("", {})
    return found


def _decoded(source: Source) -> Source:
    """The source with its references replaced by what they stand for."""
    parts: list[Source] = []
    at = 0
    for found in TOKEN.finditer(source.text):
        if found["entity"] or found["number"]:
            parts += [source.part(at, found.start()), Source(_character(found), {})]
            at = found.end()
    return joined([*parts, source.part(at, len(source.text))])


def _character(found: re.Match[str]) -> str:
    if found["entity"]:
        return NAMED[found["entity"]]
    number = found["number"]
    code = int(number[1:], 16) if number.startswith("x") else int(number)
    return clean(chr(code)) if 0 < code < 0x10FFFF else found[0]


def _address(name: str, attributes: dict[str, Source]) -> Source | None:
    """Where a tag leads; None where it is none that leads anywhere."""
    if name == "a":
        address = attributes.get("href", Source("", {}))
        return address if address.text.startswith(HOLE) or is_address(address.text) else None
    if name == "tg-emoji":
        address = joined([Source("tg://emoji?id=", {}), attributes.get("emoji-id", Source("", {}))])
    elif name == "tg-time":
        form = attributes.get("format")
        parts = [Source("tg://time?unix=", {}), attributes.get("unix", Source("", {}))]
        address = joined([*parts, Source("&format=", {}), form] if form else parts)
    else:
        return None
    return address if is_live(address.text.replace(HOLE, "0")) else None


def escape(text: str) -> str:
    """A text as HTML shows it."""
    return html.escape(text, quote=False)


def write(nodes: Sequence[Shown]) -> str:
    """The tree as HTML."""
    return "".join(escape(node) if isinstance(node, str) else _written(node) for node in nodes)


def _written(node: ShownEntity) -> str:
    inside, argument = write(node.children), html.escape(node.argument)
    match node.kind:
        case Kind.LINK:
            return f'<a href="{argument}">{inside}</a>'
        case Kind.LIVE:
            return _live(node.argument, inside)
        case Kind.CODE:
            return f"<code>{inside}</code>"
        case Kind.PRE:
            coded = f'<code class="{LANGUAGE}{argument}">{inside}</code>' if argument else inside
            return f"<pre>{coded}</pre>"
        case Kind.QUOTE:
            return f"<blockquote>{inside}</blockquote>"
        case Kind.EXPANDABLE:
            return f"<blockquote expandable>{inside}</blockquote>"
        case _:
            return f"<{WRITTEN[node.kind]}>{inside}</{WRITTEN[node.kind]}>"


def _live(address: str, inside: str) -> str:
    time = TIME.fullmatch(address)
    if time is None:
        return f'<tg-emoji emoji-id="{address.partition("=")[2]}">{inside}</tg-emoji>'
    form = f' format="{time[2]}"' if time[2] else ""
    return f'<tg-time unix="{time[1]}"{form}>{inside}</tg-time>'
