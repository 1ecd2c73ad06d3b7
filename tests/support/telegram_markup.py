"""What the Bot API makes of MarkdownV2 and HTML, after its documentation: the text that is shown, and its entities.

Written apart from what it judges, and stricter than Telegram where the documentation is: an entity within code, a
link without an address, a lone backtick in a block of code are errors here. Offsets and lengths are UTF-16 units.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser


class CannotParse(Exception):
    """The Bot API would answer 400: can't parse entities."""


@dataclass(frozen=True, order=True)
class Found:
    """One entity."""

    offset: int
    length: int
    type: str
    argument: str = ""


@dataclass
class Parsed:
    """What is shown."""

    text: str = ""
    entities: list[Found] = field(default_factory=list)

    @property
    def units(self) -> int:
        return len(self.text.encode("utf-16-le")) // 2


RESERVED = set("_*[]()~`>#+-=|{}.!")
MARKS = [("||", "spoiler"), ("__", "underline"), ("_", "italic"), ("*", "bold"), ("~", "strikethrough")]


class MarkdownV2:
    """A parser of one text. ``parse`` raises CannotParse."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.parsed = Parsed()
        self.open: list[tuple[str, int, int]] = []
        """Type, offset, and the place in the source where it began."""
        self.quote: int | None = None
        self.line_start = True

    def parse(self) -> Parsed:
        while self.at < len(self.source):
            self.step()
        if self.quote is not None:
            self.end_quote("blockquote")
        if self.open:
            raise CannotParse(f"Can't find end of {self.open[-1][0]} entity at offset {self.open[-1][2]}")
        self.parsed.entities.sort(key=lambda one: (one.offset, -one.length, one.type))
        return self.parsed

    def sees(self, mark: str) -> bool:
        return self.source.startswith(mark, self.at)

    def show(self, text: str) -> None:
        self.parsed.text += text
        self.line_start = text == "\n"

    def step(self) -> None:
        char = self.source[self.at]
        if char == "\\" and self.at + 1 < len(self.source) and 1 <= ord(self.source[self.at + 1]) <= 126:
            self.show(self.source[self.at + 1])
            self.line_start = False
            self.at += 2
        elif char == "\n":
            self.newline()
        elif char == ">" and self.line_start and self.quote is None and not self.open:
            self.quote = self.parsed.units
            self.line_start = False
            self.at += 1
        elif char in RESERVED:
            self.markup(char)
        else:
            self.show(char)
            self.at += 1

    def newline(self) -> None:
        self.at += 1
        if self.quote is None:
            self.show("\n")
        elif self.sees(">"):
            self.at += 1
            self.show("\n")
            self.line_start = False
        else:
            self.end_quote("blockquote")
            self.show("\n")

    def end_quote(self, kind: str) -> None:
        if self.open:
            raise CannotParse(f"Can't find end of {self.open[-1][0]} entity in a quote")
        assert self.quote is not None
        self.add(kind, self.quote)
        self.quote = None

    def add(self, kind: str, offset: int, argument: str = "") -> None:
        length = self.parsed.units - offset
        if length:
            self.parsed.entities.append(Found(offset, length, kind, argument))

    def markup(self, char: str) -> None:
        top = self.open[-1][0] if self.open else None
        if char == "`":
            self.code()
            return
        if top in ("link", "custom_emoji") and char == "]":
            self.link()
            return
        for mark, kind in MARKS:
            if self.sees(mark):
                if mark == "||" and top != "spoiler" and self.ends_quote():
                    self.at += 2
                    self.end_quote("expandable_blockquote")
                    return
                self.at += len(mark)
                if top == kind:
                    self.add(*self.open.pop()[:2])
                else:
                    self.open.append((kind, self.parsed.units, self.at))
                return
        if self.sees("[") or self.sees("!["):
            if any(kind in ("link", "custom_emoji") for kind, _, _ in self.open):
                raise CannotParse("links can't contain each other")
            kind = "link" if char == "[" else "custom_emoji"
            self.at += 1 if char == "[" else 2
            self.open.append((kind, self.parsed.units, self.at))
            return
        raise CannotParse(f"Character {char!r} is reserved and must be escaped with the preceding '\\' at {self.at}")

    def ends_quote(self) -> bool:
        return self.quote is not None and self.source[self.at + 2 : self.at + 3] in ("", "\n")

    def raw(self, end: str) -> str:
        """Text up to ``end``, which is taken too."""
        found = ""
        while not self.sees(end):
            if self.at >= len(self.source):
                raise CannotParse(f"Can't find {end!r}")
            char = self.source[self.at]
            if char == "`" and end != ")":
                raise CannotParse("a backtick in code must be escaped")
            if char == "\\" and self.at + 1 < len(self.source) and 1 <= ord(self.source[self.at + 1]) <= 126:
                self.at += 1
                char = self.source[self.at]
            found += char
            self.at += 1
        self.at += len(end)
        return found

    def code(self) -> None:
        offset = self.parsed.units
        if not self.sees("```"):
            self.at += 1
            self.show(self.raw("`"))
            self.line_start = False
            self.add("code", offset)
            return
        self.at += 3
        language = re.compile(r"[^\s`]+(?=[\s])").match(self.source, self.at)
        if language:
            self.at = language.end()
        if self.sees("\n"):
            self.at += 1
        self.show(self.raw("```"))
        self.line_start = False
        self.add("pre", offset, language[0] if language else "")

    def link(self) -> None:
        kind, offset, _ = self.open.pop()
        self.at += 1
        if not self.sees("("):
            raise CannotParse("a link needs an address")
        self.at += 1
        address = self.raw(")")
        if kind == "custom_emoji" and not address.startswith("tg://"):
            raise CannotParse("Custom emoji entity must contain a tg://emoji URL")
        self.add("text_link" if kind == "link" else kind, offset, address)


TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "span": "spoiler", "a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote",
    "tg-emoji": "custom_emoji", "tg-time": "date_time",
}  # fmt: skip


class Html(HTMLParser):
    """A parser of one text. ``parse`` raises CannotParse."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        self.source = source
        self.parsed = Parsed()
        self.open: list[tuple[str, int, dict[str, str | None]]] = []

    def parse(self) -> Parsed:
        if re.search(r"&(?!(?:lt|gt|amp|quot|#[0-9]+|#x[0-9a-fA-F]+);)", self.source):
            raise CannotParse("an & that is no entity")
        if re.search(r"<(?!/?[a-z])", self.source) or self.source.count("<") != self.source.count(">"):
            raise CannotParse("a < or > that is no tag")
        self.feed(self.source)
        self.close()
        if self.open:
            raise CannotParse(f"Can't find end tag corresponding to start tag {self.open[-1][0]}")
        self.parsed.entities.sort(key=lambda one: (one.offset, -one.length, one.type))
        return self.parsed

    def handle_data(self, data: str) -> None:
        self.parsed.text += data

    def handle_entityref(self, name: str) -> None:
        self.parsed.text += {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[name]

    def handle_charref(self, name: str) -> None:
        self.parsed.text += chr(int(name[1:], 16) if name[0] in "xX" else int(name))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in TAGS or (tag == "span" and given.get("class") != "tg-spoiler"):
            raise CannotParse(f'Unsupported start tag "{tag}"')
        kinds = [one[0] for one in self.open]
        if ("code" in kinds or "pre" in kinds) and not (kinds[-1] == "pre" and tag == "code"):
            raise CannotParse("code can't contain entities")
        if tag in ("a", "blockquote") and tag in kinds:
            raise CannotParse(f"{tag} can't contain itself")
        self.open.append((tag, self.parsed.units, given))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            raise CannotParse(f"Unmatched end tag {tag}")
        name, offset, given = self.open.pop()
        kind = "expandable_blockquote" if "expandable" in given else TAGS[name]
        argument = given.get("href") or given.get("emoji-id") or given.get("unix") or ""
        if name == "code" and self.open and self.open[-1][0] == "pre":
            outer = self.open[-1]
            outer[2]["language"] = (given.get("class") or "").removeprefix("language-")
            return
        argument = given.get("language") or argument
        length = self.parsed.units - offset
        if length:
            self.parsed.entities.append(Found(offset, length, kind, argument))


def parse(text: str, parse_mode: str | None) -> Parsed:
    """What is shown of a message. Raises CannotParse."""
    match parse_mode:
        case "MarkdownV2":
            return MarkdownV2(text).parse()
        case "HTML":
            return Html(text).parse()
        case None:
            return Parsed(text)
        case _:
            raise CannotParse(f"unsupported parse_mode {parse_mode}")
