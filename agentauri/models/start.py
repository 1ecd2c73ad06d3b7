"""Where a new trigger begins: now, or at a place in the past that it is to work off first."""

from dataclasses import dataclass

from agentauri.models.problems import Problems
from agentauri.models.trigger import TriggerFields

MAX_PLACE = 2**63 - 1
KINDS = ("seq", "block")
FORMS = "must be now, a seq of the log, {seq: …}, or {block: …}"
POINTER = "/start"


@dataclass(frozen=True, slots=True)
class Place:
    """The first event: the one with ``seq`` or after it, or of the trigger's chain in ``block`` or after it."""

    seq: int | None = None
    block: int | None = None


def parse_start(raw: object, fields: TriggerFields) -> Place | None:
    """The place that is meant for a trigger with these fields; None: now. Raises InvalidRequest."""
    problems = Problems()
    found = _parse(problems, raw)
    if found is not None and not fields.enabled:
        problems.add(POINTER, "a trigger that is switched off does not begin; leave it out, or switch the trigger on")
    if found is not None and found.block is not None and fields.chain_id is None:
        problems.add(f"{POINTER}/block", "a block is one of a chain: give the trigger a chain_id, or begin at a seq")
    problems.refuse("the trigger is not valid")
    return found


def _parse(problems: Problems, raw: object) -> Place | None:
    match raw:
        case None | "now":
            return None
        case bool():
            problems.add(POINTER, FORMS)
        case int() | float():
            return Place(seq=_number(problems, POINTER, raw, 1))
        case {"seq": seq, **rest} if not rest:
            return Place(seq=_number(problems, f"{POINTER}/seq", seq, 1))
        case {"block": block, **rest} if not rest:
            return Place(block=_number(problems, f"{POINTER}/block", block, 0))
        case _:
            problems.add(POINTER, FORMS)
    return None


def _number(problems: Problems, pointer: str, raw: object, least: int) -> int:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= MAX_PLACE:
        problems.add(pointer, f"must be a whole number from {least} to {MAX_PLACE}")
        return least
    return raw
