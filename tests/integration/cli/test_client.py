"""The client against scripted answers: limits, refusals and nonsense, each one clear line."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from agentauri.accounts.api_keys import Environment, make_key
from agentauri.cli import client as client_module
from tests.integration.cli.conftest import Cli, serving

EMPTY = {"data": [], "pagination": {"total": 0, "limit": 100, "offset": 0, "has_more": False}}


def problem(status: int, code: str, *, headers: dict[str, str] | None = None, **more: Any) -> Response:
    detail = {"title": "T", "status": status, "detail": "the detail.", "error": code, "request_id": "r1", **more}
    return Response(json.dumps(detail), status, headers, media_type="application/problem+json")


@dataclass
class Script:
    """Answers in turn; the last one for ever."""

    answers: list[Response]
    requests: list[Request] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def scripted(*answers: Response) -> AsyncIterator[tuple[str, Script]]:
    script, app = Script(list(answers)), Starlette()
    app.add_route("/{path:path}", script.answer, methods=["GET", "POST", "PATCH", "DELETE"])
    async with serving(app) as url:
        yield url, script


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("agentauri.cli.client.time.sleep", found.append)
    monkeypatch.setenv("AGENTAURI_API_KEY", make_key(Environment.LIVE).text)
    return found


async def test_limit_of_seconds_is_waited_for(cli: Cli, waited: list[float]) -> None:
    limited = problem(429, "rate_limited", headers={"retry-after": "2"})
    async with scripted(limited, Response(json.dumps(EMPTY), media_type="application/json")) as (url, script):
        ended = await cli.ok("trigger", "list", "--api", url)
    assert waited == [2]
    assert "the API is busy; trying again in 2 s." in ended.err
    assert len(script.requests) == 2


async def test_limit_that_lasts_is_told(cli: Cli, waited: list[float]) -> None:
    async with scripted(problem(429, "rate_limited", headers={"retry-after": "3000"})) as (url, _):
        ended = await cli("trigger", "list", "--api", url)
    assert (ended.status, ended.err, waited) == (1, "the detail; try again in 3000 s.", [])


async def test_busy_service_is_asked_a_few_times_only(cli: Cli, waited: list[float]) -> None:
    async with scripted(problem(503, "unavailable", headers={"retry-after": "1"})) as (url, script):
        ended = await cli("trigger", "list", "--api", url)
    assert ended.status == 1
    assert len(script.requests) == client_module.MAX_TRIES


async def test_locked_account_is_not_tried_again(cli: Cli, waited: list[float]) -> None:
    async with scripted(problem(429, "account_locked", headers={"retry-after": "5"})) as (url, script):
        ended = await cli("login", "--api", url, "--username", "ada", input="x\n")
    assert ended.err == "the detail; try again in 5 s."
    assert len(script.requests) == 1


async def test_how_long_to_wait_is_told_once(cli: Cli, waited: list[float]) -> None:
    detail = "too many wrong passwords; try again in 15 minutes."
    async with scripted(problem(429, "account_locked", detail=detail, headers={"retry-after": "873"})) as (url, _):
        assert (await cli("login", "--api", url, "--username", "ada", input="x\n")).err == detail


async def test_repeated_post_carries_the_same_idempotency_key(cli: Cli, waited: list[float]) -> None:
    busy = problem(503, "unavailable", headers={"retry-after": "1"})
    made = Response(json.dumps({"data": {"id": "1", "name": "n", "key": "k"}}), 201, media_type="application/json")
    async with scripted(busy, made) as (url, script):
        await cli.ok("key", "create", "--api", url, "--name", "n", "--scope", "triggers:read")
    keys = [request.headers["idempotency-key"] for request in script.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_all_findings_of_a_refusal_are_told(cli: Cli, waited: list[float]) -> None:
    errors = [{"pointer": f"/a/{number}", "detail": "is \x1b[31mwrong."} for number in range(12)]
    async with scripted(problem(400, "invalid_request", title="Not valid", errors=errors)) as (url, _):
        ended = await cli("trigger", "list", "--api", url)
    assert ended.err.startswith("Not valid: /a/0 is \\x1b[31mwrong; /a/1 is")
    assert ended.err.endswith("; and 2 more.")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Response("<html>", 200), "is no AgentAuri API (status 200, no JSON)"),
        (Response("[1", 200, media_type="application/json"), "is no AgentAuri API"),
        (Response("", 404), "is no AgentAuri API (status 404, no JSON)"),
        (Response("no", 500), "is not up (status 500); see: agentauri status"),
        (Response("{", 400, media_type="application/problem+json"), "is no AgentAuri API"),
        (Response("[]", 400, media_type="application/problem+json"), "is no AgentAuri API"),
        (problem(500, "internal"), "the detail. (request r1)"),
        (problem(401, "unauthenticated"), "the detail; run: agentauri login"),
    ],
)
async def test_nonsense_and_refusals_are_one_line(
    cli: Cli, waited: list[float], answer: Response, message: str
) -> None:
    async with scripted(answer) as (url, _):
        ended = await cli("trigger", "list", "--api", url)
    assert ended.status == 1
    assert message in ended.err
    assert "\n" not in ended.err


async def test_silent_service_is_told(cli: Cli, waited: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CALL_SECONDS", 0.2)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(silent) as url:
        ended = await cli("trigger", "list", "--api", url)
    assert ended.err == f"the API at {url} did not answer in time."
