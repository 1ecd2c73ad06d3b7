"""Expressions in CEL, the Common Expression Language: what a tenant may write, checked and bounded.

Guarantees that a text which passes compiles, gives true or false, and can be evaluated in bounded time and memory:
its length is bounded, it makes no lists of its own (no ``map``, no ``filter``) and has one loop at most (``all``,
``exists`` or ``exists_one``), patterns are RE2; the library bounds depth and iterations. Numbers are doubles, and
``value`` is text. How an event's fields get in stands in engine/expression.py.
"""

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

from cel_expr_python import cel

from agentauri.models.fields import ALIASES, FIELDS, ORDERED, Field, Kind, get_field
from agentauri.models.values import parse_text

MAX_EXPRESSION = 1_024
MAX_LOOPS = 1
"""A loop within a loop squares the cost; so does joining what a loop goes through, which is refused, too."""

EXACT_TEXT = "value"
"""The field that expressions see as text though it is a number: an int128 is more than a double holds."""

MAX_SHOWN_ERRORS = 3
SHARED = 1 << 12
"""Equal expressions of many triggers are one compiled object."""

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LOOP = re.compile(r"\b(?:all|exists|exists_one)\b(?=\s*(?:\(|//))")
"""Finds too many rather than too few: one in a text counts, too."""

HINT = "; beside what is calculated, numbers want a point: 60.0 instead of 60"

WHOLE_HEX = re.compile(r"0[xX](?:[0-9a-fA-F]{64}|[0-9a-fA-F]{40})(?![0-9a-fA-F])")
ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")

CONFIG = """
name: agentauri
stdlib:
  include_macros: [all, exists, exists_one]
  exclude_functions:
    - name: dyn
"""


class Expression(NamedTuple):
    """A compiled expression and the fields that it names, by the names it uses."""

    program: Any
    names: tuple[str, ...]


def is_number(field: Field) -> bool:
    """Whether expressions see the field as a number."""
    return field.kind in ORDERED and field.name != EXACT_TEXT


@cache
def _environment() -> Any:
    names = [*FIELDS, *ALIASES]
    return cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(CONFIG), variables={name: _type(get_field(name)) for name in names}
    )


def _type(field: Field) -> Any:
    """Numbers may come as integers in the text (60) and are doubles in events, so that their type stays open."""
    if is_number(field):
        return cel.Type.DYN
    match field.kind:
        case Kind.BOOLEAN:
            return cel.Type.BOOL
        case Kind.HASHES:
            return cel.Type.List(cel.Type.STRING)
    return cel.Type.STRING


def parse_expression(raw: object) -> str:
    """The text of an expression that compiles to true or false; kept as written. Raises ValueError with the place."""
    text = parse_text(raw, MAX_EXPRESSION)
    if not text.strip():
        raise ValueError("must not be empty")
    loops = len(LOOP.findall(text))
    if loops > MAX_LOOPS:
        raise ValueError("must have at most one of all, exists and exists_one")
    if loops and "+" in text:
        raise ValueError("must not have + beside all, exists or exists_one")
    compile_expression(text)
    return text


@lru_cache(maxsize=SHARED)
def compile_expression(text: str) -> Expression:
    """The expression compiled and type-checked. Addresses and hashes in it count in lower case. Raises ValueError."""
    lowered = WHOLE_HEX.sub(lambda found: found[0].lower(), text)
    try:
        program = _environment().compile(lowered)
    except RuntimeError as error:
        raise ValueError(f"is no expression of CEL: {_where(str(error))}") from error
    if program.return_type() != cel.Type.BOOL:
        raise ValueError(f"must give true or false, not {program.return_type().name().lower()}")
    known = FIELDS.keys() | ALIASES.keys()
    return Expression(program, tuple(sorted(known & set(WORD.findall(lowered)))))


def _where(text: str) -> str:
    """The compiler's errors with their places in one line."""
    found = dict.fromkeys(ERROR.findall(text))
    places = [
        f"line {line}, column {column}: {detail}" if int(line) > 0 else detail
        for line, column, detail in [*found][:MAX_SHOWN_ERRORS]
    ]
    hint = HINT if any("(double, int)" in place or "(int, double)" in place for place in places) else ""
    return ("; ".join(places) or text.splitlines()[0]) + hint
