"""From a delivery to its request: envelope, templates, headers, and what is kept of it."""

from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from agentauri.channels.request import Request, build, prepare
from agentauri.models.delivery import Claimed, DeliveryType
from tests.support.claims import FIRST_ID, SECRET, claimed
from tests.support.queue import EVENT

URL = "https://hooks.example.com/refund"


def request(delivery: Claimed, timestamp: int = 1_800_000_000) -> Request:
    return build(delivery, prepare(delivery.config), timestamp)


def test_default_body_is_the_standard_envelope() -> None:
    delivery = claimed(URL)
    assert orjson.loads(request(delivery).body) == {
        "type": "trigger.fired",
        "timestamp": "2026-11-23T08:00:01Z",
        "data": {
            "delivery_id": str(delivery.id),
            "trigger": {"id": "t-1", "name": "Low score"},
            "event": EVENT,
            "computed": {"1": {"ema": 61.5}},
        },
    }


def test_retraction_names_the_first_delivery_whatever_the_template() -> None:
    delivery = claimed(URL, type=DeliveryType.RETRACTED, body_template={"a": "{{agent_id}}"})
    body = orjson.loads(request(delivery).body)
    assert (body["type"], body["data"]["delivery_id"]) == ("trigger.retracted", str(FIRST_ID))


def test_body_is_the_same_at_every_attempt_and_verifies_with_the_time_of_each() -> None:
    delivery = claimed(URL)
    first, second = request(delivery, 1_800_000_000), request(delivery, 1_800_000_060)
    assert first.body == second.body
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.headers["webhook-id"] == first.headers["Idempotency-Key"] == str(delivery.id)


def test_example_3_sends_numbers_and_its_headers() -> None:
    headers = {"Authorization": "Bearer s3cr3t", "content-type": "application/json"}
    template = {"agent_id": "{{agent_id}}", "score": "{{score}}", "file_uri": "{{file_uri}}"}
    made = request(claimed(URL, headers=headers, body_template=template))
    assert orjson.loads(made.body) == {"agent_id": 42, "score": 59.5, "file_uri": None}
    assert made.headers["Authorization"] == "Bearer s3cr3t"
    assert [name for name in made.headers if name.lower() == "content-type"] == ["content-type"]


def test_text_body_is_sent_as_text() -> None:
    made = request(claimed(URL, body_template="Agent #{{agent_id}}: {{tag1}}"))
    assert made.body == b"Agent #42: quality"
    assert made.headers["Content-Type"].startswith("text/plain")


def test_get_has_no_body_and_is_signed_all_the_same() -> None:
    delivery = claimed(URL, method="GET")
    made = request(delivery)
    assert made.body == b""
    assert made.headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(
    ("url", "tag", "expected"),
    [
        ("https://x.com/{{tag1}}?q={{tag1}}", "a/b?c&d=é", "https://x.com/a%2Fb%3Fc%26d%3D%C3%A9?q=a%2Fb%3Fc%26d%3D%C3%A9"),
        ("https://x.com/a/{{tag1}}/b", "..", "https://x.com/a/%2E%2E/b"),
        ("https://x.com/a%2Fb/ü?x=%20", "", "https://x.com/a%2Fb/%C3%BC?x=%20"),
        ("https://bücher.example/ü/{{tag1}}", "x", "https://xn--bcher-kva.example/%C3%BC/x"),
    ],
)  # fmt: skip
def test_url_is_percent_encoded_once(url: str, tag: str, expected: str) -> None:
    event: dict[str, Any] = {"data": {"tag1": tag}}
    assert str(request(claimed(url, event=event)).url) == expected


def test_kept_request_holds_no_secret() -> None:
    headers = {"Authorization": "Bearer s3cr3t", "X-Team": "red"}
    made = request(claimed("https://x.com/a?token=s3cr3t&b=1", headers=headers, body_template={"key": "s3cr3t"}))
    kept = made.without_secrets()
    assert "s3cr3t" not in orjson.dumps(kept).decode()
    assert made.headers["webhook-signature"] not in orjson.dumps(kept).decode()
    assert (kept["method"], kept["headers"]["X-Team"], kept["body_bytes"]) == ("POST", "red", len(made.body))
    assert "b=1" in kept["url"]


def test_configuration_of_an_earlier_form_is_sent_with_defaults() -> None:
    delivery = claimed(URL)
    assert build(delivery, prepare({"url": URL}), 7).method == "POST"


def test_signature_verifies_with_the_reference_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    made = request(claimed(URL), int(time.time()))
    assert Webhook(SECRET).verify(made.body, made.headers)
