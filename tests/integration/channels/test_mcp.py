"""Calls of tools on servers that the SDK built, of today's protocol and an old one, and on servers that are none."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from eth_hash.auto import keccak

from agentauri.channels.addresses import Policy, policy_of
from agentauri.channels.mcp import Mcp
from agentauri.channels.retry import is_destination_failure, judge
from agentauri.errors import Unobtainable
from agentauri.models.action import ActionType
from agentauri.models.delivery import Attempt, Claimed, DeliveryType, Judgement, Outcome
from tests.support.claims import FIRST_ID, claimed_of
from tests.support.ipfs import gateway
from tests.support.mcp_server import McpServer, mcp_server
from tests.support.misbehaving import Misbehaving, misbehaving
from tests.support.queue import EVENT

LOOPBACK = policy_of(["127.0.0.0/8"])
TOOL = "agent.receiveFeedback"
SECONDS = 5.0


@pytest.fixture(params=["today", "json", "old"])
def server(request: pytest.FixtureRequest) -> Iterator[McpServer]:
    with mcp_server(is_old=request.param == "old", json_response=request.param == "json") as found:
        yield found


@pytest.fixture
def today() -> Iterator[McpServer]:
    with mcp_server() as found:
        yield found


@pytest.fixture
async def bad() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as found:
        yield found


class Book:
    """Where agents' registration files are, as a test says."""

    def __init__(self, uri: str | None) -> None:
        self.uri = uri
        self.asked: list[tuple[int, int]] = []

    async def uri_of(self, chain_id: int, agent_id: int) -> str | None:
        self.asked.append((chain_id, agent_id))
        return self.uri


@asynccontextmanager
async def channel(
    *, policy: Policy = LOOPBACK, book: Book | None = None, gateways: Sequence[str] = ()
) -> AsyncIterator[Mcp]:
    opened = Mcp.open(policy, (book or Book(None)).uri_of, gateways)
    try:
        yield opened
    finally:
        await opened.close()


def delivery(url: str | None, tool: str = TOOL, *, event: Any = None, **config: Any) -> Claimed:
    where = {"server_url": url} if url else {"resolve_endpoint": True}
    return claimed_of(ActionType.MCP, event=event, tool_name=tool, **where, **config)


async def attempt(claimed: Claimed, seconds: float = SECONDS, **more: Any) -> Attempt:
    async with channel(**more) as opened:
        return await opened.attempt(claimed, seconds)


def with_data(**data: Any) -> dict[str, Any]:
    return {**EVENT, "data": {**EVENT["data"], **data}}  # type: ignore[dict-item]  # an event is an object of anything


# -- what a server sees ------------------------------------------------------------------------------------------------


async def test_tool_is_called_once_with_rendered_arguments_and_the_delivery_id(server: McpServer) -> None:
    template = {"score": "{{score}}", "tag1": "tag {{tag1}}"}
    claimed = delivery(server.url, arguments_template=template)
    found = await attempt(claimed)
    assert (found.outcome, found.http_status, found.response_excerpt) == (Outcome.SUCCESS, 200, "thank you")
    assert server.calls == [(TOOL, {"score": 59.5, "tag1": "tag quality", "fileContent": None})]
    called = [one for one in server.requests if one[2] and one[2]["method"] == "tools/call"]
    assert [one[2]["params"]["_meta"]["agentauri/delivery-id"] for one in called] == [str(claimed.id)]
    for _, headers, _ in server.requests:
        assert headers["idempotency-key"] == headers["x-agentauri-delivery"] == str(claimed.id)
        assert headers["user-agent"].startswith("AgentAuri/")


async def test_old_server_is_initialised_and_its_session_given_back() -> None:
    with mcp_server(is_old=True) as server:
        found = await attempt(delivery(server.url, "anything", arguments_template={}))
        assert found.outcome is Outcome.SUCCESS
        assert server.methods() == [
            "POST server/discover", "POST initialize", "POST notifications/initialized", "POST tools/call", "DELETE",
        ]  # fmt: skip
    assert found.request is not None
    assert found.request["protocol"] == "2025-11-25"


async def test_server_of_today_needs_no_session(today: McpServer) -> None:
    found = await attempt(delivery(today.url, "anything", arguments_template={}))
    assert today.methods() == ["POST server/discover", "POST tools/call"]
    assert found.request is not None
    assert found.request["protocol"] == "2026-07-28"


