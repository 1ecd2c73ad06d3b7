"""Exact numbers that add up: sums of any length without rounding, and how state keeps them as JSON."""

from decimal import Context, Decimal
from math import sqrt

from agentauri.models.event import MAX_JSON_INTEGER
from agentauri.models.values import Number

WIDE = Context(prec=2_000)
"""Digits: squares of the largest and the smallest numbers added up a million times fit."""

QUOTIENT = Context(prec=40)
"""Digits of a quotient, which becomes a double."""


def plus(left: Number, right: Number) -> Number:
    """The exact sum."""
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return WIDE.add(left, right)


def minus(left: Number, right: Number) -> Number:
    """The exact difference."""
    if isinstance(left, int) and isinstance(right, int):
        return left - right
    return WIDE.subtract(left, right)


def times(left: Number, right: Number) -> Number:
    """The exact product."""
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    return WIDE.multiply(left, right)


def size(number: Number) -> Number:
    """The number without its sign; abs() would round."""
    return number if number >= 0 else minus(0, number)


def quotient(left: Number, right: int) -> float:
    """The quotient as a double."""
    return float(QUOTIENT.divide(Decimal(left), right))


def deviation(total: Number, squares: Number, count: int) -> float:
    """The population's standard deviation from sums of values and of their squares."""
    spread = minus(times(count, squares), times(total, total))
    return sqrt(quotient(spread, count * count))


def settled(number: Number) -> Number:
    """The number in its one form: a whole one as int, no zeros at the end."""
    if isinstance(number, int):
        return number
    number = number.normalize(WIDE)
    return int(number) if number == number.to_integral_value(context=WIDE) else number


def dump_number(number: Number) -> int | str:
    """As JSON, without loss."""
    number = settled(number)
    return number if isinstance(number, int) and abs(number) <= MAX_JSON_INTEGER else str(number)


def load_number(stored: object) -> Number:
    """From what ``dump_number`` gave. Raises ValueError where it is something else."""
    if type(stored) is int:
        return stored
    if type(stored) is not str:
        raise ValueError("this is no state of numbers")
    try:
        return settled(Decimal(stored))
    except ArithmeticError as error:
        raise ValueError("this is no state of numbers") from error
