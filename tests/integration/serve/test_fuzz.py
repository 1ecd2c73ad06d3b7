"""Whatever stands where in a body or a query: an answer by the rules, never an error of ours."""

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from agentauri.serve.reading import BAD_TEXT
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from tests.integration.serve.conftest import CONTRACT, Api, User

ROUNDS = 120
WEIRD: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**63, -(2**63) - 1, 2**256, 1e308, "", " ", "0", "null", "\0", "\ud800",
    "\U0001f680", "x" * 5000, "{{agent_id}}", "{{", "0x" + "a" * 40, "https://[::1", "http://a:99999", "{[",
    "%", "(?P<", "../..", "1e999999", "٣", "-0", [], [[]], [None], {}, {"a": 1}, {"": {}}, [{}] * 60,
    {"mode": "any", "conditions": []},
]  # fmt: skip
FULL = {
    **EXAMPLE_TRIGGER,
    "description": "x",
    "enabled": True,
    "match_all": False,
    "fire": "every",
    "cooldown_seconds": 5,
    "conditions": [
        *EXAMPLE_TRIGGER["conditions"],
        {"condition_type": "tag_equals", "field": "tag1", "operator": "matches", "value": "a+", "config": {}},
        {"condition_type": "group", "config": {"mode": "any", "conditions": EXAMPLE_TRIGGER["conditions"]}},
        {"condition_type": "ema_threshold", "operator": "<", "value": 5, "config": {"window_size": 3, "alpha": 0.5}},
        {"condition_type": "rate_limit", "operator": ">", "value": 3, "config": {"time_window": "1h"}},
    ],
    "actions": [
        {
            "action_type": "rest",
            "priority": 1,
            "enabled": True,
            "config": {
                "url": "https://example.com/{{agent_id}}",
                "method": "POST",
                "headers": {"Authorization": "x", "X-A": "b"},
                "body_template": {"a": "{{score}}", "b": [1, None]},
                "timeout_seconds": 5,
                "expected_status_codes": [200],
                "retry": [0, 5],
                "rate_limit_per_second": 2,
                "notify_retraction": True,
            },
        },
        {
            "action_type": "telegram",
            "config": {
                "chat_id": -100123,
                "message_template": "*{{agent_id}}* [x](https://x.io/{{tag1}})",
                "parse_mode": "MarkdownV2",
                "bot_token": "123:abc",
                "disable_notification": True,
                "message_thread_id": 7,
                "retry": [0],
            },
        },
    ],
}


def mutate(value: Any, chance: random.Random) -> Any:
    """A copy of ``value`` in which something, somewhere, is something else."""
    made = copy.deepcopy(value)
    node: Any = made
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = chance.choice(keys)
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.75:
            node = node[key]
            continue
        match chance.randrange(4):
            case 0 if isinstance(node, dict):
                node[chance.choice(["x", "id", "", "config", "a\0"])] = chance.choice(WEIRD)
            case 1:
                del node[key]
            case _:
                node[key] = chance.choice(WEIRD)
        return made


async def test_no_body_of_a_trigger_breaks_anything(user: User) -> None:
    chance = random.Random(8004)
    made = (await user.call("POST", "/triggers", json=FULL)).json()["data"]
    seen = set()
    for number in range(ROUNDS):
        create = number % 2
        body = mutate(FULL if create else made, chance)
        method, path = ("POST", "/triggers") if create else ("PATCH", f"/triggers/{made['id']}")
        headers = {"Content-Type": "application/json"}
        answer = await user.call(method, path, content=json.dumps(body), headers=headers)
        assert answer.status_code in (200, 201, 400), (answer.text, body)
        if answer.status_code == 400:
            assert answer.json()["errors"][0]["detail"]
        seen.add(answer.status_code)
        await user.call("PATCH", f"/triggers/{made['id']}", json=made)
    assert seen == {200, 201, 400}


