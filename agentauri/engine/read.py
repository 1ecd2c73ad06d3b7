"""How the fields of an event are read for comparison: by kind, exactly, and never with an error.

A reader gives None where the field is absent: missing, null, an empty URI, or of a wrong kind (any writer may insert
events). Hex comes in lower case; text folded where case is ignored. Numbers are exact: a JSON number that a double
cannot hold is read again from the event's text.
"""

import json
from collections.abc import Callable
from functools import cache, lru_cache
from hashlib import blake2b
from operator import attrgetter

import orjson

from agentauri.models.condition_config import GroupBy
from agentauri.models.event import Event
from agentauri.models.fields import Field, Kind, get_field
from agentauri.models.values import MAX_NUMBER_EXPONENT, MAX_NUMBER_TEXT, Number, exact_number

FIRST_BIG_AGENT_ID = 2**63
"""Agent ids from here on do not fit the column and stand in ``data`` as text."""

MAX_GROUP_TEXT = 128
"""Characters; longer text goes into a group's name as its hash."""

NUMBERS_KEPT = 1 << 14
INTEGER_LIMIT = 10 ** (MAX_NUMBER_EXPONENT + 1)

Read = Callable[[Event], object]
ReadNumber = Callable[[Event], Number | None]
ReadText = Callable[[Event], str | None]

_known_number = lru_cache(maxsize=NUMBERS_KEPT)(exact_number)


def _number_of(text: str) -> Number | None:
    """Long text is no number, and must not be remembered."""
    return _known_number(text) if len(text) <= MAX_NUMBER_TEXT else None


def agent_id(event: Event) -> int | None:
    """The agent that the event is about, however large its id."""
    if event.agent_id is not None:
        return event.agent_id
    text = event.data.get("agent_id")
    number = _number_of(text) if type(text) is str else _exact(event, "agent_id") if type(text) is float else text
    return number if type(number) is int and number >= FIRST_BIG_AGENT_ID else None


@cache
def number_reader(field: Field) -> ReadNumber:
    """Reads a field of numbers."""
    if field.name == "agent_id":
        return agent_id
    if field.column:
        return attrgetter(field.name)
    name = field.name

    def read(event: Event) -> Number | None:
        value = event.data.get(name)
        if type(value) is str:  # the hottest line of all: no call that can be spared
            return _known_number(value) if len(value) <= MAX_NUMBER_TEXT else None
        if type(value) is int:
            return value if abs(value) < INTEGER_LIMIT else None
        return _exact(event, name) if type(value) is float else None

    return read


def _exact(event: Event, name: str) -> Number | None:
    """A JSON number by its digits; what is larger than any field of the registries is absent."""
    try:
        value = json.loads(event.data_json, parse_float=str).get(name)
    except (ValueError, RecursionError):
        return None
    if type(value) is int:
        return value if abs(value) < INTEGER_LIMIT else None
    return exact_number(value) if type(value) is str else None


@cache
def text_reader(field: Field, *, ignore_case: bool = False) -> ReadText:
    """Reads a field of text, URIs included."""
    plain = _column_reader(field.name) if field.column else _data_reader(field)
    if field.kind in (Kind.ADDRESS, Kind.HASH, Kind.HEX):
        return lambda event: None if (text := plain(event)) is None else text.lower()
    if ignore_case:
        return lambda event: None if (text := plain(event)) is None else text.casefold()
    return plain


def _column_reader(name: str) -> ReadText:
    if name == "id":
        return lambda event: str(event.id)
    read: ReadText = attrgetter(name)
    return read


def _data_reader(field: Field) -> ReadText:
    name = field.name

    def read(event: Event) -> str | None:
        value = event.data.get(name)
        return value if type(value) is str else None

    if field.kind is Kind.URI:
        return lambda event: read(event) or None
    return read


def boolean_reader(field: Field) -> Callable[[Event], bool | None]:
    """Reads a field of true and false."""
    name = field.name

    def read(event: Event) -> bool | None:
        value = event.data.get(name)
        return value if type(value) is bool else None

    return read


def hashes_reader(field: Field) -> Callable[[Event], list[str] | None]:
    """Reads a list of hashes, in lower case."""
    name = field.name

    def read(event: Event) -> list[str] | None:
        value = event.data.get(name)
        return [one.lower() for one in value if type(one) is str] if type(value) is list else None

    return read


@cache
def reader(field: Field, *, ignore_case: bool = False) -> Read:
    """Reads a field of any kind."""
    match field.kind:
        case Kind.INTEGER | Kind.DECIMAL | Kind.TIME:
            return number_reader(field)
        case Kind.BOOLEAN:
            return boolean_reader(field)
        case Kind.HASHES:
            return hashes_reader(field)
    return text_reader(field, ignore_case=ignore_case)


@cache
def key_reader(field: Field) -> ReadText:
    """Reads what tells two values of a field apart, in bounded length."""
    read = reader(field)

    def key(event: Event) -> str | None:
        value = read(event)
        if isinstance(value, list):
            value = ",".join(value)
        return None if value is None else _bounded(str(value))

    return key


@cache
def group_reader(group_by: GroupBy) -> ReadText:
    """The name of an event's group, different for different groups; None where a field of it is absent."""
    parts = [_group_part(get_field(name)) for name in group_by]
    if not parts:
        return lambda event: ""
    if len(parts) == 1:
        return parts[0]

    def read(event: Event) -> str | None:
        names = [part(event) for part in parts]
        return None if None in names else orjson.dumps(names).decode()

    return read


def _group_part(field: Field) -> ReadText:
    if field.kind is Kind.INTEGER:
        number = number_reader(field)
        return lambda event: None if (value := number(event)) is None else str(value)
    text = text_reader(field)
    return lambda event: _bounded(text(event))


def _bounded(text: str | None) -> str | None:
    if text is None or len(text) > MAX_GROUP_TEXT:
        return None if text is None else f"#{blake2b(text.encode(), digest_size=32).hexdigest()}"
    return f"={text}"
