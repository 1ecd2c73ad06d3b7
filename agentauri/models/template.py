"""Tenants' templates as data: ``{{path.to.name | filter:"argument"}}`` in text, and in the strings of a JSON value.

Parsing checks everything that can be checked before an event is there: form, names, filters, size. A parsed
template cannot fail for its form any more. Rendering and escaping are the channels' business
(``channels/templates.py``); no template language with expressions is behind this, so no text can run anything.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from agentauri.errors import TemplateError

MAX_SOURCE_BYTES = 16 * 1024
MAX_RESULT_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_FILTERS = 8
"""Of one value: each ``json`` of a text can double it."""

OPENING, CLOSING = "{{", "}}"
PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
FILTER = re.compile(r"""\s*\|\s*([a-z_]+)\s*(?::\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*)?""")
DATE_FORMAT = re.compile(r"(?:%[YmdHMSyjbBaApIZz%]|[^%]){1,64}")
"""Only directives of bounded width."""
ESCAPED = re.compile(r"\\(.)")


class FilterName(StrEnum):
    """What a value can be passed through."""

    DEFAULT = "default"
    UPPER = "upper"
    LOWER = "lower"
    SHORT = "short"
    DATE = "date"
    JSON = "json"


FILTERS = {kind.value: kind for kind in FilterName}
WITH_ARGUMENT = {FilterName.DEFAULT, FilterName.DATE}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; ``argument`` is "" for those without."""

    name: FilterName
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value to be filled in: where it is found, and what it passes through."""

    path: tuple[str, ...]
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A text with placeholders; ``whole`` when it is one placeholder and nothing else."""

    parts: tuple[str | Placeholder, ...]

    @property
    def whole(self) -> Placeholder | None:
        """The single placeholder that this text is, if it is one."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Placeholder) else None


JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonTemplate: TypeAlias = "bool | int | float | Text | list[JsonTemplate] | dict[str, JsonTemplate] | None"
Known: TypeAlias = Callable[[tuple[str, ...]], bool]
"""Says whether a path names something that templates can show."""


def parse_text(source: str, known: Known) -> Text:
    """Parse one text. Raises TemplateError with a sentence that quotes the part that is wrong."""
    if len(source.encode(errors="surrogatepass")) > MAX_SOURCE_BYTES:
        raise TemplateError(f"a template may have at most {MAX_SOURCE_BYTES} bytes.")
    parts: list[str | Placeholder] = []
    at = 0
    for start, end in _tags(source):
        _add_literal(parts, source[at:start])
        parts.append(_parse_tag(source[start + len(OPENING) : end - len(CLOSING)], known))
        at = end
    _add_literal(parts, source[at:])
    return Text(tuple(parts))


def _tags(source: str) -> Iterator[tuple[int, int]]:
    """Where tags begin and end. Found by hand: a regular expression looks for the end anew from every opening, which
    is seconds of work where there are thousands and no end."""
    end = 0
    while (start := source.find(OPENING, end)) >= 0:
        closing = source.find(CLOSING, start + len(OPENING))
        if closing < 0:
            return
        end = closing + len(CLOSING)
        yield start, end


def _add_literal(parts: list[str | Placeholder], literal: str) -> None:
    if OPENING in literal:
        raise TemplateError(f"{_quote(literal[literal.index(OPENING) :])} is not closed by }}}}.")
    if literal:
        parts.append(literal)


def _parse_tag(inside: str, known: Known) -> Placeholder:
    text = inside.strip()
    head = PATH.match(text)
    if head is None:
        raise TemplateError(f"{_quote('{{' + inside + '}}')} does not name a value, such as {{{{agent_id}}}}.")
    path = tuple(head[0].split("."))
    if not known(path):
        raise TemplateError(f"{_quote(head[0])} is not a name that templates know.")
    filters: list[Filter] = []
    at = head.end()
    while at < len(text):
        found = FILTER.match(text, at)
        if found is None:
            raise TemplateError(f'{_quote(text[at:])} is not a filter; write | upper or | default:"text".')
        filters.append(_parse_filter(found[1], found[2]))
        at = found.end()
    if len(filters) > MAX_FILTERS:
        raise TemplateError(f"{_quote(head[0])} passes through more than {MAX_FILTERS} filters.")
    return Placeholder(path, tuple(filters))


def _parse_filter(name: str, quoted: str | None) -> Filter:
    if name not in FILTERS:
        raise TemplateError(f"{_quote(name)} is not a filter; known are {', '.join(FILTERS)}.")
    kind = FILTERS[name]
    if (kind in WITH_ARGUMENT) != (quoted is not None):
        remedy = f'needs a text: {kind}:"…"' if kind in WITH_ARGUMENT else "takes no text"
        raise TemplateError(f"the filter {kind} {remedy}.")
    if kind is FilterName.DATE and quoted is not None and not DATE_FORMAT.fullmatch(quoted[1:-1]):
        raise TemplateError('the filter date needs a format of at most 64 characters, such as "%Y-%m-%d %H:%M".')
    return Filter(kind, ESCAPED.sub(r"\1", quoted[1:-1]) if quoted else "")


def parse_json(value: JsonValue, known: Known, depth: int = 0) -> JsonTemplate:
    """Parse the strings inside a JSON value; keys are taken as they are. Raises TemplateError."""
    if depth > MAX_DEPTH:
        raise TemplateError(f"a template may be nested at most {MAX_DEPTH} deep.")
    match value:
        case str():
            return parse_text(value, known)
        case dict():
            for key in value:
                if OPENING in key:
                    raise TemplateError(f"the key {_quote(key)} holds a template; only values can.")
            return {key: parse_json(item, known, depth + 1) for key, item in value.items()}
        case list():
            return [parse_json(item, known, depth + 1) for item in value]
        case _:
            return value


def _quote(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
