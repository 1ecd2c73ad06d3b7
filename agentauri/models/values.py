"""Values of conditions: from JSON or text to the type of their field, and back to JSON.

Guarantees that a value which passes here can be compared without error, is bounded in size, and is the same after
``wire`` and back. Every refusal is a ``ValueError`` whose text says what is expected; callers add the place.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Protocol

import orjson
import re2

from agentauri.models.event import MAX_JSON_INTEGER, MAX_JSON_SCORE_DIGITS, rfc3339
from agentauri.models.fields import CASELESS, EVENT_TYPE_ALIASES, EVENT_TYPES, Field, Kind

Number = int | Decimal
"""An exact number; whole ones are always int, so that equal numbers look equal."""

Scalar = Number | str | bool
Value = Scalar | tuple[Scalar, ...] | None

MAX_TEXT = 1024
MAX_LIST = 1000
MAX_PATTERN = 512
MAX_PATTERN_MEMORY_BYTES = 1 << 20
MAX_NUMBER_TEXT = 128
MAX_NUMBER_EXPONENT = 100
"""Decimal places before or behind the point; uint256 has 78. Keeps exact comparison cheap."""
MAX_AGENT_ID = 2**256 - 1
MAX_TIME_SECONDS = 253_402_300_799
"""The last second of the year 9999, the last that RFC 3339 can write."""

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
HASH = re.compile(r"0[xX][0-9a-fA-F]{64}")
HEX = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*")
EXACT = Context(prec=2 * MAX_NUMBER_TEXT + MAX_NUMBER_EXPONENT)


class Pattern(Protocol):
    """What is needed of a compiled regular expression."""

    def search(self, text: str) -> object | None:
        """Something where the pattern occurs in ``text``, else None."""


def exact_number(text: str) -> Number | None:
    """The number that ``text`` is, exactly; None when it is none, or none of a bearable size."""
    if len(text) > MAX_NUMBER_TEXT or NUMBER.fullmatch(text) is None:
        return None
    number = Decimal(text)
    if not number:
        return 0
    if abs(number.adjusted()) > MAX_NUMBER_EXPONENT:
        return None
    number = number.normalize(EXACT)
    return int(number) if number == number.to_integral_value(context=EXACT) else number


def parse_number(raw: object) -> Number:
    """An exact number from JSON or text."""
    if type(raw) is int and abs(raw) <= MAX_JSON_INTEGER:
        return raw
    if isinstance(raw, float) and abs(raw) > MAX_JSON_INTEGER:
        raise ValueError("must be sent as text, so that all its digits arrive")
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("must be a number, or its text")
    number = exact_number(raw.strip() if isinstance(raw, str) else repr(raw))
    if number is None:
        raise ValueError(f"must be a decimal number within 1e±{MAX_NUMBER_EXPONENT}, such as 42 or 59.5")
    return number


def parse_integer(raw: object, low: int, high: int) -> int:
    """A whole number in [low, high] from JSON or text."""
    number = parse_number(raw)
    if not isinstance(number, int) or not low <= number <= high:
        raise ValueError(f"must be a whole number from {low} to {high if high < MAX_AGENT_ID else '2^256-1'}")
    return number


def parse_text(raw: object, longest: int = MAX_TEXT) -> str:
    """Text that PostgreSQL can hold, at most ``longest`` characters."""
    if not isinstance(raw, str):
        raise ValueError("must be text")
    if len(raw) > longest:
        raise ValueError(f"must have at most {longest} characters")
    if "\0" in raw or any("\ud800" <= char <= "\udfff" for char in raw):
        raise ValueError("must not contain U+0000 or half of a surrogate pair")
    return raw


def parse_pattern(raw: object) -> str:
    """A regular expression that RE2 takes."""
    text = parse_text(raw, MAX_PATTERN)
    compile_pattern(text, ignore_case=False)
    return text


def compile_pattern(pattern: str, *, ignore_case: bool) -> Pattern:
    """The pattern compiled by RE2, whose time grows with the text alone. Raises ValueError."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_PATTERN_MEMORY_BYTES
    options.case_sensitive = not ignore_case
    try:
        compiled: Pattern = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"is no regular expression of RE2: {reason}") from error
    return compiled