async def test_token_is_sent_and_not_kept() -> None:
    with mcp_server(token="sesame-open") as server:
        found = await attempt(delivery(server.url, "anything", arguments_template={}, auth_token="sesame-open"))
        assert found.outcome is Outcome.SUCCESS
        assert "sesame" not in repr(found)
        refused = await attempt(delivery(server.url, "anything", arguments_template={}, auth_token="wrong"))
    assert (refused.http_status, judge(refused), server.calls) == (401, Judgement.FINAL, [("anything", {})])


async def test_retraction_is_told_by_the_envelope(today: McpServer) -> None:
    claimed = claimed_of(
        ActionType.MCP, type=DeliveryType.RETRACTED, server_url=today.url, tool_name="anything",
        arguments_template={"score": "{{score}}"}, include_file_content=True,
    )  # fmt: skip
    assert (await attempt(claimed)).outcome is Outcome.SUCCESS
    arguments = today.requests[-1][2]["params"]["arguments"]
    assert (arguments["type"], arguments["data"]["delivery_id"]) == ("trigger.retracted", str(FIRST_ID))


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "judgement", "says"),
    [
        ("fails", Judgement.RETRY, "no room for more"), ("crashes", Judgement.RETRY, "crashes"),
        ("missing", Judgement.FINAL, "Unknown tool"),
    ],
)  # fmt: skip
async def test_tool_that_reports_an_error_has_failed(
    server: McpServer, tool: str, judgement: Judgement, says: str
) -> None:
    found = await attempt(delivery(server.url, tool, arguments_template={}))
    assert (found.outcome, found.http_status, found.error_class) == (Outcome.HTTP, 200, "ToolError")
    assert judge(found) is judgement
    assert not is_destination_failure(found)
    assert says in (found.error_message or "")
    assert "\x1b" not in f"{found.error_message}{found.response_excerpt}"


async def test_tool_that_hangs_ends_in_time_and_may_have_done_it(server: McpServer) -> None:
    began = time.monotonic()
    found = await attempt(delivery(server.url, "hangs", arguments_template={}), 1.0)
    assert time.monotonic() - began < 2.0
    assert (found.outcome, found.sent, judge(found)) == (Outcome.TIMEOUT, True, Judgement.RETRY)


async def test_result_beyond_a_mebibyte_is_not_read(server: McpServer) -> None:
    found = await attempt(delivery(server.url, "long", arguments_template={}))
    assert "1048576 bytes" in (found.error_message or "")
    assert judge(found) is Judgement.FINAL


@pytest.mark.parametrize(
    ("path", "outcome", "judgement"),
    [
        ("/302", Outcome.HTTP, Judgement.FINAL), ("/400", Outcome.HTTP, Judgement.FINAL),
        ("/410", Outcome.HTTP, Judgement.GONE), ("/429", Outcome.HTTP, Judgement.RETRY),
        ("/500", Outcome.HTTP, Judgement.RETRY), ("/ok", Outcome.HTTP, Judgement.RETRY),
        ("/reset", Outcome.CONNECT, Judgement.RETRY), ("/nonsense", Outcome.HTTP, Judgement.RETRY),
        ("/hang", Outcome.TIMEOUT, Judgement.RETRY), ("/drip-head", Outcome.TIMEOUT, Judgement.RETRY),
        ("/flood", Outcome.HTTP, Judgement.RETRY),
    ],
)  # fmt: skip
async def test_server_that_is_none(bad: Misbehaving, path: str, outcome: Outcome, judgement: Judgement) -> None:
    found = await attempt(delivery(bad.url(path), "x", arguments_template={}), 1.0)
    assert (found.outcome, judge(found)) == (outcome, judgement), found
    assert found.error_class
    assert found.error_message
    assert not found.sent


async def test_retry_after_is_heard_and_a_redirect_is_not_followed(bad: Misbehaving) -> None:
    found = await attempt(delivery(bad.url("/429"), "x", arguments_template={}))
    assert (found.http_status, found.retry_after, bad.seen["/429"]) == (429, 7.0, 1)
    await attempt(delivery(bad.url("/302"), "x", arguments_template={}))
    assert (bad.seen["/302"], bad.seen["/ok"]) == (1, 0)


