"""Telegram's MarkdownV2: templates are read from it leniently, messages are written in it strictly.

What Telegram would take as it stands keeps its meaning. In any other text, whole entities are entities, an escaped
character is that character, and everything else is meant as it is written: a lone ``*`` is an asterisk. What
``write`` gives always parses, and shows exactly the tree that it was given.
https://core.telegram.org/bots/api#markdownv2-style
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentauri.channels.telegram.links import is_address, is_live
from agentauri.channels.telegram.markup import (
    ADDRESSED,
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
    joined,
)
from agentauri.models.place import MAX_URL_LENGTH

MAX_DEPTH = 32
"""So many entities can be open at once; what begins beyond that is text."""
MAX_ADDRESS = 2 * MAX_URL_LENGTH
RESERVED = re.compile(r"[_*\[\]()~`>#+\-=|{}.!\\]")
TOKEN = re.compile(r"\\[\x01-\x7e]|!\[|__|\|\||```|[_*\[\]()~`>#+\-=|{}.!\n\\\0]")
CODE = re.compile(r"`((?:[^`\\]|\\[\x01-\x7e]?+)*+)`")
PRE = re.compile(r"```((?:[^`\\]|\\[\x01-\x7e]?+|`(?!``))*+)```")
TO_PARENTHESIS = re.compile(r"(?:[^)\\]|\\[\x01-\x7e]?+)*+")
LANGUAGE = re.compile(r"([^\s`\\\0]+)(?=\s)")
ESCAPED = re.compile(r"\\([\x01-\x7e])")
IN_CODE = re.compile(r"[`\\]")
IN_ADDRESS = re.compile(r"[)\\]")
QUOTE = re.compile(r"(?:\*\*)?>")
DELIMITERS = {
    "*": Kind.BOLD, "_": Kind.ITALIC, "__": Kind.UNDERLINE, "~": Kind.STRIKE, "||": Kind.SPOILER,
}  # fmt: skip
MARKS = {kind: mark for mark, kind in DELIMITERS.items()}


class _NotStrict(Exception):
    """Telegram would refuse this."""


@dataclass(slots=True)
class _Open:
    """An entity whose end was not seen yet. ``mark``: what it began with."""

    kind: Kind | None
    mark: str
    branch: Branch = field(default_factory=Branch)


def read(source: Source) -> tuple[Node, ...]:
    """The tree of a template's text. Every text has one."""
    try:
        return _Reader(source, strict=True).read()
    except _NotStrict:
        return _Reader(source, strict=False).read()