def parse_boolean(raw: object) -> bool:
    """true or false, or their text."""
    match raw:
        case bool():
            return raw
        case "true":
            return True
        case "false":
            return False
    raise ValueError("must be true or false")


def parse_time(raw: object) -> Number:
    """Seconds since 1970 from a number or from RFC 3339 text."""
    text = raw.strip() if isinstance(raw, str) else ""
    number = _seconds(text) if text and NUMBER.fullmatch(text) is None else parse_number(raw)
    if not 0 <= number <= MAX_TIME_SECONDS:
        raise ValueError("must lie between 1970 and 9999")
    return number


def _seconds(text: str) -> Number:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be seconds since 1970, or a time with its zone such as 2026-01-31T12:00:00Z") from None
    return parse_number(str(since.days * 86_400 + since.seconds + Decimal(since.microseconds) / 1_000_000))


def parse_hex(raw: object, form: re.Pattern[str], what: str) -> str:
    """0x text of a fixed form; kept as written."""
    text = parse_text(raw)
    if form.fullmatch(text) is None:
        raise ValueError(f"must be {what}")
    return text


def parse_event_type(raw: object) -> str:
    """The Solidity name of an event; old names are replaced."""
    text = parse_text(raw)
    name = EVENT_TYPE_ALIASES.get(text, text)
    if name not in EVENT_TYPES:
        raise ValueError(f"must be one of {', '.join(EVENT_TYPES)}")
    return name


def _parse_address(raw: object) -> str:
    return parse_hex(raw, ADDRESS, "an address: 0x and 40 hex digits")


def _parse_hash(raw: object) -> str:
    return parse_hex(raw, HASH, "a hash: 0x and 64 hex digits")


PARSERS: dict[Kind, Callable[[object], Scalar]] = {
    Kind.INTEGER: parse_number,
    Kind.DECIMAL: parse_number,
    Kind.TIME: parse_time,
    Kind.TEXT: parse_text,
    Kind.URI: parse_text,
    Kind.ADDRESS: _parse_address,
    Kind.HASH: _parse_hash,
    Kind.HASHES: _parse_hash,
    Kind.HEX: lambda raw: parse_hex(raw, HEX, "0x and pairs of hex digits"),
    Kind.BOOLEAN: parse_boolean,
}


def parse_scalar(field: Field, raw: object) -> Scalar:
    """A whole value of the field, to be compared for equality or order."""
    if field.name == "agent_id":
        return parse_integer(raw, 0, MAX_AGENT_ID)
    return PARSERS[field.kind](raw)


def listed(raw: object) -> list[object]:
    """The members of a list, or of the JSON text of one. Raises ValueError."""
    if isinstance(raw, str):
        try:
            raw = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise ValueError('must be a list, or the JSON text of one such as ["a", "b"]') from None
    if not isinstance(raw, list):
        raise ValueError("must be a list, or the JSON text of one")
    if not 1 <= len(raw) <= MAX_LIST:
        raise ValueError(f"must have 1 to {MAX_LIST} entries")
    return raw


def comparable(field: Field, value: Scalar, *, ignore_case: bool) -> Scalar:
    """The form in which values of a field are compared: hex in lower case, text folded where case is ignored."""
    if not isinstance(value, str):
        return value
    if field.kind in CASELESS:
        return value.lower()
    return value.casefold() if ignore_case else value


def wire_scalar(field: Field | None, value: Scalar) -> object:
    """A value as typed JSON: numbers that JSON cannot carry exactly are text, times are RFC 3339."""
    if isinstance(value, bool | str):
        return value
    if field is not None and field.kind is Kind.TIME and isinstance(value, int):
        return rfc3339(value)
    if isinstance(value, int):
        return value if abs(value) <= MAX_JSON_INTEGER else str(value)
    text = format(value, "f")
    short = len(value.as_tuple().digits) <= MAX_JSON_SCORE_DIGITS and len(text) <= 2 * MAX_JSON_SCORE_DIGITS
    return float(text) if short else text
