"""The nine triggers that users of the platform write: events in, firings out."""

from typing import Any

import pytest

from agentauri.models.event import Event
from agentauri.models.trigger import TriggerDefinition
from tests.unit.engine.making import ALICE, BOB, definition, evaluator, event, score
from tests.unit.engine.test_evaluator import fired

HOUR = 3600


def one(kind: str, field: str, operator: str, value: str, **config: Any) -> dict[str, Any]:
    """A condition with its value as text, as the examples have it."""
    return {"condition_type": kind, "field": field, "operator": operator, "value": value, "config": config}


def trigger(registry: str, *conditions: dict[str, Any], chain_id: int = 84532) -> TriggerDefinition:
    return definition(*conditions, chain_id=chain_id, registry=registry, match_all=False)


AGENT = one("agent_id_equals", "agent_id", "=", "42")


def at_most(limit: str) -> TriggerDefinition:
    return trigger("reputation", AGENT, one("score_threshold", "score", "<", limit))


@pytest.mark.parametrize("limit", [60, 30])
def test_examples_1_and_9_fire_below_their_score_on_feedback_of_the_agent_alone(limit: int) -> None:
    log = [
        score(limit - 1, 1), score(limit, 2), score(f"{limit - 1}.999", 3), score(1, 4, agent_id=43),
        score(1, 5, chain_id=1), score(1, 6, registry="validation"), event(7, event_type="FeedbackRevoked"),
    ]  # fmt: skip
    assert fired(evaluator(at_most(str(limit))), *log) == [1, 3]


def test_example_2_takes_the_old_event_name_for_the_new_one() -> None:
    new_agent = trigger("identity", one("event_type_equals", "event_type", "=", "AgentRegistered"))
    names = ["Registered", "Transfer", "MetadataSet", "Registered"]
    log = [event(seq, registry="identity", event_type=name) for seq, name in enumerate(names, 1)]
    assert fired(evaluator(new_agent), *log) == [1, 4]


def test_example_3_fires_on_the_tag_as_written() -> None:
    refund = trigger("reputation", AGENT, one("tag_equals", "tag1", "=", "refund"))
    log = [event(seq, data={"tag1": tag}) for seq, tag in enumerate(["refund", "Refund", "", None, "refunds"], 1)]
    assert fired(evaluator(refund), *log) == [1]


def test_example_4_compares_addresses_without_case() -> None:
    listed = f'["{ALICE}","{BOB.lower()}"]'
    weak = trigger(
        "validation",
        one("validator_whitelist", "validator_address", "IN", listed),
        one("response_threshold", "response", "<", "80"),
        chain_id=80002,
    )

    def response(seq: int, address: str, value: int) -> Event:
        data = {"validator_address": address, "response": value}
        return event(seq, registry="validation", chain_id=80002, event_type="ValidationResponse", data=data)

    others = "0x" + "11" * 20
    log = [response(1, ALICE.lower(), 79), response(2, BOB, 0), response(3, others, 0), response(4, ALICE, 80)]
    assert fired(evaluator(weak), *log) == [1, 2]


def test_example_5_weighs_by_its_alpha() -> None:
    config = {"window_size": 10, "alpha": 0.2}
    average = trigger("reputation", AGENT, one("ema_threshold", "score", "<", "70", **config))
    engine = evaluator(average)
    found = [
        [one.computed["1"]["ema"] for one in engine.evaluate(score(value, seq))] for seq, value in [(1, 80), (2, 20)]
    ]
    assert found == [[], [pytest.approx(68.0)]]


def test_example_6_fires_at_the_eleventh_within_an_hour_then_counts_from_zero() -> None:
    burst = trigger(
        "reputation",
        AGENT,
        one("score_threshold", "score", "<", "50"),
        one("rate_limit", "feedback_count", ">", "10", time_window="1h", reset_on_trigger=True),
    )
    bad = [score(49, seq, time=seq * 60) for seq in range(1, 23)]
    good = [score(50, 100 + seq, time=seq * 60) for seq in range(1, 23)]
    slow = [score(49, 200 + seq, time=HOUR * 10 + seq * HOUR // 10) for seq in range(1, 23)]
    assert fired(evaluator(burst), *bad) == [11, 22]
    assert fired(evaluator(burst), *good, *slow) == []


def test_example_7_fires_where_there_is_a_file() -> None:
    push = trigger("reputation", AGENT, one("file_uri_exists", "file_uri", "IS NOT NULL", ""))
    log = [event(seq, data={"feedback_uri": uri}) for seq, uri in enumerate(["ipfs://a", "", None], 1)]
    assert fired(evaluator(push), *log, event(4)) == [1]


def test_example_8_fires_on_requests_and_responses_of_the_agent() -> None:
    names = ["ValidationRequest", "ValidationResponse"]
    log = [event(seq, registry="validation", event_type=name) for seq, name in enumerate(names, 1)]
    log.append(event(3, registry="validation", event_type=names[0], agent_id=7))
    assert fired(evaluator(trigger("validation", AGENT)), *log) == [1, 2]
