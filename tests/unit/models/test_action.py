"""What users may write as an action, and how each mistake is named."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.errors import InvalidRequest
from agentauri.models.action import (
    MASK,
    ActionType,
    destination_of,
    lane_of,
    masked,
    merge_masked,
    parse_action,
    parse_actions,
)

ORGANIZATION = UUID("00000000-0000-4000-8000-000000000001")
URL = "https://hooks.example.com/refund"


def rest(**config: object) -> dict[str, object]:
    return {"action_type": "rest", "config": {"url": URL, **config}}


def problems_of(raw: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        parse_actions([raw])
    return dict(refused.value.problems)


def test_defaults_are_filled_in() -> None:
    spec = parse_action(rest())
    assert (spec.id, spec.priority, spec.enabled) == (None, 0, True)
    assert spec.config == {"url": URL, "method": "POST", "headers": {}, "timeout_seconds": 15}


def test_every_problem_of_every_action_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_actions([rest(method="TRACE", timeout_seconds=0), {"action_type": "fax", "priority": 101}])
    assert [pointer for pointer, _ in refused.value.problems] == [
        "/actions/0/config/method",
        "/actions/0/config/timeout_seconds",
        "/actions/1/action_type",
        "/actions/1/priority",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://example.com/", "https:///x", "https://user:pass@example.com/", "https://{{owner}}/x",
        "https://x.{{owner}}.com:443", "https://example.com:22/", "https://example.com:99999/", "http://2130706433/",
        "http://0x7f.1/", "http://127.1/", "https://exa mple.com/", "https://example.com\\@evil.com/",
        "https://example.com/\r\nX: y", "https://a..b/", "http://[::1%25eth0]/", "https://example.com/{{nonsense}}",
        "https://example.com/" + "a" * 2048, "https://%65xample.com/", 7, None,
    ],
)  # fmt: skip
def test_url_that_cannot_be_called_is_refused(url: Any) -> None:
    assert "/actions/0/config/url" in problems_of({"action_type": "rest", "config": {"url": url}})


def test_templates_in_path_and_query_of_a_url_are_taken() -> None:
    assert parse_action(rest(url="https://example.com/{{agent_id}}?tag={{tag1 | lower}}")).config["url"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Webhook-Id": "x"}, {"user-agent": "x"}, {"Host": "x"}, {"X": "a\r\nb"}, {"X": "a\0"}, {"X": "a" * 1025},
        {"X Y": "z"}, {"X": 5}, {"X": "a", "x": "b"}, {"X": "{{tag1}}"}, {f"X-{n}": "a" for n in range(21)}, ["X"],
        {"Authorization": MASK},
    ],
)  # fmt: skip
def test_headers_that_could_not_be_sent_are_refused(headers: object) -> None:
    assert any(pointer.startswith("/actions/0/config/headers") for pointer in problems_of(rest(headers=headers)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("body_template", {"a": "{{nonsense}}"}), ("body_template", "{{agent_id"), ("body_template", {"{{a}}": 1}),
        ("body_template", "x" * 16385), ("expected_status_codes", [302]), ("expected_status_codes", []),
        ("retry", []), ("retry", [0] * 16), ("retry", [-1]), ("retry", [86400] * 4), ("rate_limit_per_second", 0),
        ("notify_retraction", "yes"), ("timeout_seconds", 61), ("timeout_seconds", True), ("colour", "red"),
    ],
)  # fmt: skip
def test_other_wrong_values_are_refused_where_they_stand(key: str, value: object) -> None:
    assert any(pointer.startswith(f"/actions/0/config/{key}") for pointer in problems_of(rest(**{key: value})))


def test_text_that_is_a_json_object_is_stored_as_that_object() -> None:
    assert parse_action(rest(body_template='{"id": "{{agent_id}}"}')).config["body_template"] == {"id": "{{agent_id}}"}


@pytest.mark.parametrize(
    "url", ["https://Hooks.Example.com", "https://hooks.example.com:443/{{owner}}?x#y", "https://hooks.example.com./"]
)
def test_p22_spellings_of_one_server_give_one_destination_and_lane(url: Any) -> None:
    config = parse_action(rest(url=url)).config
    assert destination_of(ORGANIZATION, ActionType.REST, config) == f"{ORGANIZATION} https://hooks.example.com:443"
    assert lane_of(ActionType.REST, config) == "host:hooks.example.com"


def test_secret_headers_are_masked_and_a_mask_sent_back_keeps_the_stored_value() -> None:
    stored = parse_action(rest(headers={"Authorization": "Bearer s3cr3t", "X-Plain": "1"})).config
    shown = masked(stored)
    assert shown["headers"] == {"Authorization": MASK, "X-Plain": "1"}
    assert stored["headers"]["Authorization"] == "Bearer s3cr3t"
    back = merge_masked(stored, {**shown, "headers": {"authorization": MASK, "X-Api-Key": MASK}})
    assert back["headers"] == {"authorization": "Bearer s3cr3t", "X-Api-Key": MASK}


@pytest.mark.parametrize("raw", [None, 5, "x", [], {"config": {}}, {"action_type": "rest"}, rest() | {"id": "no"}])
def test_what_is_no_action_is_refused(raw: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_action(raw)


def test_actions_that_are_too_large_together_are_refused() -> None:
    large = rest(body_template="é" * 8_000)
    assert len(parse_actions([large] * 8)) == 8
    with pytest.raises(InvalidRequest) as refused:
        parse_actions([large] * 9)
    [(pointer, detail)] = refused.value.problems
    assert (pointer, "131072 bytes together" in detail) == ("/actions", True)


def test_actions_with_the_same_id_are_refused() -> None:
    twin = rest() | {"id": str(ORGANIZATION)}
    with pytest.raises(InvalidRequest, match="same id"):
        parse_actions([twin, twin])


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsk_" + "A" * 44, 5, "whsec_" + "A" * 43])
def test_signing_secret_of_another_form_is_refused(secret: object) -> None:
    config = {"url": "https://example.com/", "signing_secret": secret}
    with pytest.raises(InvalidRequest) as caught:
        parse_action({"action_type": "rest", "config": config})
    assert caught.value.problems[0][0] == "/config/signing_secret"


def test_signing_secret_is_masked() -> None:
    secret = "whsec_" + "A" * 43 + "="
    spec = parse_action({"action_type": "rest", "config": {"url": "https://example.com/", "signing_secret": secret}})
    assert spec.config["signing_secret"] == secret
    assert masked(spec.config)["signing_secret"] == MASK