async def test_no_query_breaks_anything(api: Api, user: User) -> None:
    chance = random.Random(8004)
    names = {
        "/triggers": ["chain_id", "registry", "enabled", "search", "limit", "offset"],
        "/events": ["chain_id", "event_type", "agent_id", "address", "tag", "from", "to", "transaction_hash", "search"],
        "/deliveries": ["status", "trigger_id", "action_id", "channel", "from", "to", "cursor", "limit"],
    }
    for _ in range(ROUNDS):
        path = chance.choice(list(names))
        value = chance.choice([one for one in WEIRD if one not in ("\ud800",)])
        text = value if isinstance(value, str) else json.dumps(value)
        answer = await user.call("GET", f"{path}?{chance.choice(names[path])}={quote(text)}")
        assert answer.status_code in (200, 400), (path, text, answer.text)


def texts(schema: Any, pointer: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of a body where text may stand."""
    schema = resolved(schema)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from texts(part, pointer)
    if "string" in schema.get("type", ""):
        yield pointer
    for name, inner in schema.get("properties", {}).items():
        yield from texts(inner, (*pointer, name))
    if "items" in schema:
        yield from texts(schema["items"], (*pointer, "0"))


def resolved(schema: Any) -> Any:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return CONTRACT.document["components"]["schemas"][name] if name else schema


def around(text: str, pointer: tuple[str, ...]) -> Any:
    """A body in which ``text`` stands there."""
    made: Any = text
    for key in reversed(pointer):
        made = [made] if key == "0" else {key: made}
    return made


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800"])
async def test_text_that_cannot_be_stored_is_refused_in_every_field_of_every_body(user: User, bad: str) -> None:
    seen = 0
    for path, method, operation in CONTRACT.operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        filled = re.sub(r"\{[^}]+\}", str(uuid4()), path.removeprefix("/api/v1"))
        for pointer in () if content is None else texts(content["schema"]):
            body = json.dumps(around("a BAD b", pointer)).replace("BAD", bad)
            headers = {"Content-Type": "application/json"}
            answer = await user.call(method.upper(), filled, content=body, headers=headers)
            assert answer.status_code == 400, (path, pointer, answer.text)
            assert answer.json()["errors"] == [{"pointer": "/" + "/".join(pointer), "detail": BAD_TEXT}]
            seen += 1
    assert seen > 50


async def test_nul_is_refused_in_every_query_parameter(user: User) -> None:
    for path, method, operation in CONTRACT.operations():
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and method == "get":
                filled = re.sub(r"\{[^}]+\}", str(uuid4()), path.removeprefix("/api/v1"))
                answer = await user.call("GET", f"{filled}?{parameter['name']}=a%00b")
                assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


STRANGE = [
    "\U0001f469‍\U0001f680",
    "עברית‮evil",
    "e\u0301\u0301\u0301",
    "ﷺ" * 20,
    "\ufeff\u2028\u2029",
    "İıſK",
    "\x7f\x1b[31m",
]


@pytest.mark.parametrize("text", STRANGE)
async def test_strange_text_is_kept_as_it_is_or_refused(user: User, text: str) -> None:
    trigger = {"name": text, "description": text, "match_all": True}
    key = {"name": text, "permissions": ["events:read"]}
    for path, body in [("/triggers", trigger), ("/api-keys", key), ("/organizations", {"name": text})]:
        answer = await user.call("POST", path, json=body)
        assert answer.status_code in (201, 400), answer.text
        if answer.status_code == 201:
            assert answer.json()["data"]["name"] == text
    changed = await user.call("PATCH", "/auth/me", json={"name": text})
    assert changed.status_code in (200, 400)


async def test_numbers_beyond_all_bounds_are_refused(user: User) -> None:
    for number in ("1e400", "-1e400", "9" * 5000, "1" + "0" * 400, "0." + "0" * 400 + "1", "-0", "1E+200"):
        body = f'{{"name": "x", "match_all": true, "chain_id": {number}, "cooldown_seconds": {number}}}'
        answer = await user.call("POST", "/triggers", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, (number[:20], answer.text)


async def test_kinds_of_bodies_other_than_json_are_refused(user: User) -> None:
    kinds = [
        "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "",
        "json", "application/jsonp", "text/json", "application/octet-stream; charset=json",
    ]  # fmt: skip
    for kind in kinds:
        answer = await user.call("POST", "/triggers", content=b'{"name": "x"}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_media_type"), kind
