"""Expressions: what they see of an event, that errors are false and counted, and that none can take a process down."""

import time
from uuid import UUID

import pytest

from agentauri.engine.compile import compile_test
from agentauri.engine.expression import MAX_TEXT
from agentauri.models.event import Event
from agentauri.models.expression import MAX_EXPRESSION
from tests.unit.engine.making import ALICE, BIG_AGENT, HASH, definition, evaluator, event, expression, parsed, score


def outcome(text: str, happened: Event) -> bool | None:
    """The verdict, None for an error."""
    errors: list[None] = []
    test = compile_test(parsed(expression(text)), lambda: errors.append(None))
    assert test is not None
    verdict = test(happened)
    assert not (verdict and errors)
    return None if errors else verdict


WHOLE = {
    "score": "59.5", "value": str(2**127 - 1), "tag1": "Refund", "client_address": ALICE, "approved": True,
    "feedback_hash": HASH, "feedback_uri": "", "topics": [HASH, HASH.lower()], "response": 7,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("score < 60", True), ("score < 60.0 && response == 7", True), ("score == 59.5", True),
        (f"value == '{2**127 - 1}'", True), ("double(value) > 1e38", True), ("size(value) == 39", True),
        ("tag1 == 'Refund' && !tag1.matches('^refund$')", True), ("tag1.matches('(?i)^refund$')", True),
        (f"client_address == '{ALICE}'", True), (f"client_address == '{ALICE.lower()}'", True),
        (f"file_hash == '{HASH}'", True), ("approved", True), ("topics.all(t, size(t) == 66)", True),
        ("chain_id == 84532 && registry == 'reputation' && event_type != 'Transfer'", True),
        ("agent_id in [41.0, 42.0]", True),
        ("timestamp >= 1700000000 && block_timestamp == timestamp", True), ("score > 60", False),
        ("['re', 'Re'].exists(p, tag1.startsWith(p))", True),
    ],
)  # fmt: skip
def test_expression_sees_the_fields_of_an_event(text: str, verdict: bool) -> None:
    assert outcome(text, event(data=WHOLE)) is verdict


@pytest.mark.parametrize(
    "text",
    ["score < 60", "tag1 == ''", "feedback_uri == ''", "1 / 0 > 0", "int(tag2) > 0", "tag2.matches('(')"],
)
def test_error_is_false_and_counted(text: str) -> None:
    assert outcome(text, event(data={"feedback_uri": "", "tag2": "x"})) is None


def test_error_that_does_not_matter_is_none() -> None:
    assert outcome("score < 60 || agent_id == 42", event()) is True


def test_errors_are_counted_by_trigger_and_disable_nothing() -> None:
    engine = evaluator(definition(expression("score < 60")))
    for seq in range(1, 21):
        assert engine.evaluate(event(seq)) == []
    assert engine.take_failures() == []
    assert engine.take_expression_errors() == {UUID(int=1): 20}
    assert len(engine.evaluate(score(1, 21))) == 1
    assert engine.take_expression_errors() == {}


def test_agent_beyond_int64_is_a_double() -> None:
    assert outcome("agent_id > 1e70", event(agent_id=None, data={"agent_id": str(BIG_AGENT)})) is True


def test_text_beyond_its_bound_is_missing() -> None:
    assert outcome("tag1 != ''", event(data={"tag1": "a" * MAX_TEXT})) is True
    assert outcome("tag1 != ''", event(data={"tag1": "a" * (MAX_TEXT + 1)})) is None


COSTLY = [
    "&&".join(["tag1.contains(tag2)"] * 48),
    "+".join(["(" + "+".join(["tag1"] * 20) + ")"] * 10) + "!=''",
    f"[[{','.join(['tag1'] * 80)}]].exists(x, [{','.join(['x'] * 140)}] == [{','.join(['x'] * 140)}])",
    f"[1,2,3,4,5,6,7,8,9].all(a, {'&&'.join(['tag1.matches(tag2)'] * 46)})",
    f"[{','.join('1' * 400)}].all(a, a * a * a * a * a * a * a * a * a * a * a == 1)",
]


@pytest.mark.parametrize("text", COSTLY)
def test_costliest_expressions_end_soon(text: str) -> None:
    assert len(text) <= MAX_EXPRESSION
    happened = event(data={"tag1": "a" * MAX_TEXT, "tag2": "a" * (MAX_TEXT // 2) + "b"})
    began = time.process_time()
    outcome(text, happened)
    assert time.process_time() - began < 0.5
