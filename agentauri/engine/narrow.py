"""Where a trigger stands in the index: what every event that it can match must have.

Chain, registry, event type and agent are bound where conditions joined by AND fix them to few values; those
conditions are then met by the place alone and need no test. Equalities, beginnings of texts and bounds on other
fields narrow further where a place is crowded; they stay tests. A place may offer a trigger an event in vain, never
miss one.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from agentauri.engine.compile import TESTS_SHARED, known_values
from agentauri.models.condition import Condition, GroupConfig, GroupMode
from agentauri.models.fields import NUMERIC, Field, Kind
from agentauri.models.operators import Operator
from agentauri.models.trigger import TriggerDefinition
from agentauri.models.values import Number, Scalar, comparable

BOUND_FIELDS = ("chain_id", "registry", "event_type", "agent_id")
"""In the order in which they make a key."""

FIRST_NARROW = 1 << BOUND_FIELDS.index("event_type")
"""The least shape that only conditions can make."""

LOOSENED_FIRST = (2, 1, 0)
"""Places in BOUND_FIELDS that are given up, in turn, when values multiply: the agent narrows most."""

MAX_KEYS = 1_024
"""Keys of one trigger: an IN list at its longest fits."""

MAX_EQUALITIES = 2
"""Of one trigger; a third would hardly narrow further."""

Key = object
"""The bound values as a tuple; the value itself where one field is bound."""


class Equality(NamedTuple):
    """The field has one of these values."""

    field: Field
    ignore_case: bool
    values: frozenset[Scalar]


class Beginning(NamedTuple):
    """The field's text begins so; in the form in which its reader gives it."""

    field: Field
    ignore_case: bool
    text: str


class Bounds(NamedTuple):
    """The field is a number between these; a bound that is None is open, and each bound may itself be met."""

    field: Field
    low: Number | None
    high: Number | None


class Place(NamedTuple):
    """``shape`` has a bit for each of BOUND_FIELDS that is bound; each key has their values in that order."""

    shape: int
    keys: tuple[Key, ...]
    equalities: tuple[Equality, ...]
    beginning: Beginning | None
    bounds: Bounds | None

    @property
    def is_narrow(self) -> bool:
        """Whether a condition narrows it; one that the trigger's own chain or registry repeats may be missed."""
        return self.shape >= FIRST_NARROW or bool(self.equalities or self.beginning or self.bounds)


class CostClass(StrEnum):
    """How a trigger is found, the cheapest way first: what an event costs for which it is not meant."""

    INDEXED = "indexed"
    """By the value that a field must have: events without it never meet the trigger."""
    PREFIX = "prefix"
    """By how a text begins."""
    THRESHOLD = "threshold"
    """By bisection in the sorted thresholds of a number."""
    SCANNED = "scanned"
    """Every event of its chain and registry is tried."""


def cost_class(conditions: Sequence[Condition]) -> CostClass:
    """How a trigger with these conditions is found."""
    joined = [one for one in _joined(conditions) if not one.is_stateful]
    if any(_bound_place(one) is not None for one in joined) or _equalities(joined):
        return CostClass.INDEXED
    if _beginning(joined) is not None:
        return CostClass.PREFIX
    return CostClass.SCANNED if _bounds(joined) is None else CostClass.THRESHOLD


def find_place(definition: TriggerDefinition) -> tuple[Place, list[Condition]]:
    """The place, and the stateless conditions that are still to be tested there. No keys: no event can match."""
    conditions = [(_bound_place(one), one) for one in _joined(definition.conditions) if not one.is_stateful]
    bound = _bound_values(definition, conditions)
    _loosen(bound)
    shape = sum(1 << index for index, values in enumerate(bound) if values is not None)
    kept = [tuple(values) for values in bound if values is not None]
    keys: tuple[Key, ...] = kept[0] if len(kept) == 1 else tuple(product(*kept))
    tests = [one for place, one in conditions if place is None or not shape >> place & 1]
    return Place(shape, keys, _equalities(tests), _beginning(tests), _bounds(tests)), tests


def _joined(conditions: Sequence[Condition]) -> Iterator[Condition]:
    """The conditions joined by AND, those within groups of mode all included."""
    for condition in conditions:
        if isinstance(condition.config, GroupConfig) and condition.config.mode is GroupMode.ALL:
            yield from _joined(condition.config.conditions)
        else:
            yield condition


def _fixes(condition: Condition) -> bool:
    """Whether the condition says which values its field has."""
    return condition.target is not None and condition.operator in (Operator.EQ, Operator.IN)


def _bound_place(condition: Condition) -> int | None:
    target = condition.target
    if target is None or not _fixes(condition) or condition.ignore_case or target.name not in BOUND_FIELDS:
        return None
    return BOUND_FIELDS.index(target.name)


def _bound_values(
    definition: TriggerDefinition, conditions: Sequence[tuple[int | None, Condition]]
) -> list[frozenset[Scalar] | None]:
    """For each of BOUND_FIELDS the values that it can have, None where it can have any."""
    bound: list[frozenset[Scalar] | None] = [None] * len(BOUND_FIELDS)
    if definition.chain_id is not None:
        bound[0] = frozenset({definition.chain_id})
    if definition.registry is not None:
        bound[1] = frozenset({definition.registry.value})
    for place, condition in conditions:
        if place is not None:
            before, values = bound[place], known_values(condition)
            bound[place] = values if before is None else before & values
    return bound


def _loosen(bound: list[frozenset[Scalar] | None]) -> None:
    """Give up fields until the keys are few enough; what the trigger itself names has one value and stays."""
    for place in LOOSENED_FIRST:
        count, values = prod(len(one) for one in bound if one is not None), bound[place]
        if count > MAX_KEYS and values is not None and len(values) > 1:
            bound[place] = None


def _equalities(conditions: Sequence[Condition]) -> tuple[Equality, ...]:
    """At most two, those with the fewest values first; true and false narrow too little."""
    found = [
        Equality(one.target, one.ignore_case, known_values(one))
        for one in conditions
        if one.target is not None and _fixes(one) and one.target.kind is not Kind.BOOLEAN
    ]
    return tuple(sorted(found, key=lambda one: len(one.values))[:MAX_EQUALITIES])


def _beginning(conditions: Sequence[Condition]) -> Beginning | None:
    """The longest beginning that is asked for."""
    found = [
        Beginning(one.target, one.ignore_case, str(comparable(one.target, str(one.value), ignore_case=one.ignore_case)))
        for one in conditions
        if one.target is not None and one.operator is Operator.STARTS_WITH
    ]
    return max(found, key=lambda one: len(one.text), default=None)


def _bounds(conditions: Sequence[Condition]) -> Bounds | None:
    """The bounds of the numeric field that has both, or else of the first that has one."""
    found: dict[str, Bounds] = {}
    for one in conditions:
        target, value = one.target, one.value
        if target is None or target.kind not in NUMERIC or value is None or isinstance(value, (str, tuple)):
            continue
        bounds = found.get(target.name, Bounds(target, None, None))
        if one.operator in (Operator.LT, Operator.LTE):
            high = value if bounds.high is None else min(bounds.high, value)
            found[target.name] = bounds._replace(high=high)
        elif one.operator in (Operator.GT, Operator.GTE):
            low = value if bounds.low is None else max(bounds.low, value)
            found[target.name] = bounds._replace(low=low)
    best = min(found.values(), key=lambda one: (one.low is None) + (one.high is None), default=None)
    return None if best is None else _shared(best)


@lru_cache(maxsize=TESTS_SHARED)
def _shared(bounds: Bounds) -> Bounds:
    return bounds