async def test_redirect_within_the_server_is_not_followed_either(today: McpServer) -> None:
    found = await attempt(delivery(today.url + "/", "anything", arguments_template={}))
    assert (found.http_status, judge(found), today.calls) == (307, Judgement.FINAL, [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_private_address_is_refused(today: McpServer, host: str) -> None:
    url = f"http://{host}:{today.port}/mcp"
    found = await attempt(delivery(url, "anything", arguments_template={}), policy=Policy())
    assert (found.outcome, judge(found), today.requests) == (Outcome.BLOCKED, Judgement.FINAL, [])


async def test_nobody_listens() -> None:
    found = await attempt(delivery("http://127.0.0.1:9999/", "x", arguments_template={}))
    assert (found.outcome, is_destination_failure(found)) == (Outcome.CONNECT, True)


JSON_RPC = [
    (200, -32602, Judgement.FINAL), (400, -32602, Judgement.FINAL), (500, -32602, Judgement.FINAL),
    (200, -32601, Judgement.FINAL), (404, -32601, Judgement.FINAL), (200, -32603, Judgement.RETRY),
    (500, -32603, Judgement.RETRY), (200, -32050, Judgement.RETRY), (503, -32601, Judgement.RETRY),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "judgement"), JSON_RPC)
async def test_json_rpc_error_is_judged_by_its_code_and_status(
    today: McpServer, status: int, code: int, judgement: Judgement
) -> None:
    today.error = (status, code)
    found = await attempt(delivery(today.url, "anything", arguments_template={}))
    assert judge(found) is judgement, found
    assert "as the test wants" in (found.error_message or "")
    assert found.sent


# -- the agent's own server --------------------------------------------------------------------------------------------


def registration(url: str) -> bytes:
    return orjson.dumps({"name": "an agent", "services": [{"name": "MCP", "endpoint": url}]})


async def test_server_is_found_in_the_registration_file_wherever_that_is(today: McpServer, bad: Misbehaving) -> None:
    file = registration(today.url)
    async with gateway() as ipfs:
        for uri in (f"data:application/json,{file.decode()}", f"ipfs://{ipfs.add(file)}"):
            book = Book(uri)
            found = await attempt(delivery(None, "anything", arguments_template={}), book=book, gateways=[ipfs.url])
            assert found.outcome is Outcome.SUCCESS, found
            assert book.asked == [(31337, 42)]
    assert len(today.calls) == 2


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (None, "not known here"), ("", "URI is empty"), ("data:,{}", "no list of services"), ("x", "is no https"),
        ("data:,{\"services\":[]}", "no MCP service"),
    ],
)  # fmt: skip
async def test_registration_that_names_no_server_is_final_and_says_why(uri: str | None, says: str) -> None:
    found = await attempt(delivery(None), book=Book(uri))
    assert (found.outcome, judge(found)) == (Outcome.REJECTED, Judgement.FINAL)
    assert says in (found.error_message or "")


@pytest.mark.parametrize("data", [{}, {"agent_id": "-1"}, {"agent_id": "٣"}, {"agent_id": "9" * 79}, {"agent_id": [1]}])
async def test_event_without_an_agent_is_final(data: dict[str, Any]) -> None:
    found = await attempt(delivery(None, event={**EVENT, "agent_id": None, "data": data}), book=Book("data:,{}"))
    assert (judge(found), "about no agent" in (found.error_message or "")) == (Judgement.FINAL, True)


async def test_agent_beyond_int64_is_asked_for(today: McpServer) -> None:
    book, agent = Book(None), 2**200
    await attempt(delivery(None, event={**EVENT, "agent_id": None, "data": {"agent_id": str(agent)}}), book=book)
    assert book.asked == [(31337, agent)]


async def test_log_that_cannot_be_read_now_is_tried_again() -> None:
    class Away(Book):
        async def uri_of(self, chain_id: int, agent_id: int) -> str | None:
            raise Unobtainable("not now.", is_final=False)

    assert judge(await attempt(delivery(None), book=Away(None))) is Judgement.RETRY


async def test_registration_on_a_private_address_is_refused(bad: Misbehaving) -> None:
    found = await attempt(delivery(None), book=Book(bad.url("/ok")), policy=Policy())
    assert (found.outcome, bad.connections) == (Outcome.BLOCKED, 0)


