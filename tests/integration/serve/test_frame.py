"""What every answer has, whatever was asked: its id, its headers, one shape for errors."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentauri.serve import frame
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User

MEMBERS = {"type", "title", "status", "detail", "instance", "error", "message", "request_id"}
SECURITY = ("x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy")


ERRORS: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/api/v1/nowhere", {}, 404, "not_found"),
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("PUT", "/api/v1/triggers", {}, 405, "method_not_allowed"),
        ("GET", "/api/v1/triggers", {}, 401, "unauthenticated"),
        ("POST", "/api/v1/auth/login", {"content": b"x" * (2**20 + 1)}, 413, "payload_too_large"),
        ("POST", "/api/v1/auth/login", {"data": {"email": "x"}}, 415, "unsupported_media_type"),
        ("POST", "/api/v1/auth/login", {"content": b"{}"}, 415, "unsupported_media_type"),
        ("POST", "/api/v1/auth/login", {"json": {}}, 400, "invalid_request"),
        ("GET", "/api/v1/triggers?search=%00", {}, 400, "invalid_request"),
    ]  # fmt: skip


async def test_every_error_has_the_one_shape(api: Api) -> None:
    for method, path, more, status, code in ERRORS:
        answer = await api.client.request(method, path, **more)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert set(body) - {"errors"} == MEMBERS
        assert (body["status"], body["error"], body["message"]) == (status, code, body["detail"])
        assert body["instance"] == path.partition("?")[0]
        assert body["request_id"] == answer.headers["x-request-id"]
        assert all(name in answer.headers for name in SECURITY)


async def test_a_405_lists_every_method_that_the_path_knows(api: Api, user: User) -> None:
    for path, methods in [
        ("/triggers", "GET, HEAD, POST"),
        ("/triggers/1", "DELETE, GET, HEAD, PATCH"),
        ("/health", "GET, HEAD"),
        ("/events/stream", "GET"),
        ("/auth/login", "POST"),
    ]:
        answer = await api.client.request("PUT", f"/api/v1{path}")
        assert (answer.status_code, answer.headers["allow"]) == (405, methods), path
    for path in ("/docs", "/api/v1/openapi.json"):
        assert (await api.client.put(path)).headers["allow"] == "GET, HEAD"


async def test_head_tells_what_get_does_without_the_body(api: Api, user: User) -> None:
    for path in ("/health", "/triggers", "/auth/me", f"/triggers/{user.organization_id}"):
        got, told = await user.call("GET", path), await user.call("HEAD", path)
        assert (told.status_code, told.content) == (got.status_code, b"")
        assert told.headers["content-length"] == str(len(got.content))
        assert told.headers["content-type"] == got.headers["content-type"]


async def test_head_opens_no_stream(user: User) -> None:
    answer = await user.call("HEAD", "/events/stream")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_a_compressed_body_is_a_415_that_says_so(api: Api) -> None:
    for path, kind in [("auth/login", "application/json"), ("oauth/token", "application/x-www-form-urlencoded")]:
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        answer = await api.client.post(f"/api/v1/{path}", content=gzip.compress(b"{}"), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_media_type")
        assert "Content-Encoding" in answer.json()["detail"]


LENGTHS: list[tuple[dict[str, Any], str]] = [
    ({"name": "", "permissions": ["events:read"]}, "should have at least 1 character."),
    ({"name": "x" * 256, "permissions": ["events:read"]}, "should have at most 255 characters."),
    ({"name": "x", "permissions": []}, "should have at least 1 item."),
]


async def test_what_is_too_long_or_too_short_is_told_in_characters_or_items(user: User) -> None:
    for body, detail in LENGTHS:
        answer = await user.call("POST", "/api-keys", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, detail)


async def test_a_written_out_path_is_no_thing_of_that_name(api: Api, user: User) -> None:
    for method, path in [
        ("PATCH", "/api-keys/stats"),
        ("DELETE", "/triggers/schema"),
        ("DELETE", "/deliveries/replay"),
    ]:
        answer = await user.call(method, path, json={})
        assert answer.status_code == 405
        assert method not in answer.headers["allow"]


async def test_a_body_of_unknown_length_is_counted(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 2**16

    headers = {"content-type": "application/json"}
    answer = await api.client.post("/api/v1/auth/login", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")


async def test_a_body_that_does_not_arrive_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    monkeypatch.setattr(frame, "BODY_SECONDS", 0.05)
    for headers in ({}, {"content-length": "100"}):
        headers = {"content-type": "application/json", **headers}
        answer = await api.client.post("/api/v1/auth/login", content=stuck(), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert "did not arrive" in answer.json()["detail"]


UNREADABLE = [
        b"{", b"nope", b"[" * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40, b'{"email": NaN}', b"1e999",
        b"1" + b"0" * 5000, b'{"email": "\xff"}', b"\xff\xfe{\0}\0", b'{"email": "\\ud800"}', b'{"x\\u0000": 1}',
    ]  # fmt: skip


async def test_a_body_that_cannot_be_read_is_a_400(api: Api) -> None:
    for content in UNREADABLE:
        headers = {"content-type": "application/json"}
        answer = await api.client.post("/api/v1/auth/login", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_of_very_many_unknown_members_the_first_are_named_and_the_rest_costs_nothing(api: Api) -> None:
    body = {"email": "ada@example.com", **{f"unknown{number}": 1 for number in range(20_000)}}
    answer = await api.client.post("/api/v1/auth/login", json=body)
    pointers = [one["pointer"] for one in answer.json()["errors"]]
    assert pointers == ["/password", *(f"/unknown{number}" for number in range(99))]


async def test_a_request_id_is_echoed_if_it_can_be_and_made_otherwise(api: Api) -> None:
    for sent, echoed in [("abc-1", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)]:
        answer = await api.client.get("/api/v1/health/live", headers={"X-Request-ID": sent})
        assert (answer.headers["x-request-id"] == sent) is echoed
        assert answer.headers["x-request-id"]


async def test_an_unforeseen_error_tells_its_request_id_and_nothing_else(
    api: Api, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.app.state.context, "pool", None)
    answer = await user.call("GET", "/triggers")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
    assert "NoneType" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


async def test_without_the_database_answers_are_503_and_health_says_why(api: Api, user: User, pool: Pool) -> None:
    await user.call("GET", "/triggers")
    context = api.app.state.context
    await context.pool.close()
    answer = await user.call("GET", "/triggers")
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "unavailable", "5")
    health = await api.client.get("/api/v1/health")
    assert (health.status_code, health.json()["database"], health.json()["redis"]) == (503, "disconnected", "connected")
    assert (await api.client.get("/api/v1/health/ready")).status_code == 503
    assert (await api.client.get("/api/v1/health/live")).json() == {"status": "alive"}


async def test_health_is_whole_when_every_part_is(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def up() -> bool:
        return True

    monkeypatch.setattr("agentauri.serve.system.service.is_cluster_up", up)
    answer = await api.client.get("/api/v1/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy", "database": "connected", "redis": "connected", "cluster": "connected", "version": "0.1.0",
    }  # fmt: skip
    assert (await api.client.get("/api/v1/health/ready")).json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_pages_need_no_network_and_run_no_foreign_script(api: Api, path: str) -> None:
    page = await api.client.get(path)
    assert page.status_code == 200
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png"):
        if asset in page.text:
            assert (await api.client.get(f"/static-offline-docs/{asset}")).status_code == 200


async def test_the_document_is_packed_and_not_sent_twice(api: Api) -> None:
    path = "/api/v1/openapi.json"
    packed, plain = [await api.client.get(path, headers={"Accept-Encoding": how}) for how in ("gzip", "identity")]
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) * 5 < int(plain.headers["content-length"])
    assert packed.json() == plain.json() == json.loads(json.dumps(api.app.openapi()))
    again = await api.client.get(path, headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_json_answers_may_not_be_framed_or_run(api: Api) -> None:
    answer = await api.client.get("/api/v1/health/live")
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert json.loads(answer.content) == {"status": "alive"}
