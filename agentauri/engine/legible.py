"""What a trigger remembers of a group, for people: members with names instead of the compact form that is stored.

Says what counts (how many, what they come to, from when to when), not every entry. Nothing is read back from it.
"""

from collections.abc import Callable

from agentauri.engine.entries import LastEntries, TimedEntries
from agentauri.engine.part import shown
from agentauri.engine.silence import Silence
from agentauri.engine.state import Average, Mark, Previous
from agentauri.engine.stateful import kind_of
from agentauri.engine.window import Window
from agentauri.models.condition import Condition, ConditionType
from agentauri.models.event import rfc3339
from agentauri.models.stateful_config import AggregateConfig, Function


def legible_state(condition: Condition, stored: object) -> dict[str, object] | None:
    """What a stateful condition remembers, from its stored form; None: nothing. Raises ValueError for another form."""
    return None if stored is None else _members(condition, kind_of(condition).load(stored))


def legible_mark(stored: object) -> str | None:
    """The time of a stored mark; None where there is none."""
    return None if stored is None else rfc3339(Mark.load(stored).time)


def _members(condition: Condition, state: object) -> dict[str, object]:
    match state:
        case Average():
            return {"ema": state.value, "samples": state.samples}
        case Previous():
            return {"previous": shown(state.value)}
        case Window():
            count = len(state.times) + state.older
            named = {"count": count} if condition.type is ConditionType.RATE_LIMIT else _result(count, lambda: count)
            return named | _span(state.times, [newest for newest, _ in state.buckets])
        case TimedEntries():
            count = len(state.times) + state.older
            result = _result(count, lambda: shown(state.tally(_function(condition)).result(count)))
            return result | _span(state.times, [newest for newest, _, _ in state.buckets])
        case LastEntries():
            count = len(state.entries)
            return _result(count, lambda: shown(state.tally(_function(condition)).result(count)))
        case Silence():
            return {"since": rfc3339(state.time), "told": state.told, "event_id": str(state.event_id)}
    raise ValueError(f"condition {condition.id} keeps something that has no names")


def _result(count: int, result: Callable[[], object]) -> dict[str, object]:
    return {"aggregate": result() if count else None, "samples": count}


def _span(times: list[int], buckets: list[int]) -> dict[str, object]:
    """The times of the oldest and the newest; where the oldest are counted in buckets, of the newest in the first."""
    every = [*buckets[:1], *times[:1], *times[-1:]]
    return {"oldest": rfc3339(every[0]), "newest": rfc3339(every[-1])} if every else {"oldest": None, "newest": None}


def _function(condition: Condition) -> Function:
    if not isinstance(condition.config, AggregateConfig):
        raise ValueError(f"condition {condition.id} is no window_aggregate")
    return condition.config.function
