"""Expressions over an event: the fields that one names, read as CEL has them, and its verdict.

A field that the event lacks is left out, which makes an error where the verdict hangs on it; any error is false, and
counted. Compiling and bounds: models/expression.py.
"""

import re
from collections.abc import Callable

from agentauri.engine.read import boolean_reader, hashes_reader, number_reader, text_reader
from agentauri.models.event import Event
from agentauri.models.expression import compile_expression, is_number
from agentauri.models.fields import Field, Kind, get_field

MAX_TEXT = 4_096
"""Characters; to an expression, a field with longer text is missing. Searching one text in another is quadratic."""

MAX_ERROR = 200
"""Characters of an error's words."""

MISSING = re.compile(r'No value with name "(\w+)"')
CODE = re.compile(r"^[A-Z_]+: ")

Read = Callable[[Event], object]


def expression_test(text: str, failed: Callable[[], None]) -> Callable[[Event], bool]:
    """The expression as a test; ``failed`` is called where it comes to an error instead of a verdict."""
    outcome = _outcome(text)

    def test(event: Event) -> bool:
        verdict = outcome(event)
        if verdict is True or verdict is False:
            return verdict
        failed()
        return False

    return test


def expression_error(text: str, event: Event) -> str | None:
    """What the expression comes to instead of a verdict, in words; None where it comes to one."""
    outcome = _outcome(text)(event)
    if isinstance(outcome, bool):
        return None
    missing = MISSING.search(outcome)
    return f"the event has no {missing[1]}." if missing else f"{CODE.sub('', outcome)[:MAX_ERROR].rstrip('.')}."


def _outcome(text: str) -> Callable[[Event], bool | str]:
    """The expression as what gives its verdict, or the library's words for the error that it came to."""
    expression = compile_expression(text)
    evaluate = expression.program.eval
    readers = tuple((name, _reader(get_field(name))) for name in expression.names)

    def outcome(event: Event) -> bool | str:
        found = {name: value for name, read in readers if (value := read(event)) is not None}
        try:
            verdict = evaluate(data=found).value()
        except RuntimeError as error:  # the library's own limits raise; what an expression does wrong is a value
            return str(error)
        return verdict if verdict is True or verdict is False else str(verdict)

    return outcome


def _reader(field: Field) -> Read:
    if is_number(field):
        number = number_reader(field)
        return lambda event: None if (value := number(event)) is None else float(value)
    match field.kind:
        case Kind.BOOLEAN:
            return boolean_reader(field)
        case Kind.HASHES:
            return hashes_reader(field)
        case Kind.INTEGER:
            return lambda event: _digits(event.data.get(field.name))
    text = text_reader(field)
    return lambda event: found if (found := text(event)) is not None and len(found) <= MAX_TEXT else None


def _digits(value: object) -> str | None:
    """A whole number as text, however it was stored."""
    if type(value) is int:
        return str(value)
    return value if type(value) is str and len(value) <= MAX_TEXT else None
