"""Tails: through broken connections without loss or repeats, safe for the terminal, and ended by Ctrl-C."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agentauri.accounts.api_keys import Environment, make_key
from agentauri.cli import follow as follow_module
from agentauri.cli.client import Client
from agentauri.cli.follow import Message, follow
from agentauri.cli.refusals import CallFailed
from agentauri.cli.session import GivenKey
from agentauri.cli.tail import delivery_line, event_line, parse_since
from agentauri.errors import ConfigError
from tests.integration.cli.conftest import Cli, Process, serving

KEY = make_key(Environment.LIVE).text


def an_event(seq: int, **more: Any) -> dict[str, Any]:
    data = {"score": 55, "tag1": "starred", "tag2": ""}
    return {
        "id": f"id-{seq}", "seq": seq, "chain_id": 84532, "registry": "reputation", "event_type": "NewFeedback",
        "agent_id": 42, "block_timestamp": "2026-11-23T08:00:00Z", "data": data, "retracted_at": None, **more,
    }  # fmt: skip


def frame(seq: int) -> bytes:
    return f"id: {seq}\nevent: event\ndata: {json.dumps(an_event(seq))}\n\n".encode()


@dataclass
class Streams:
    """A server whose connections end as scripted: each is a list of what is written, and then cut or held open."""

    connections: list[Any]
    asked: list[tuple[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    async def stream(self, request: Request) -> Response:
        self.asked.append((request.headers.get("last-event-id", ""), request.url.query))
        part = self.connections.pop(0)
        if isinstance(part, Response):
            return part

        async def write() -> AsyncIterator[bytes]:
            for one in part:
                if one is HOLD:
                    await asyncio.Event().wait()
                yield one
            if part and part[-1] is not END:
                raise ConnectionError  # cut: the chunked answer has no end

        return StreamingResponse(write(), media_type="text/event-stream")

    async def list(self, request: Request) -> Response:
        self.asked.append(("list", request.url.query))
        limit = int(request.query_params["limit"])
        below = int(request.query_params.get("cursor", 10**9))
        found = [one for one in reversed(self.events) if one["seq"] < below][:limit]
        more = bool(found) and found[-1]["seq"] > self.events[0]["seq"]
        cursor = str(found[-1]["seq"]) if more else None
        return JSONResponse({"data": found, "pagination": {"limit": limit, "next_cursor": cursor, "has_more": more}})


HOLD, END = object(), b": end\n\n"


@asynccontextmanager
async def streaming(*connections: Any) -> AsyncIterator[tuple[str, Streams]]:
    streams, app = Streams(list(connections)), Starlette()
    app.add_route("/api/v1/events/stream", streams.stream)
    app.add_route("/api/v1/deliveries/stream", streams.stream)
    app.add_route("/api/v1/events", streams.list)
    async with serving(app) as url:
        yield url, streams


def take(url: str, count: int, waits: list[float] | None = None, *, last_id: str = "") -> list[int]:
    sleep = (lambda _: None) if waits is None else waits.append
    with Client(url, GivenKey(KEY)) as client:
        return [
            one.data["seq"] for one in islice(follow(client, "/events/stream", {}, last_id=last_id, sleep=sleep), count)
        ]


async def test_broken_connections_lose_and_repeat_nothing() -> None:
    half = frame(4)[:20]
    farewell = b'event: end\ndata: {"error": "unavailable", "detail": "the server is stopping."}\n\n'
    parts = (
        [b"retry: 2000\n\n", frame(1), b": heartbeat\n\n", frame(2)],
        [frame(2), frame(3), half],
        [b"retry: 100\n\n", farewell, END],
        [b": beat\nid: 3\n\n", frame(4), b": beat\nid: 7\n\n", farewell, END],
        [frame(8), HOLD],
    )
    async with streaming(*parts) as (url, streams):
        assert await asyncio.to_thread(take, url, 5, last_id="0") == [1, 2, 3, 4, 8]
    assert [last for last, _ in streams.asked] == ["0", "2", "3", "3", "7"]


async def test_service_that_restarts_is_waited_for_longer_and_longer() -> None:
    down = [Response("", 503) for _ in range(3)]
    waits: list[float] = []
    async with streaming(*down, [frame(1), HOLD]) as (url, _):
        assert await asyncio.to_thread(take, url, 1, waits) == [1]
    for least, wait in zip((0.5, 1, 2), waits, strict=True):
        assert least <= wait <= least * (1 + follow_module.JITTER)


@pytest.mark.parametrize("status", [401, 403, 404, 400])
async def test_refusal_ends_it(status: int) -> None:
    body = {"title": "T", "detail": "no.", "error": "forbidden"}
    refusal = JSONResponse(body, status, media_type="application/problem+json")
    async with streaming(refusal) as (url, streams):
        with pytest.raises(CallFailed, match="no"):
            await asyncio.to_thread(take, url, 1)
    assert len(streams.asked) == 1


async def test_answer_that_is_no_stream_ends_in_an_error_line_and_another_try(capsys: Any) -> None:
    async with streaming(JSONResponse({}), [frame(1), HOLD]) as (url, _):
        assert await asyncio.to_thread(take, url, 1) == [1]
    assert "text/event-stream" in capsys.readouterr().err


async def test_lines_for_people_and_for_programs(cli: Cli) -> None:
    wild = an_event(2, event_type="Evil\x1b]0;title\x07", data={"tag1": "\x1b[2J\u202e[red]x" + "y" * 500})
    text = f"id: 2\ndata: {json.dumps(wild)}\n\n".encode()
    async with streaming([frame(1), text, HOLD], [frame(1), HOLD]) as (url, streams):
        tail = ("events", "tail", "--api", url)
        people = await cli.ok(*tail, "--count", "2", "--tag", "starred", "--chain-id", "5", AGENTAURI_API_KEY=KEY)
        lines = people.out.splitlines()
        assert lines[0].endswith("#1 NewFeedback chain 84532 agent 42 score=55 tag1=starred")
        assert "Evil\\x1b]0;title\\x07" in lines[1]
        assert "tag1=\\x1b[2J\\u202e[red]xyyy" in lines[1]
        assert len(lines) == 2
        assert not {"\x1b", "\x07", "\u202e"} & set(people.out)
        programs = await cli.ok(*tail, "--count", "1", "--json", AGENTAURI_API_KEY=KEY)
        assert json.loads(programs.out) == an_event(1)
    assert streams.asked[0] == ("", "chain_id=5&tag=starred")


async def test_retraction_is_told_apart(cli: Cli) -> None:
    told = {"seq": 9, "chain_id": 5, "first_retracted_seq": 4, "retracted_count": 2, "created_at": "x"}
    text = f"id: 9\nevent: retraction\ndata: {json.dumps(told)}\n\n".encode()
    async with streaming([text, HOLD], [text, HOLD]) as (url, _):
        tail = ("events", "tail", "--api", url, "--count", "1")
        people = await cli.ok(*tail, AGENTAURI_API_KEY=KEY)
        programs = await cli.ok(*tail, "--json", AGENTAURI_API_KEY=KEY)
    assert people.out == "x #9 2 events from #4 on were taken back by a reorganisation of chain 5\n"
    assert json.loads(programs.out) == {"retraction": told}


async def test_since_shows_the_past_and_goes_on_where_it_ended(cli: Cli) -> None:
    async with streaming([frame(251), HOLD], [frame(8), HOLD]) as (url, streams):
        streams.events = [an_event(seq) for seq in range(1, 251)]
        tail = ("events", "tail", "--api", url, "--json", "--since")
        ended = await cli.ok(*tail, "10m", "--count", "251", AGENTAURI_API_KEY=KEY)
        assert [json.loads(line)["seq"] for line in ended.out.splitlines()] == list(range(1, 252))
        assert streams.asked[-1] == ("250", "")
        ended = await cli.ok(*tail, "7", "--count", "1", AGENTAURI_API_KEY=KEY)
        assert streams.asked[-1] == ("7", "")


async def test_since_with_nothing_before_begins_at_the_end_of_the_log(cli: Cli) -> None:
    async with streaming([frame(1), HOLD]) as (url, streams):
        await cli.ok("events", "tail", "--api", url, "--since", "1h", "--count", "1", AGENTAURI_API_KEY=KEY)
    assert streams.asked[-1][0] == "0"


async def test_ctrl_c_ends_it_quietly(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTAURI_API_KEY", KEY)
    async with streaming([frame(1), HOLD]) as (url, _):
        async with process("events", "tail", "--api", url, "--json") as started:
            assert started.stdout is not None
            assert json.loads(await asyncio.wait_for(started.stdout.readline(), 30))["seq"] == 1
            started.send_signal(signal.SIGINT)
            out, err = await asyncio.wait_for(started.communicate(), 30)
            assert (started.returncode, out, err) == (0, b"", b"")


async def test_reader_that_goes_away_ends_it_quietly(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTAURI_API_KEY", KEY)
    async with streaming([frame(1), *(frame(seq) for seq in range(2, 3000)), HOLD]) as (url, _):
        async with process("events", "tail", "--api", url, "--json") as started:
            assert started.stdout is not None
            await asyncio.wait_for(started.stdout.readline(), 30)
            started._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # as head does
            assert started.stderr is not None
            err = await asyncio.wait_for(started.stderr.read(), 30)
            assert (await asyncio.wait_for(started.wait(), 30), err) == (0, b"")


async def test_deliveries_are_filtered_by_status_and_trigger(cli: Cli) -> None:
    trigger = "5b0c9a2e-7c1f-4f43-9d3a-0d6f2a1b7c55"
    delivery = {
        "id": "d", "trigger_id": trigger, "event_seq": 7, "channel": "rest", "status": "dead", "attempt_count": 8,
        "status_reason": "the receiver \x1b[0m answered 500", "updated_at": "2026-11-23T08:00:00Z",
    }  # fmt: skip
    others = ({**delivery, "status": "delivered"}, {**delivery, "trigger_id": "x"}, {**delivery, "channel": "mcp"})
    told = [
        f"id: 8004-{place}\nevent: delivery\ndata: {json.dumps(one)}\n\n".encode()
        for place, one in enumerate((*others, delivery))
    ]
    async with streaming([*told, HOLD]) as (url, _):
        tail = ("deliveries", "tail", "--api", url, "--status", "dead", "--status", "held", "--trigger", trigger)
        wrong = await cli("deliveries", "tail", "--api", url, "--status", "x", AGENTAURI_API_KEY=KEY)
        ended = await cli.ok(*tail, "--channel", "rest", "--count", "1", AGENTAURI_API_KEY=KEY)
    assert "there is no status 'x'; there are pending" in wrong.err
    assert f"dead       rest d trigger {trigger} event #7 attempts 8 the receiver \\x1b[0m answered 500" in ended.out


def test_event_that_was_taken_back_says_so() -> None:
    line = event_line(Message("event", an_event(3, retracted_at="2026-11-23T08:00:09Z", agent_id=None, data=None)))
    assert line.plain.endswith("#3 NewFeedback chain 84532 taken back by a reorganisation")
    assert delivery_line(Message("delivery", {"status": "odd", "updated_at": "x\x1b"})).plain.startswith("x\\x1b odd")


NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", "2026-01-31T11:59:30Z"),
        ("10m", "2026-01-31T11:50:00Z"),
        ("1d", "2026-01-30T12:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
    ],
)
def test_times_and_how_long_ago(text: str, moment: str) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "10", "10x", "yesterday", "999999d", "-5m", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--since takes"):
        parse_since(text, NOW)
