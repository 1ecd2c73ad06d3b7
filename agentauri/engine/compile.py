"""Conditions as plain closures: made once when a trigger's version arrives, called for every event it may match.

A test is true or false and has no state. On an absent field every operator but ``not_exists`` is false; the order
of tests never matters. engine/reference.py says the same without closures, and tests hold the two together.
"""

import operator as operators
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import assert_never

from agentauri.engine.expression import expression_test
from agentauri.engine.read import Read, hashes_reader, number_reader, reader, text_reader
from agentauri.models.condition import Condition, ConditionType, GroupConfig, GroupMode
from agentauri.models.event import Event
from agentauri.models.fields import Field, Kind
from agentauri.models.operators import MEMBERSHIP, PRESENCE, TEXTUAL, Operator
from agentauri.models.values import Number, Scalar, comparable, compile_pattern

Test = Callable[[Event], bool]

TESTS_SHARED = 1 << 14
"""Comparisons with the same value are one closure in all triggers: a third less memory where values are common."""

ORDERINGS: Mapping[Operator, Callable[[Number | float, Number | float], bool]] = {
    Operator.LT: operators.lt,
    Operator.LTE: operators.le,
    Operator.GT: operators.gt,
    Operator.GTE: operators.ge,
    Operator.EQ: operators.eq,
    Operator.NE: operators.ne,
}
"""Comparisons of two numbers; int and Decimal compare exactly with each other."""


def compile_test(conditions: Sequence[Condition], failed: Callable[[], None] = lambda: None) -> Test | None:
    """One test for stateless conditions joined by AND; None where there is nothing to test.

    ``failed`` is called whenever an expression comes to an error.
    """
    tests = [_compile(condition, failed) for condition in sorted(conditions, key=_cost)]
    return _all(tests) if tests else None


def _cost(condition: Condition) -> int:
    """Columns before ``data``, which may still have to be parsed; then groups and patterns; expressions last."""
    if condition.type is ConditionType.EXPRESSION:
        return 3
    target = condition.target
    if target is None or condition.operator is Operator.MATCHES:
        return 2
    return 0 if target.column else 1


def _compile(condition: Condition, failed: Callable[[], None]) -> Test:
    if isinstance(condition.config, GroupConfig):
        return _group(condition.config, failed)
    if condition.type is ConditionType.EXPRESSION:
        return expression_test(str(condition.value), failed)
    target, operator = condition.target, condition.operator
    if target is None or operator is None:
        raise ValueError(f"condition {condition.id} is not stateless")
    if operator in PRESENCE:
        return _presence(target, operator)
    if target.kind is Kind.HASHES:
        return _list_contains(target, str(condition.value))
    if operator in TEXTUAL:
        return _textual(target, operator, str(condition.value), ignore_case=condition.ignore_case)
    if operator in MEMBERSHIP:
        read = reader(target, ignore_case=condition.ignore_case)
        return _membership(read, operator, known_values(condition))
    (value,) = known_values(condition)
    return _comparison(target, operator, value, condition.ignore_case)


def known_values(condition: Condition) -> frozenset[Scalar]:
    """The value, or the values, in the form in which its field's reader gives them."""
    target = condition.target
    given = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return frozenset(
        comparable(target, one, ignore_case=condition.ignore_case) if target else one
        for one in given
        if one is not None
    )


def _presence(target: Field, operator: Operator) -> Test:
    read = reader(target)
    if operator is Operator.EXISTS:
        return lambda event: read(event) is not None
    return lambda event: read(event) is None


def _membership(read: Read, operator: Operator, values: frozenset[Scalar]) -> Test:
    if operator is Operator.IN:
        return lambda event: read(event) in values
    return lambda event: (value := read(event)) is not None and value not in values


@lru_cache(maxsize=TESTS_SHARED)
def _comparison(target: Field, operator: Operator, value: Scalar, ignore_case: bool) -> Test:
    read = reader(target, ignore_case=ignore_case)
    if operator is Operator.EQ:
        return lambda event: read(event) == value
    if operator is Operator.NE:
        return lambda event: (found := read(event)) is not None and found != value
    if isinstance(value, (str, bool)):
        raise ValueError(f"{operator} does not compare {value!r}")
    number, holds, bound = number_reader(target), ORDERINGS[operator], value
    return lambda event: (found := number(event)) is not None and holds(found, bound)


def _textual(target: Field, operator: Operator, value: str, *, ignore_case: bool) -> Test:
    read = text_reader(target, ignore_case=ignore_case)
    part = str(comparable(target, value, ignore_case=ignore_case))
    if operator is Operator.CONTAINS:
        return lambda event: (text := read(event)) is not None and part in text
    if operator is Operator.STARTS_WITH:
        return lambda event: (text := read(event)) is not None and text.startswith(part)
    if operator is Operator.ENDS_WITH:
        return lambda event: (text := read(event)) is not None and text.endswith(part)
    return _matches(target, value, ignore_case=ignore_case)


def _matches(target: Field, pattern: str, *, ignore_case: bool) -> Test:
    """RE2 folds case by itself where it is ignored, so that the pattern's own letters are folded too."""
    read = text_reader(target)
    caseless = ignore_case or target.kind in (Kind.ADDRESS, Kind.HASH, Kind.HEX)
    search = compile_pattern(pattern, ignore_case=caseless).search
    return lambda event: (text := read(event)) is not None and search(text) is not None


def _list_contains(target: Field, value: str) -> Test:
    read, wanted = hashes_reader(target), value.lower()
    return lambda event: wanted in (read(event) or ())


def _group(config: GroupConfig, failed: Callable[[], None]) -> Test:
    tests = [_compile(condition, failed) for condition in config.conditions]
    match config.mode:
        case GroupMode.ALL:
            return _all(tests)
        case GroupMode.ANY:
            return _any(tests)
        case GroupMode.NONE:
            holds = _any(tests)
            return lambda event: not holds(event)
        case _ as never:
            assert_never(never)


def _all(tests: Sequence[Test]) -> Test:
    first = tests[0]
    if len(tests) == 1:
        return first
    rest = _all(tests[1:])
    return lambda event: first(event) and rest(event)


def _any(tests: Sequence[Test]) -> Test:
    each = tuple(tests)
    return each[0] if len(each) == 1 else lambda event: any(test(event) for test in each)
