"""What each type of condition takes: its fields, operators, values and config. One table, by which all are checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agentauri.models import condition_config as configs
from agentauri.models import stateful_config as stateful
from agentauri.models import values
from agentauri.models.condition import Condition, ConditionType, Config
from agentauri.models.expression import parse_expression
from agentauri.models.fields import ALIASES, FIELDS, NUMERIC, TAGS, Kind
from agentauri.models.operators import (
    CROSSING,
    EQUALITY,
    MEMBERSHIP,
    NO_OPERATOR,
    ORDER,
    PRESENCE,
    TEXTUAL,
    Operator,
)
from agentauri.models.problems import Problems
from agentauri.models.values import Scalar

MAX_RESPONSE = 100
MAX_COUNT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What a type takes. ``fields``: None is no field; ``operators``: None is by the field's kind, empty is none.

    ``scalar`` reads a value where the field does not say how; without operator and scalar there is no value.
    """

    fields: tuple[str, ...] | None
    operators: frozenset[Operator] | None
    config: Callable[[Mapping[object, object], str, Problems], Config] = configs.parse_no_config
    scalar: Callable[[object], Scalar] | None = None
    optional_field: bool = False


def _names(*kinds: Kind) -> tuple[str, ...]:
    canonical = tuple(name for name, field in FIELDS.items() if field.kind in kinds)
    return canonical + tuple(alias for alias, name in ALIASES.items() if name in canonical)


def _response(raw: object) -> Scalar:
    number = values.parse_number(raw)
    if not 0 <= number <= MAX_RESPONSE:
        raise ValueError(f"must lie between 0 and {MAX_RESPONSE}")
    return number


RULES = {
    ConditionType.AGENT_ID_EQUALS: Rule(("agent_id",), EQUALITY | MEMBERSHIP),
    ConditionType.EVENT_TYPE_EQUALS: Rule(("event_type",), EQUALITY | MEMBERSHIP, scalar=values.parse_event_type),
    ConditionType.TAG_EQUALS: Rule(TAGS, EQUALITY | MEMBERSHIP | TEXTUAL, configs.parse_text_config),
    ConditionType.SCORE_THRESHOLD: Rule(("score",), ORDER),
    ConditionType.RESPONSE_THRESHOLD: Rule(("response",), ORDER, scalar=_response),
    ConditionType.VALIDATOR_WHITELIST: Rule(("validator_address",), MEMBERSHIP),
    ConditionType.FILE_URI_EXISTS: Rule(_names(Kind.URI), PRESENCE),
    ConditionType.FIELD_MATCH: Rule(_names(*Kind), None, configs.parse_text_config),
    ConditionType.EXPRESSION: Rule(None, NO_OPERATOR, scalar=parse_expression),
    ConditionType.EMA_THRESHOLD: Rule(_names(*NUMERIC), ORDER, stateful.parse_ema_config, values.parse_number),
    ConditionType.RATE_LIMIT: Rule(
        None, ORDER, stateful.parse_rate_config, lambda raw: values.parse_integer(raw, 0, MAX_COUNT)
    ),
    ConditionType.WINDOW_AGGREGATE: Rule(
        _names(*Kind), ORDER, stateful.parse_aggregate_config, values.parse_number, optional_field=True
    ),
    ConditionType.CHANGE: Rule(_names(*NUMERIC), ORDER | CROSSING, stateful.parse_change_config, values.parse_number),
    ConditionType.ABSENCE: Rule(None, NO_OPERATOR, stateful.parse_absence_config),
}

DEFAULT_FIELDS = {ConditionType.EMA_THRESHOLD: "score"}


def misfit(condition: Condition) -> str | None:
    """Why the field does not go with the config, in words; None where it does."""
    config, target = condition.config, condition.target
    if not isinstance(config, stateful.AggregateConfig):
        return None
    if target is None:
        return None if config.function is stateful.Function.COUNT else f"is missing: {config.function} needs a field"
    if config.function in stateful.OF_ANY_FIELD or target.kind in NUMERIC:
        return None
    return f"must hold numbers for {config.function}; only count and distinct take other fields"
