"""A trigger's own fields, the rules across them, and the definition that the log keeps."""

from uuid import uuid4

import orjson
import pytest

from agentauri.errors import InvalidRequest
from agentauri.models.action import ActionType
from agentauri.models.trigger import ActionRef, Fire, TriggerDefinition, TriggerFields, validate_trigger

EMA = {"condition_type": "ema_threshold", "operator": "<", "value": 70, "config": {"window_size": 3}}
RATE = {"condition_type": "rate_limit", "operator": ">", "value": 2, "config": {"time_window": "1h"}}
ABSENCE = {"condition_type": "absence", "config": {"time_window": "1h"}}
SCORE = {"condition_type": "score_threshold", "operator": "<", "value": 70}


def places(raw: dict[str, object], existing: TriggerFields | None = None) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        validate_trigger(raw, existing)
    return [pointer for pointer, _ in caught.value.problems]


def definition(fields: TriggerFields) -> TriggerDefinition:
    actions = [ActionRef(uuid4(), ActionType.REST, 3, notify_retraction=True), ActionRef(uuid4(), ActionType.MCP)]
    return TriggerDefinition.of(uuid4(), uuid4(), fields, actions)


def test_defaults_are_those_of_the_specification() -> None:
    fields = validate_trigger({"name": "a", "conditions": [SCORE], "is_stateful": True, "actions": []})
    assert (fields.chain_id, fields.registry, fields.fire, fields.cooldown_seconds) == (None, None, Fire.EVERY, 0)
    assert fields.enabled
    assert not fields.is_stateful


def test_every_problem_is_named_at_once() -> None:
    raw = {
        "name": "", "description": "x" * 1001, "chain_id": 0, "registry": "names", "fire": "once", "enabled": 1,
        "cooldown_seconds": 604801, "match_all": None, "conditions": [{"condition_type": "?"}],
    }  # fmt: skip
    assert sorted(places(raw)) == [
        "/chain_id", "/conditions/0/condition_type", "/cooldown_seconds", "/description", "/enabled", "/fire",
        "/match_all", "/name", "/registry",
    ]  # fmt: skip


def test_name_is_needed() -> None:
    assert places({"conditions": [SCORE]}) == ["/name"]


@pytest.mark.parametrize("raw", [{"name": "a"}, {"name": "a", "conditions": []}])
def test_trigger_without_conditions_is_refused_unless_match_all_says_so(raw: dict[str, object]) -> None:
    assert places(raw) == ["/conditions"]
    assert validate_trigger(raw | {"match_all": True}).match_all


def test_on_change_needs_a_stateful_condition() -> None:
    assert places({"name": "a", "fire": "on_change", "conditions": [SCORE]}) == ["/fire"]
    assert validate_trigger({"name": "a", "fire": "on_change", "conditions": [EMA]}).is_stateful


def test_stateful_conditions_share_one_group_by() -> None:
    other = RATE | {"config": {"time_window": "1h", "group_by": "chain_id"}}
    assert places({"name": "a", "conditions": [SCORE, EMA, other]}) == ["/conditions/2/config/group_by"]
    same = RATE | {"config": {"time_window": "1h", "group_by": ["agent_id"]}}
    assert validate_trigger({"name": "a", "conditions": [EMA, same]}).is_stateful


def test_change_keeps_what_is_not_sent_and_null_clears() -> None:
    raw = {"name": "a", "description": "d", "chain_id": 1, "registry": "identity", "conditions": [SCORE]}
    before = validate_trigger(raw)
    after = validate_trigger({"chain_id": None, "description": None, "name": "b"}, before)
    assert (after.name, after.description, after.chain_id, after.registry) == ("b", "", None, before.registry)
    assert after.conditions == before.conditions


def test_change_is_checked_against_what_stays() -> None:
    before = validate_trigger({"name": "a", "fire": "on_change", "conditions": [EMA]})
    assert places({"conditions": [SCORE]}, before) == ["/fire"]
    assert places({"name": None, "fire": None}, before) == ["/name", "/fire"]


def test_definition_is_equal_after_store_and_load() -> None:
    group = {"condition_type": "group", "config": {"mode": "none", "conditions": [SCORE]}}
    fields = validate_trigger(
        {"name": "é", "chain_id": 1, "registry": "identity", "cooldown_seconds": 5, "conditions": [group, EMA, RATE]}
    )
    before = definition(fields)
    assert TriggerDefinition.from_json(orjson.loads(orjson.dumps(before.to_json()))) == before


AGENT = ("agent_id_equals", "agent_id", "=", "42", None)
WHITELIST = '["0x70997970C51812dc3A010C7d01b50e0d17dc79C8","0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"]'
Row = tuple[str, str, str, str, dict[str, object] | None]
EXAMPLES: list[list[Row]] = [
    [AGENT, ("score_threshold", "score", "<", "60", None)],
    [("event_type_equals", "event_type", "=", "AgentRegistered", None)],
    [AGENT, ("tag_equals", "tag1", "=", "refund", None)],
    [
        ("validator_whitelist", "validator_address", "IN", WHITELIST, None),
        ("response_threshold", "response", "<", "80", None),
    ],
    [AGENT, ("ema_threshold", "score", "<", "70", {"window_size": 10, "alpha": 0.2})],
    [
        AGENT,
        ("score_threshold", "score", "<", "50", None),
        ("rate_limit", "feedback_count", ">", "10", {"time_window": "1h", "reset_on_trigger": True}),
    ],
    [AGENT, ("file_uri_exists", "file_uri", "IS NOT NULL", "", None)],
    [AGENT],
    [AGENT, ("score_threshold", "score", "<", "30", None)],
]
"""The conditions of the specification's nine example triggers."""


@pytest.mark.parametrize("rows", EXAMPLES)
def test_example_is_accepted_as_it_stands_and_stored_exactly(rows: list[Row]) -> None:
    members = ("condition_type", "field", "operator", "value", "config")
    conditions = [dict(zip(members, row, strict=True)) for row in rows]
    for condition in conditions:
        if condition["config"] is None:
            del condition["config"]
    before = definition(validate_trigger({"name": "example", "conditions": conditions}))
    assert TriggerDefinition.from_json(orjson.loads(orjson.dumps(before.to_json()))) == before


def test_absence_beside_another_stateful_condition_is_refused() -> None:
    assert validate_trigger({"name": "a", "conditions": [ABSENCE, SCORE]}).is_stateful
    assert places({"name": "a", "conditions": [ABSENCE, RATE]}) == ["/conditions/0"]
    assert places({"name": "a", "conditions": [RATE, ABSENCE]}) == ["/conditions/1"]
