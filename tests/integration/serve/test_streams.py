"""What every stream keeps to: it ends with its caller's rights, its client and its replica, and holds little."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn

from agentauri.serve import streams
from agentauri.serve.app import create_app
from agentauri.store import event_tail
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, Api, User, settings_for
from tests.integration.serve.test_events import insert
from tests.support.sse import parse, stream
from tests.support.waiting import eventually

PATHS = ["/events/stream", "/deliveries/stream"]
PROMPT_SECONDS = 2.0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE users SET disabled_at = now()", "unauthenticated"),
        ("UPDATE sessions SET revoked_at = now()", "unauthenticated"),
    ],
)
async def test_stream_of_a_revoked_caller_ends_within_a_second_or_two(
    api: Api, user: User, pool: Pool, path: str, sql: str, code: str
) -> None:
    async with stream(api.app, path, user.token) as opened:
        await pool.execute(sql)
        revoked_at = time.monotonic()
        assert (await opened.last()).data["error"] == code
        await opened.ended
    assert time.monotonic() - revoked_at < PROMPT_SECONDS


@pytest.mark.parametrize("path", PATHS)
async def test_stream_of_a_revoked_key_ends_and_is_one_use_of_it(api: Api, user: User, pool: Pool, path: str) -> None:
    body = {"name": "k", "permissions": ["events:read", "deliveries:read"]}
    key = (await user.call("POST", "/api-keys", json=body)).json()["data"]
    async with stream(api.app, path, key["key"]) as opened:
        await asyncio.sleep(2 * streams.CHECK_SECONDS)
        await user.call("DELETE", f"/api-keys/{key['id']}")
        assert (await opened.last()).data["error"] == "unauthenticated"
    await api.app.state.context.key_uses.write()
    assert await pool.fetchval("SELECT use_count FROM api_keys") == 1


async def test_stream_of_a_removed_member_ends(api: Api, user: User, pool: Pool) -> None:
    other = await api.register()
    sql = "INSERT INTO members VALUES ($1, (SELECT id FROM users WHERE email = $2), 'viewer')"
    await pool.execute(sql, other.organization_id, user.email)
    headers = {"X-Organization-ID": other.organization_id}
    async with stream(api.app, "/deliveries/stream", user.token, headers=headers) as opened:
        await pool.execute("DELETE FROM members WHERE role = 'viewer'")
        assert (await opened.last()).data["error"] == "not_found"


async def test_caller_is_asked_about_even_while_the_client_takes_nothing(api: Api, user: User, pool: Pool) -> None:
    for _ in range(5):
        await insert(pool)
    async with stream(api.app, "/events/stream", user.token, last_id="0", room=1) as opened:
        await pool.execute("UPDATE users SET disabled_at = now()")
        async with asyncio.timeout(5):
            await opened.ended
        assert api.app.state.context.streams.count() == 0


async def test_client_that_leaves_frees_its_place(api: Api, user: User) -> None:
    held = api.app.state.context.streams
    async with stream(api.app, "/events/stream", user.token) as opened:
        assert held.count() == 1
        opened.leave()
        await opened.ended
        assert held.count() == 0


async def test_slow_client_holds_one_page_and_is_let_go_in_the_end(
    api: Api, user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[int] = []
    read = event_tail.read_after

    async def counted(*arguments: object) -> object:
        pages.append(1)
        return await read(*arguments)  # type: ignore[arg-type]  # passed through as they came

    monkeypatch.setattr(event_tail, "read_after", counted)
    monkeypatch.setattr("agentauri.serve.events.stream.PAGE", 5)
    for _ in range(30):
        await insert(pool)
    async with stream(api.app, "/events/stream", user.token, last_id="0", room=2) as opened:
        await opened.take(6)
        await eventually(lambda: len(pages) == 2)
        monkeypatch.setattr(streams, "SEND_SECONDS", 0.2)
        await opened.next()
        await opened.ended
        assert len(pages) == 2


@pytest.mark.parametrize("path", PATHS)
async def test_streams_are_bounded_by_organization_and_by_server(
    api: Api, user: User, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await api.register()
    monkeypatch.setattr(streams, "MAX_OF_ORGANIZATION", 1)
    async with stream(api.app, path, user.token):
        async with stream(api.app, path, user.token) as refused:
            assert (refused.status, refused.headers["retry-after"]) == (429, str(streams.BUSY_SECONDS))
            assert (await refused.body())["error"] == "rate_limited"
        monkeypatch.setattr(streams, "MAX_STREAMS", 1)
        async with stream(api.app, path, other.token) as refused:
            assert refused.status == 503
            assert (await refused.body())["error"] == "unavailable"
    async with stream(api.app, path, other.token) as opened:
        assert opened.status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_sign_of_life_comes_when_there_is_nothing_to_tell(
    api: Api, user: User, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.05)
    async with stream(api.app, path, user.token) as opened:
        place = opened.last_id
        for _ in range(2):
            opened.last_id = ""
            await opened.begun()
            assert int(opened.last_id) >= int(place)


@pytest.mark.parametrize("path", PATHS)
async def test_stream_tells_when_the_database_goes(api: Api, user: User, pool: Pool, path: str) -> None:
    async with stream(api.app, path, user.token) as opened:
        api.app.state.context.pool.terminate()
        assert (await opened.last()).data["error"] == "unavailable"


async def test_replica_that_stops_ends_its_streams(database: str, redis_url: str) -> None:
    app = create_app(settings_for(database, redis_url), cost=CHEAP)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            user = await Api(app, client).register()
        opening = stream(app, "/events/stream", user.token)
        opened = await opening.__aenter__()
    assert (await opened.last()).data["error"] == "unavailable"
    await opened.ended
    await opening.__aexit__(None, None, None)


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(api.app, port=0, lifespan="off", log_level="error", ws="none"))
    running = asyncio.create_task(server._serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/v1"
    server.should_exit = True
    await running


async def test_stream_over_a_socket_reads_as_the_protocol_says_and_ends_with_the_connection(
    api: Api, user: User, pool: Pool
) -> None:
    headers = {"Authorization": f"Bearer {user.token}"}
    async with served(api) as url, httpx2.AsyncClient(timeout=10) as client:
        async with client.stream("GET", f"{url}/events/stream", headers=headers) as answer:
            lines = answer.aiter_lines()
            assert [await anext(lines) for _ in range(5)] == ["retry: 2000", "", ": beat", "id: 0", ""]
            made = await insert(pool)
            block = [await anext(lines) for _ in range(4)]
            told = parse("\n".join(block))
            assert (told.id, told.data["id"], block[-1]) == (str(made["seq"]), str(made["id"]), "")
        await eventually(lambda: api.app.state.context.streams.count() == 0)