async def test_registration_cannot_lead_to_a_private_address(today: McpServer) -> None:
    book = Book(f"data:,{registration(today.url).decode()}")
    found = await attempt(delivery(None), book=book, policy=Policy())
    assert (found.outcome, today.requests) == (Outcome.BLOCKED, [])


async def test_one_agent_that_is_gone_does_not_end_the_action(bad: Misbehaving) -> None:
    book = Book(f"data:,{registration(bad.url('/410')).decode()}")
    found = await attempt(delivery(None, arguments_template={}), book=book)
    assert (found.http_status, judge(found)) == (410, Judgement.FINAL)


# -- the event's file --------------------------------------------------------------------------------------------------

WITH_FILE: dict[str, Any] = {
    "verify_file_hash": True,
    "include_file_content": True,
    "arguments_template": {"score": "{{score}}", "fileContent": "{{verified_file_content}}"},
}


async def test_checked_file_is_given_to_the_tool(today: McpServer) -> None:
    event = with_data(feedback_uri="data:,x%20{{y}}", feedback_hash="0x" + keccak(b"x {{y}}").hex())
    assert (await attempt(delivery(today.url, event=event, **WITH_FILE))).outcome is Outcome.SUCCESS
    assert today.calls[0][1]["fileContent"] == "x {{y}}"


async def test_large_file_is_given_whole(today: McpServer) -> None:
    content = "ü" * 2**18
    event = with_data(feedback_uri=f"data:,{content}")
    assert (await attempt(delivery(today.url, event=event, **WITH_FILE))).outcome is Outcome.SUCCESS
    assert today.calls[0][1]["fileContent"] == content


@pytest.mark.parametrize("data", [{}, {"feedback_uri": "https://x.example/f", "feedback_hash": "0x" + "00" * 32}])
async def test_event_without_a_checkable_file_goes_on_without(today: McpServer, data: dict[str, str]) -> None:
    assert (await attempt(delivery(today.url, event=with_data(**data), **WITH_FILE))).outcome is Outcome.SUCCESS
    assert today.calls[0][1]["fileContent"] is None


async def test_file_with_another_hash_fails_finally_and_the_tool_is_not_called(today: McpServer) -> None:
    event = with_data(feedback_uri="data:,x", feedback_hash="0x" + "ab" * 32)
    found = await attempt(delivery(today.url, event=event, **WITH_FILE))
    assert (found.outcome, judge(found), today.requests) == (Outcome.REJECTED, Judgement.FINAL, [])
    assert "keccak-256" in (found.error_message or "")


async def test_file_server_in_trouble_is_tried_again_and_not_held_against_the_tool_server(
    today: McpServer, bad: Misbehaving
) -> None:
    for path in ("/500", "/reset", "/hang", "/429"):
        event = with_data(feedback_uri=bad.url(path), feedback_hash="0x" + "ab" * 32)
        found = await attempt(delivery(today.url, event=event, **WITH_FILE), 1.0)
        assert (judge(found), is_destination_failure(found), found.aside) == (Judgement.RETRY, False, True), found
    assert today.requests == []


async def test_file_is_checked_even_when_it_is_not_given(today: McpServer) -> None:
    event = with_data(feedback_uri="data:,x", feedback_hash="0x" + "ab" * 32)
    found = await attempt(delivery(today.url, "anything", event=event, verify_file_hash=True, arguments_template={}))
    assert judge(found) is Judgement.FINAL


async def test_host_that_many_agents_name_gets_few_calls_at_once(bad: Misbehaving) -> None:
    registration = orjson.dumps({"services": [{"name": "MCP", "endpoint": bad.url("/hang")}]}).decode()
    calls = [delivery(None, event=EVENT | {"agent_id": agent}) for agent in range(20)]
    async with channel(book=Book(f"data:,{registration}")) as opened:
        found = await asyncio.gather(*(opened.attempt(one, 2.0) for one in calls))
    assert {(one.outcome, judge(one)) for one in found} == {(Outcome.TIMEOUT, Judgement.RETRY)}
    assert bad.most_open == 8
    waited = [one for one in found if "other calls under way" in (one.error_message or "")]
    assert len(waited) == 12
    assert not any(is_destination_failure(one) or one.sent for one in waited)
