"""The names that templates can show: the event's fields, and what trigger, computed values and delivery add.

Guarantees that a name accepted when a template is written has a meaning when it is rendered; whether a certain
event carries a value under it is another matter.
"""

from agentauri.models.fields import ALIASES, FIELDS, find_field

COMPUTED_NAMES = frozenset({"ema", "count", "aggregate", "previous", "since"})
SHORT_NAMES = {"ema_score": "ema", "count": "count"}
"""Names that stand for the first computed value of that kind."""
TRIGGER_NAMES = frozenset({"id", "name"})
DELIVERY_NAMES = frozenset({"id", "type", "created_at"})
FILE_CONTENT = "verified_file_content"
"""The file that an event names, after its check; in ``mcp`` actions alone."""
MAX_CONDITION_DIGITS = 3


def is_known(path: tuple[str, ...]) -> bool:
    """Whether ``path`` names something that a webhook's template can show."""
    match path:
        case (name,):
            return name in SHORT_NAMES or find_field(name) is not None
        case ("trigger", name):
            return name in TRIGGER_NAMES
        case ("delivery", name):
            return name in DELIVERY_NAMES
        case ("computed", index, name):
            return index.isascii() and index.isdigit() and len(index) <= MAX_CONDITION_DIGITS and name in COMPUTED_NAMES
        case ("event", name):
            return find_field(name) is not None
        case ("data", name) | ("event", "data", name):
            field = find_field(name)
            return field is not None and (not field.column or name == "agent_id")
        case _:
            return False


def names() -> tuple[str, ...]:
    """Every name that a template may show, for people; ``<n>`` stands for a condition's place, from 0."""
    return (
        *FIELDS,
        *ALIASES,
        *SHORT_NAMES,
        *(f"trigger.{name}" for name in sorted(TRIGGER_NAMES)),
        *(f"delivery.{name}" for name in sorted(DELIVERY_NAMES)),
        *(f"computed.<n>.{name}" for name in sorted(COMPUTED_NAMES)),
    )


def is_known_in_mcp(path: tuple[str, ...]) -> bool:
    """Whether ``path`` names something that the arguments of a tool can show."""
    return path == (FILE_CONTENT,) or is_known(path)
