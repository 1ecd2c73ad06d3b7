"""A trigger's own fields with the rules that span them, and its definition as the log of versions keeps it.

``validate_trigger`` is the one check behind creating and changing a trigger. ``TriggerDefinition`` is what stands in
``trigger_versions.definition``: all that evaluation needs and nothing that it does not. How an action is sent is not
in it; the delivery looks that up when it is made (protocol P19).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

from agentauri.models.action import ActionType
from agentauri.models.condition import Condition, ConditionType
from agentauri.models.condition_parsing import collect_conditions, load_conditions
from agentauri.models.event import Registry
from agentauri.models.problems import Problems
from agentauri.models.values import parse_text

T = TypeVar("T")

MAX_NAME = 255
MAX_DESCRIPTION = 1000
MAX_COOLDOWN_SECONDS = 604_800
MAX_CHAIN_ID = 2**63 - 1


class Fire(StrEnum):
    """When a match fires: each time, or when the outcome for the group turns from false to true."""

    EVERY = "every"
    ON_CHANGE = "on_change"


@dataclass(frozen=True, slots=True)
class TriggerFields:
    """What a user says of a trigger, actions left out. ``None`` chain or registry means any."""

    name: str
    description: str = ""
    chain_id: int | None = None
    registry: Registry | None = None
    enabled: bool = True
    match_all: bool = False
    fire: Fire = Fire.EVERY
    cooldown_seconds: int = 0
    conditions: tuple[Condition, ...] = ()

    @property
    def is_stateful(self) -> bool:
        """Whether a condition's outcome depends on earlier events."""
        return any(condition.is_stateful for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class ActionRef:
    """An action as far as firing needs it. ``priority`` 0 goes first among those of one event."""

    id: UUID
    action_type: ActionType
    priority: int = 0
    enabled: bool = True
    notify_retraction: bool = False

    def to_json(self) -> dict[str, object]:
        """As JSON."""
        return {
            "id": str(self.id),
            "action_type": self.action_type.value,
            "priority": self.priority,
            "enabled": self.enabled,
            "notify_retraction": self.notify_retraction,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ActionRef":
        """From ``to_json``'s form. Raises KeyError, TypeError or ValueError where it is not that."""
        kind = TYPES[stored["action_type"]]
        return cls(UUID(stored["id"]), kind, stored["priority"], stored["enabled"], stored["notify_retraction"])


@dataclass(frozen=True, slots=True)
class TriggerDefinition:
    """What a trigger is from a place in the log on."""

    id: UUID
    organization_id: UUID
    name: str
    chain_id: int | None
    registry: Registry | None
    fire: Fire
    cooldown_seconds: int
    match_all: bool
    conditions: tuple[Condition, ...]
    actions: tuple[ActionRef, ...]

    @classmethod
    def of(
        cls, trigger_id: UUID, organization_id: UUID, fields: TriggerFields, actions: Sequence[ActionRef]
    ) -> "TriggerDefinition":
        """The definition of an enabled trigger with these fields and actions."""
        return cls(
            id=trigger_id,
            organization_id=organization_id,
            name=fields.name,
            chain_id=fields.chain_id,
            registry=fields.registry,
            fire=fields.fire,
            cooldown_seconds=fields.cooldown_seconds,
            match_all=fields.match_all,
            conditions=fields.conditions,
            actions=tuple(actions),
        )

    @property
    def is_stateful(self) -> bool:
        """Whether a condition's outcome depends on earlier events."""
        return any(condition.is_stateful for condition in self.conditions)

    @property
    def keeps_state(self) -> bool:
        """Whether anything of an event is remembered for later ones; if not, a replay has nothing to do for it."""
        return self.is_stateful or self.cooldown_seconds > 0

    def to_json(self) -> dict[str, object]:
        """As JSON; ``from_json`` gives an equal definition."""
        return {
            "id": str(self.id),
            "organization_id": str(self.organization_id),
            "name": self.name,
            "chain_id": self.chain_id,
            "registry": None if self.registry is None else self.registry.value,
            "fire": self.fire.value,
            "cooldown_seconds": self.cooldown_seconds,
            "match_all": self.match_all,
            "conditions": [condition.wire() for condition in self.conditions],
            "actions": [action.to_json() for action in self.actions],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "TriggerDefinition":
        """From ``to_json``'s form. Raises KeyError, TypeError or ValueError where it is not that."""
        return cls(
            id=UUID(stored["id"]),
            organization_id=_shared_id(stored["organization_id"]),
            name=stored["name"],
            chain_id=stored["chain_id"],
            registry=None if stored["registry"] is None else REGISTRIES[stored["registry"]],
            fire=FIRES[stored["fire"]],
            cooldown_seconds=stored["cooldown_seconds"],
            match_all=stored["match_all"],
            conditions=load_conditions(stored["conditions"]),
            actions=tuple(ActionRef.from_json(action) for action in stored["actions"]),
        )


REGISTRIES = {registry.value: registry for registry in Registry}
FIRES = {fire.value: fire for fire in Fire}
TYPES = {kind.value: kind for kind in ActionType}

_shared_id = lru_cache(maxsize=1 << 14)(UUID)
"""An organization has many triggers; they share its id in memory."""


def validate_trigger(raw: Mapping[str, object], existing: TriggerFields | None = None) -> TriggerFields:
    """The fields of a new trigger, or of ``existing`` changed by those that ``raw`` has (null clears a nullable one).

    Members of ``raw`` that are no fields of a trigger are left to the caller. Raises InvalidRequest with every
    problem, those of conditions included.
    """
    problems = Problems()
    was = existing or TriggerFields(name="")
    conditions = was.conditions
    if "conditions" in raw:
        conditions = collect_conditions(raw["conditions"], "/conditions", problems)
    conditions_fit = not len(problems)
    fields = TriggerFields(
        name=_take(problems, raw, "name", _name, was.name),
        description=_take(problems, raw, "description", _description, was.description),
        chain_id=_take(problems, raw, "chain_id", _chain_id, was.chain_id),
        registry=_take(problems, raw, "registry", _registry, was.registry),
        enabled=_take(problems, raw, "enabled", _boolean, was.enabled),
        match_all=_take(problems, raw, "match_all", _boolean, was.match_all),
        fire=_take(problems, raw, "fire", _fire, was.fire),
        cooldown_seconds=_take(problems, raw, "cooldown_seconds", _cooldown, was.cooldown_seconds),
        conditions=conditions,
    )
    if existing is None and "name" not in raw:
        problems.add("/name", "is missing")
    if conditions_fit:
        _check_together(fields, problems)
    problems.refuse("the trigger is not valid")
    return fields


def _check_together(fields: TriggerFields, problems: Problems) -> None:
    """The rules that span fields and conditions."""
    if not fields.conditions and not fields.match_all:
        problems.add("/conditions", "must not be empty, unless match_all: true says that every event is meant")
    if fields.fire is Fire.ON_CHANGE and not fields.is_stateful:
        problems.add("/fire", "on_change needs a stateful condition, such as ema_threshold or rate_limit")
    stateful = [(index, one) for index, one in enumerate(fields.conditions) if one.is_stateful]
    absent = [index for index, one in stateful if one.type is ConditionType.ABSENCE]
    if absent and len(stateful) > 1:
        problems.add(f"/conditions/{absent[-1]}", "absence must be a trigger's only stateful condition")
    for index, condition in stateful:
        if condition.group_by != stateful[0][1].group_by:
            problems.add(
                f"/conditions/{index}/config/group_by",
                f"must be that of /conditions/{stateful[0][0]}: all stateful conditions of a trigger share one",
            )


def _take(problems: Problems, raw: Mapping[str, object], name: str, parser: Callable[[object], T], was: T) -> T:
    if name not in raw:
        return was
    before = len(problems)
    parsed = problems.check(f"/{name}", parser, raw[name])
    return was if len(problems) > before else cast(T, parsed)


def _name(raw: object) -> str:
    text = parse_text(raw, MAX_NAME)
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _description(raw: object) -> str:
    return "" if raw is None else parse_text(raw, MAX_DESCRIPTION)


def _integer(raw: object, low: int, high: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        raise ValueError(f"must be a whole number from {low} to {high}")
    return raw


def _chain_id(raw: object) -> int | None:
    return None if raw is None else _integer(raw, 1, MAX_CHAIN_ID)


def _registry(raw: object) -> Registry | None:
    if raw is None:
        return None
    if not isinstance(raw, str) or raw not in tuple(Registry):
        raise ValueError("must be identity, reputation, validation, or null for any")
    return Registry(raw)


def _fire(raw: object) -> Fire:
    if not isinstance(raw, str) or raw not in tuple(Fire):
        raise ValueError("must be every or on_change")
    return Fire(raw)


def _cooldown(raw: object) -> int:
    return _integer(raw, 0, MAX_COOLDOWN_SECONDS)


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("must be true or false")
    return raw
