"""Fills parsed templates with the values of a delivery, escaped for where they go.

One pass: what a value contains is never expanded again. JSON is built as objects, so no value can break out of its
string; in URLs values are percent-encoded. Work and result are bounded by 64 KiB whatever a value's size. Parsing
and checking: ``models/template.py``.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, assert_never
from urllib.parse import quote

import orjson

from agentauri.errors import TemplateError
from agentauri.models.fields import find_field
from agentauri.models.template import MAX_RESULT_BYTES, Filter, FilterName, JsonTemplate, JsonValue, Placeholder, Text
from agentauri.models.template_names import FILE_CONTENT, SHORT_NAMES

Escape: TypeAlias = Callable[[str], str]
Values: TypeAlias = Mapping[str, Any]
"""What templates see: ``event``, ``trigger``, ``computed`` and ``delivery``."""

SHORT_HEAD, SHORT_TAIL = 6, 4
GROWING = {FilterName.JSON, FilterName.UPPER, FilterName.LOWER}
"""Filters that may make a text longer; a few in a row make it as long as memory goes."""


def plain(text: str) -> str:
    """No escaping: for bodies that are text."""
    return text


def url_part(text: str) -> str:
    """Percent-encodes everything that has a meaning in URLs; a value of dots alone is no path step."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def render_text(template: Text, values: Values, escape: Escape) -> str:
    """The text. Raises TemplateError when it grows beyond 64 KiB."""
    return _Render(values).text(template, escape)


def render_json(template: JsonTemplate, values: Values, max_bytes: int = MAX_RESULT_BYTES) -> JsonValue:
    """The JSON value; a placeholder that is a whole value keeps its type. Raises TemplateError beyond ``max_bytes``."""
    return _Render(values, max_bytes).json(template)


def evaluate(placeholder: Placeholder, values: Values) -> Any:
    """What a placeholder stands for, through its filters; None where this delivery carries nothing.

    Raises TemplateError when a filter has made more of it than any result may have and another one would add to that.
    """
    value = look_up(placeholder.path, values)
    for place, one in enumerate(placeholder.filters):
        if place and one.name in GROWING and isinstance(value, str) and len(value) > MAX_RESULT_BYTES:
            raise TemplateError(f"the filter {one.name} is given more than {MAX_RESULT_BYTES} bytes by another one.")
        value = apply_filter(one, value)
    return value


class _Render:
    """One rendering: the values, and how many bytes it may still become."""

    def __init__(self, values: Values, max_bytes: int = MAX_RESULT_BYTES) -> None:
        self._values = values
        self._max = self._left = max_bytes

    def text(self, template: Text, escape: Escape) -> str:
        parts: list[str] = []
        for part in template.parts:
            if isinstance(part, Placeholder):
                part = escape(self._bounded(to_text(evaluate(part, self._values))))
            parts.append(self._spend(part))
        return "".join(parts)

    def json(self, template: JsonTemplate) -> JsonValue:
        match template:
            case Text():
                whole = template.whole
                if whole is None:
                    return self.text(template, plain)
                value: JsonValue = evaluate(whole, self._values)
                self._spend(to_text(value))
                return value
            case dict():
                return {self._spend(key): self.json(item) for key, item in template.items()}
            case list():
                return [self.json(item) for item in template]
            case _:
                return template

    def _bounded(self, text: str) -> str:
        """``text``, unless it is too large already before it is escaped."""
        if len(text) > self._left:
            raise TemplateError(f"the template's result is larger than {self._max} bytes.")
        return text

    def _spend(self, text: str) -> str:
        self._left -= len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        self._bounded("")
        return text


def look_up(path: tuple[str, ...], values: Values) -> Any:
    """The value that a name stands for; None where this delivery carries none."""
    match path:
        case ("trigger" | "delivery" as group, name):
            return values.get(group, {}).get(name)
        case ("computed", index, name):
            return _mapping(_mapping(values.get("computed")).get(index)).get(name)
        case ("event", "data", name) | ("data", name):
            return _data(values, name)
        case ("event", name):
            return _event(values, name)
        case (name,) if name == FILE_CONTENT:
            return values.get(name)
        case (name,):
            return _first_computed(values, SHORT_NAMES[name]) if name in SHORT_NAMES else _event(values, name)
        case _:
            return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _event(values: Values, name: str) -> Any:
    field = find_field(name)
    if field is None or not field.column:
        return _data(values, name)
    found = _mapping(values.get("event")).get(field.name)
    return _data(values, name) if found is None else found


def _data(values: Values, name: str) -> Any:
    field = find_field(name)
    return _mapping(_mapping(values.get("event")).get("data")).get(field.name if field else name)


def _first_computed(values: Values, name: str) -> Any:
    computed = _mapping(values.get("computed"))
    for index in sorted(computed, key=int):
        if name in _mapping(computed[index]):
            return computed[index][name]
    return None


def to_text(value: Any) -> str:
    """A value as it stands inside a text: nothing for an absent one, JSON for what has structure."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def apply_filter(one: Filter, value: Any) -> Any:
    """The value after a filter. An absent value stays absent, except through ``default`` and ``json``."""
    match one.name:
        case FilterName.DEFAULT:
            return one.argument if value is None or value == "" else value
        case FilterName.JSON:
            return orjson.dumps(value).decode()
        case FilterName.UPPER:
            return None if value is None else to_text(value).upper()
        case FilterName.LOWER:
            return None if value is None else to_text(value).lower()
        case FilterName.SHORT:
            return None if value is None else shorten(to_text(value))
        case FilterName.DATE:
            return None if value is None else format_date(value, one.argument)
        case _:
            assert_never(one.name)


def shorten(text: str) -> str:
    """``0x1234…abcd``; a text that this would not make shorter stays whole."""
    return text if len(text) <= SHORT_HEAD + SHORT_TAIL + 1 else f"{text[:SHORT_HEAD]}…{text[-SHORT_TAIL:]}"


def format_date(value: Any, form: str) -> Any:
    """A time (RFC 3339 text, or seconds since 1970) in UTC in ``form``; anything else stays as it is."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value).astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            return value
    except (ValueError, OverflowError, OSError):
        return value
    return moment.strftime(form)
