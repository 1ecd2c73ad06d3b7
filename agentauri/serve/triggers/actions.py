"""From actions as a body has them to rows: masked secrets kept, ids only where they are the trigger's own."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from agentauri.errors import InvalidRequest
from agentauri.models.action import (
    FALLBACK,
    ActionSpec,
    ActionType,
    destination_of,
    lane_of,
    merge_masked,
    parse_actions,
)
from agentauri.models.trigger import ActionRef
from agentauri.store.action_secrets import open_config, seal_config
from agentauri.store.triggers import ActionRow
from agentauri.store.vault import Vault

ANSWERED = ("disabled_by", "disabled_reason", "disabled_at")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new list of actions means: rows to put, ids to delete, ids whose held deliveries go on."""

    rows: tuple[ActionRow, ...]
    gone: tuple[UUID, ...] = ()
    enabled_again: tuple[UUID, ...] = ()
    moved: tuple[UUID, ...] = ()


def plan_actions(
    vault: Vault, organization_id: UUID, raw: Sequence[dict[str, Any]], existing: Sequence[dict[str, Any]]
) -> Plan:
    """Compare the actions of a body with the rows that exist. Raises InvalidRequest."""
    old = {str(row["id"]): row for row in existing}
    specs = parse_actions([_with_secrets(vault, item, old.get(str(item.get("id")))) for item in raw])
    _check_fallbacks(specs, {str(row["id"]) for row in existing})
    rows = tuple(_row(vault, organization_id, spec, old.get(str(spec.id))) for spec in specs)
    kept = {str(row.id): row for row in rows if str(row.id) in old}
    return Plan(
        rows,
        gone=tuple(UUID(id) for id in old if id not in kept),
        enabled_again=tuple(row.id for id, row in kept.items() if row.enabled and not old[id]["enabled"]),
        moved=tuple(
            row.id
            for id, row in kept.items()
            if (row.destination, row.lane) != (old[id]["destination"], old[id]["lane"])
        ),
    )


def _check_fallbacks(specs: Sequence[ActionSpec], existing: Set[str]) -> None:
    """A fallback is another action of the same trigger, which is there already. Raises InvalidRequest."""
    staying = {str(spec.id) for spec in specs} & existing
    for place, spec in enumerate(specs):
        fallback = spec.config.get(FALLBACK)
        if fallback is not None and (fallback not in staying or fallback == str(spec.id)):
            detail = "names no other action of this trigger; create that one first, and name it by its id then."
            raise InvalidRequest(f"{FALLBACK} {detail}", [(f"/actions/{place}/config/{FALLBACK}", detail)])


def _with_secrets(vault: Vault, item: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    """``item`` with its masked secrets filled in, without what only answers carry, or an id not of this trigger."""
    hidden = ANSWERED if old is not None else (*ANSWERED, "id")
    written = {key: value for key, value in item.items() if key not in hidden}
    if old is None:
        return written
    stored = open_config(vault, UUID(str(old["id"])), old["config"])
    return {**written, "config": merge_masked(stored, written["config"])}


def _row(vault: Vault, organization_id: UUID, spec: ActionSpec, old: Mapping[str, Any] | None) -> ActionRow:
    id_ = spec.id or uuid4()
    by, reason = None, None
    if not spec.enabled:
        by, reason = "user", None
        if old is not None and old["disabled_by"] == "system":
            by, reason = "system", old["disabled_reason"]
    return ActionRow(
        id=id_,
        action_type=spec.action_type,
        priority=spec.priority,
        enabled=spec.enabled,
        disabled_by=by,
        disabled_reason=reason,
        config=seal_config(vault, id_, spec.config),
        destination=destination_of(organization_id, spec.action_type, spec.config),
        lane=lane_of(spec.action_type, spec.config),
    )


def ref_of(row: ActionRow | Mapping[str, Any]) -> ActionRef:
    """The action as a version in the log names it. One that the system disabled still gets rows, which are held."""
    if isinstance(row, ActionRow):
        id_, kind, priority, enabled, by, config = (
            row.id, row.action_type, row.priority, row.enabled, row.disabled_by, row.config,
        )  # fmt: skip
    else:
        id_, kind, priority = UUID(str(row["id"])), row["action_type"], row["priority"]
        enabled, by, config = row["enabled"], row["disabled_by"], row["config"]
    return ActionRef(
        id=id_,
        action_type=ActionType(kind),
        priority=priority,
        enabled=enabled or by == "system",
        notify_retraction=bool(config.get("notify_retraction")),
    )