class _Reader:
    """One pass over a text. Open entities are a stack; what of it never ends turns into the text that it was.

    Strict: only the innermost entity can end, as Telegram reads. Else the end of an outer one is taken for it, and
    what began within it was text.
    """

    def __init__(self, source: Source, *, strict: bool, in_quote: bool = False) -> None:
        self._source = source
        self._text = source.text
        self._strict = strict
        self._in_quote = in_quote
        self._stack = [_Open(None, "")]
        self._parenthesis = 0
        self.expandable = False

    def read(self) -> tuple[Node, ...]:
        at = self._quote(0)
        while (found := TOKEN.search(self._text, at)) is not None:
            self._add(self._text[at : found.start()])
            at = self._token(found[0], found.start())
        self._add(self._text[at:])
        self._give_up(1)
        return tuple(self._stack[0].branch.nodes)

    def _add(self, *nodes: Node) -> None:
        self._stack[-1].branch.add(*nodes)

    def _literal(self, text: str, at: int) -> int:
        """A reserved character that is no markup: text, but not to Telegram."""
        if self._strict:
            raise _NotStrict
        self._add(text)
        return at + len(text)

    def _token(self, token: str, at: int) -> int:
        """Deal with what was found; returns where to go on."""
        match token:
            case "\0":
                self._add(self._source.holes[at])
                return at + 1
            case "\n":
                self._add(token)
                return self._quote(at + 1)
            case "\\":
                self._add(token)
                return at + 1
            case "`" | "```":
                return self._raw(token, at)
            case "[" | "![":
                return self._open(Kind.LIVE if token == "![" else Kind.LINK, token, at)
            case "]":
                return self._end_of_link(at)
            case "*" | "_" | "__" | "~" | "||":
                return self._delimiter(token, at)
            case _ if token[0] == "\\":
                self._add(token[1])
                return at + 2
            case _:
                return self._literal(token, at)

    # -- bold and its like --------------------------------------------------------------------------------------------

    def _delimiter(self, mark: str, at: int) -> int:
        if mark == "||" and self._ends_quote(at):
            self.expandable = True
            return at + 2
        if mark == "__" and not self._strict and self._is_italic_end(at):
            mark = "_"
        place = self._find(DELIMITERS[mark])
        if place is None:
            return self._open(DELIMITERS[mark], mark, at)
        self._give_up(place + 1)
        ended = self._stack.pop()
        self._add(Entity(DELIMITERS[mark], tuple(ended.branch.nodes)))
        return at + len(mark)

    def _open(self, kind: Kind, mark: str, at: int) -> int:
        if len(self._stack) > MAX_DEPTH:
            return self._literal(mark, at)
        self._stack.append(_Open(kind, mark))
        return at + len(mark)

    def _find(self, *kinds: Kind) -> int | None:
        """Where on the stack an entity of these kinds is open and may end here."""
        first = len(self._stack) - 1 if self._strict else 1
        places = range(len(self._stack) - 1, max(first, 1) - 1, -1)
        return next((place for place in places if self._stack[place].kind in kinds), None)

    def _is_italic_end(self, at: int) -> bool:
        """Whether ``___`` ends an italic text within an underlined one, and not the other way round."""
        kinds = [one.kind for one in self._stack]
        return self._text.startswith("___", at) and kinds[-1] is Kind.ITALIC and Kind.UNDERLINE in kinds

    def _ends_quote(self, at: int) -> bool:
        at_end = self._in_quote and at + 2 == len(self._text)
        return at_end and all(one.kind is not Kind.SPOILER for one in self._stack)

    def _give_up(self, depth: int) -> None:
        """What is open at ``depth`` and deeper was text."""
        while len(self._stack) > depth:
            if self._strict:
                raise _NotStrict
            self._forget(len(self._stack) - 1)

    def _forget(self, place: int) -> None:
        """One open entity was text; what is open within it stays so."""
        was = self._stack.pop(place)
        self._stack[place - 1].branch.add(was.mark, *was.branch.nodes)

    # -- code and links -----------------------------------------------------------------------------------------------

    def _raw(self, mark: str, at: int) -> int:
        found = (PRE if mark == "```" else CODE).match(self._text, at)
        if found is None:
            return self._literal(mark, at)
        start, end = found.span(1)
        language: tuple[Leaf, ...] = ()
        if mark == "```":
            if self._strict and "`" in ESCAPED.sub("", found[1]):
                raise _NotStrict
            named = LANGUAGE.match(self._text, start, end)
            if named is not None:
                language, start = (named[1],), named.end()
            start += self._text.startswith("\n", start, end)
        inside = _unescaped(self._source.part(start, end)).leaves()
        if inside:
            self._add(Entity(Kind.PRE if mark == "```" else Kind.CODE, inside, language))
        return found.end()

    def _end_of_link(self, at: int) -> int:
        place = self._find(*ADDRESSED)
        if place is None:
            return self._literal("]", at)
        end = self._end_of_address(at + 1)
        address = None if end is None else _unescaped(self._source.part(at + 2, end))
        kind = self._kind_of_link(place, address)
        if end is None or address is None or kind is None:
            self._literal("", at)
            self._forget(place)
            return self._literal("]", at)
        self._give_up(place + 1)
        ended = self._stack.pop()
        if ended.kind is Kind.LIVE and kind is Kind.LINK:
            self._add("!")
        self._add(Entity(kind, tuple(ended.branch.nodes), address.leaves()))
        self._forget_outer_links()
        return end + 1

    def _end_of_address(self, at: int) -> int | None:
        """Where the address that begins at ``at`` has its closing parenthesis. Every stretch is looked through once."""
        if not self._text.startswith("(", at):
            return None
        if self._parenthesis <= at:
            found = TO_PARENTHESIS.match(self._text, at + 1)
            self._parenthesis = found.end() if found else len(self._text)
        end = self._parenthesis
        return end if end < len(self._text) and end - at <= MAX_ADDRESS else None

    def _kind_of_link(self, place: int, address: Source | None) -> Kind | None:
        """What ends here; None: brackets that are text, for no address follows them."""
        if address is None:
            return None
        if self._stack[place].kind is Kind.LIVE:
            if is_live(address.text.replace(HOLE, "0")):
                return Kind.LIVE
            if self._strict:
                raise _NotStrict
        return Kind.LINK if address.text.startswith(HOLE) or is_address(address.text) else None

    def _forget_outer_links(self) -> None:
        """No link holds another one: brackets around a link are text."""
        for place in range(len(self._stack) - 1, 0, -1):
            if self._stack[place].kind in ADDRESSED:
                if self._strict:
                    raise _NotStrict
                self._forget(place)

    # -- quotes -------------------------------------------------------------------------------------------------------

    def _quote(self, at: int) -> int:
        """A quote that begins with the line at ``at``, if one does; returns where it ends."""
        found = None if self._in_quote else QUOTE.match(self._text, at)
        if found is None:
            return at
        self._give_up(1)
        lines: list[Source] = []
        start = found.end()
        while True:
            end = self._text.find("\n", start)
            end = len(self._text) if end < 0 else end
            lines.append(self._source.part(start, end))
            if not self._text.startswith("\n>", end):
                break
            lines.append(Source("\n", {}))
            start = end + 2
        inner = _Reader(joined(lines), strict=self._strict, in_quote=True)
        nodes = inner.read()
        self._add(Entity(Kind.EXPANDABLE if inner.expandable else Kind.QUOTE, nodes))
        return end


