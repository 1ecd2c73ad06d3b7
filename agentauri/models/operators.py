"""The operators of conditions: canonical names, the synonyms that are accepted, and what each kind of field allows.

A closed set; what an operator does to an absent field is decided in engine/: false, but for ``not_exists``.
"""

from enum import StrEnum

from agentauri.models.fields import ORDERED, Kind

MAX_OPERATOR_TEXT = 32


class Operator(StrEnum):
    """Operators by their canonical names."""

    EQ = "="
    NE = "!="
    LT = "<"
    LTE = "<="
    GT = ">"
    GTE = ">="
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    CROSSES_ABOVE = "crosses_above"
    CROSSES_BELOW = "crosses_below"


SYNONYMS = {operator.value: operator for operator in Operator} | {
    "==": Operator.EQ, "eq": Operator.EQ, "equals": Operator.EQ,
    "<>": Operator.NE, "ne": Operator.NE,
    "lt": Operator.LT, "lte": Operator.LTE, "gt": Operator.GT, "gte": Operator.GTE,
    "is_not_null": Operator.EXISTS, "is_null": Operator.NOT_EXISTS,
}  # fmt: skip

EQUALITY = frozenset({Operator.EQ, Operator.NE})
MEMBERSHIP = frozenset({Operator.IN, Operator.NOT_IN})
ORDER = EQUALITY | {Operator.LT, Operator.LTE, Operator.GT, Operator.GTE}
TEXTUAL = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES})
PRESENCE = frozenset({Operator.EXISTS, Operator.NOT_EXISTS})
CROSSING = frozenset({Operator.CROSSES_ABOVE, Operator.CROSSES_BELOW})
"""Of an event's value and the one before it."""
NO_OPERATOR: frozenset[Operator] = frozenset()


def operators_of(kind: Kind) -> frozenset[Operator]:
    """What a field of that kind can be compared by."""
    if kind in ORDERED:
        return ORDER | MEMBERSHIP | PRESENCE
    match kind:
        case Kind.BOOLEAN:
            return EQUALITY | PRESENCE
        case Kind.HASHES:
            return frozenset({Operator.CONTAINS}) | PRESENCE
    return EQUALITY | MEMBERSHIP | TEXTUAL | PRESENCE


def parse_operator(raw: object, allowed: frozenset[Operator]) -> Operator:
    """The operator of that name or synonym, if ``allowed``. Raises ValueError."""
    name = "_".join(raw.lower().split()) if isinstance(raw, str) and len(raw) <= MAX_OPERATOR_TEXT else ""
    operator = SYNONYMS.get(name)
    if operator is None or operator not in allowed:
        raise ValueError(f"must be one of {', '.join(one for one in Operator if one in allowed)}")
    return operator
