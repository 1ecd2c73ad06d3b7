"""A trigger as answers show it: secrets masked, what is ours left out."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from agentauri.engine.narrow import cost_class
from agentauri.models.action import masked
from agentauri.models.breaker import Breaker, BreakerConfig
from agentauri.models.condition_parsing import load_conditions
from agentauri.store.triggers import Trigger

FIELDS = ("name", "description", "chain_id", "registry", "enabled", "match_all", "fire", "cooldown_seconds")
"""What its organization sets, besides conditions and actions."""

BREAKER_SETTINGS = tuple(field.name for field in fields(BreakerConfig))
SHOWN = ("id", "action_type", "priority", "enabled", "disabled_by", "disabled_reason", "disabled_at")
"""Of each action; its configuration comes masked."""


def public(stored: Trigger) -> dict[str, Any]:
    """The whole trigger."""
    return {
        "id": stored.id,
        "organization_id": stored.organization_id,
        "created_by": stored.created_by,
        **{name: getattr(stored, name) for name in FIELDS},
        "disabled_reason": stored.disabled_reason,
        "is_stateful": stored.is_stateful,
        "cost_class": cost_class(load_conditions(stored.conditions)),
        "fired_count": stored.fired_count,
        "last_fired_at": stored.last_fired_at,
        "error_count": stored.error_count,
        "last_error": stored.last_error,
        "circuit_breaker": public_breaker(stored.breaker, datetime.now(UTC)),
        "start": stored.start,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "conditions": stored.conditions,
        "actions": [_public_action(action) for action in stored.actions],
    }


def _public_action(action: dict[str, Any]) -> dict[str, Any]:
    return {**{name: action[name] for name in SHOWN}, "config": masked(action["config"])}


def public_breaker(breaker: Breaker, now: datetime) -> dict[str, Any]:
    """A breaker as answers show it."""
    return {
        "state": breaker.state(now),
        "failure_count": breaker.failure_count,
        "opened_at": breaker.opened_at,
        "last_failure_at": breaker.last_failure_at,
        "config": {name: getattr(breaker.config, name) for name in BREAKER_SETTINGS},
    }