def _unescaped(source: Source) -> Source:
    """The source without the backslashes that escape something."""
    parts: list[Source] = []
    at = 0
    for found in ESCAPED.finditer(source.text):
        parts += [source.part(at, found.start()), Source(found[1], {})]
        at = found.end()
    return joined([*parts, source.part(at, len(source.text))])


def escape(text: str) -> str:
    """A text as MarkdownV2 shows it."""
    return RESERVED.sub(r"\\\g<0>", text)


def write(nodes: Sequence[Shown]) -> str:
    """The tree as MarkdownV2."""
    writer = _Writer()
    writer.nodes(nodes)
    return "".join(writer.parts)


class _Writer:
    """``_`` right before ``__`` would be read the other way round: an empty entity is put between the two."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._stack: list[Kind] = []

    def nodes(self, nodes: Sequence[Shown]) -> None:
        before: list[Shown] = []
        for node in nodes:
            if isinstance(node, str):
                self._after_quote(before, node)
                self._put(self._text(node))
            elif node.kind in QUOTES:
                self._after_quote(before, "")
                self._quote(node, follows_quote=len(before) > 1 and before[-1] == "\n" and _is_quote(before[-2]))
            else:
                self._after_quote(before, "")
                self._entity(node)
            before.append(node)

    def _after_quote(self, before: list[Shown], text: str) -> None:
        """Whatever follows a quote stands on a line of its own, or it would be part of it."""
        if before and _is_quote(before[-1]) and not text.startswith("\n"):
            self._put("\n")

    def _put(self, text: str) -> None:
        if text:
            self.parts.append(text)

    def _text(self, text: str) -> str:
        escaped = escape(text)
        return escaped.replace("\n", "\n>") if QUOTES.intersection(self._stack) else escaped

    def _mark(self, mark: str) -> None:
        if mark.startswith("_") and self.parts and self.parts[-1] == "_":
            self._put("~~" if self._stack and self._stack[-1] is Kind.BOLD else "**")
        self._put(mark)

    def _quote(self, node: ShownEntity, *, follows_quote: bool) -> None:
        self._put("**>" if follows_quote else ">")
        self._stack.append(node.kind)
        self.nodes(node.children)
        self._stack.pop()
        if node.kind is Kind.EXPANDABLE:
            self._put("||")

    def _entity(self, node: ShownEntity) -> None:
        if node.kind in RAW:
            inside = "".join(child for child in node.children if isinstance(child, str))
            inside = IN_CODE.sub(r"\\\g<0>", inside)
            self._put(f"`{inside}`" if node.kind is Kind.CODE else f"```{node.argument}\n{inside}```")
        elif node.kind in ADDRESSED:
            self._put("![" if node.kind is Kind.LIVE else "[")
            self._inside(node)
            address = IN_ADDRESS.sub(r"\\\g<0>", node.argument)
            self._put(f"]({address})")
        else:
            self._mark(MARKS[node.kind])
            self._inside(node)
            self._mark(MARKS[node.kind])

    def _inside(self, node: ShownEntity) -> None:
        self._stack.append(node.kind)
        self.nodes(node.children)
        self._stack.pop()


def _is_quote(node: Shown) -> bool:
    return isinstance(node, ShownEntity) and node.kind in QUOTES
