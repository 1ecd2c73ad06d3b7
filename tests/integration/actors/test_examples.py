"""The nine triggers that users of the platform write, from the API to what arrives: all of the path, real channels.

``examples.json`` is the page of the specification as it stands. Each trigger is created from it unchanged; then the
addresses of its webhooks alone are turned to a receiver here, as their owner would, masked secrets sent back.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak

from agentauri.actors.deliverer import Deliverer, DelivererSettings
from tests.integration.serve.conftest import SECRET_KEY, Api, User, running, settings_for
from tests.support.bot_api import TOKEN, BotApi, bot_api
from tests.support.mcp_server import McpServer, mcp_server
from tests.support.path import Rig
from tests.support.receiver import Receiver, receiving
from tests.support.rows import feedback, insert_events
from tests.support.waiting import eventually

PAGE = Path(__file__).parents[2] / "support" / "examples.json"
EXAMPLES: dict[int, dict[str, Any]] = {one["n"]: one for one in json.loads(PAGE.read_text())["examples"]}
BASE, AMOY = 84532, 80002
CLIENT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
VALIDATOR = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
STRANGER = "0x" + "11" * 20
FILE = "slow, but kind"
FILE_HASH = "0x" + keccak(FILE.encode()).hex()
WITH_FILE = {"feedback_uri": f"data:,{FILE.replace(' ', '%20')}", "feedback_hash": FILE_HASH}


@pytest.fixture
async def user(database: str, redis_url: str) -> AsyncIterator[User]:
    async with running(settings_for(database, redis_url)) as started:
        api: Api = started
        yield await api.register()


@pytest.fixture
async def bots() -> AsyncIterator[BotApi]:
    async with bot_api() as started:
        yield started


@pytest.fixture
async def hooks(user: User) -> AsyncIterator[Receiver]:
    async with receiving(user.registered["webhook_secret"]) as started:
        yield started


@pytest.fixture
def agent() -> Iterator[McpServer]:
    with mcp_server() as found:
        yield found


@asynccontextmanager
async def delivering(database: str, bots: BotApi) -> AsyncIterator[None]:
    settings = DelivererSettings(
        database, SECRET_KEY, ("127.0.0.0/8",), telegram_api=bots.url, telegram_token=TOKEN,
        lane_lease_seconds=2.5, beat_seconds=0.2,
    )  # fmt: skip
    deliverer = Deliverer("deliverer-00", settings)
    await deliverer.start()
    try:
        yield
    finally:
        await deliverer.drain(0.2)


async def create(user: User, number: int, receiver_url: str) -> None:
    """The trigger as it stands; then its webhooks turned to the receiver."""
    example = EXAMPLES[number]
    written = {name: value for name, value in example.items() if name not in ("n", "expect")}
    answer = await user.call("POST", "/triggers", json=written)
    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    for action in made["actions"]:
        if action["action_type"] == "rest":
            action["config"]["url"] = receiver_url
    changed = await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": made["actions"]})
    assert changed.status_code == 200, changed.text


def on_base(number: int, **changes: Any) -> dict[str, Any]:
    return feedback(number, **{"chain_id": BASE, "agent_id": 42, **changes})


def registered(agent: McpServer) -> dict[str, Any]:
    """The event that tells where agent 42's registration file is, which tells where its MCP server is."""
    file = json.dumps({"services": [{"name": "MCP", "endpoint": agent.url}]})
    data = {"agent_uri": f"data:application/json,{file.replace(' ', '%20')}", "owner": CLIENT}
    return on_base(1, registry="identity", event_type="Registered") | {"data": data}


def scores(*values: str, **data: Any) -> list[dict[str, Any]]:
    return [on_base(number, data={"score": score, **data}) for number, score in enumerate(values, 2)]


async def play(rig: Rig, user: User, bots: BotApi, rows: list[dict[str, Any]], deliveries: int) -> None:
    """Put events in the log and let the path work until so many deliveries are there, all of them delivered."""
    async with rig.pool.acquire() as connection:
        await insert_events(connection, rows)
    await rig.served()

    async def done() -> bool:
        rows = (await user.call("GET", "/deliveries?limit=50")).json()["data"]
        assert len(rows) == deliveries
        return {row["status"] for row in rows} == {"delivered"}

    async with delivering(rig.settings.database_url, bots):
        await eventually(done)
    assert bots.refused == []


def shown(bots: BotApi) -> list[str]:
    assert {one.chat for one in bots.sent} == {"123456789"}
    return [one.shown.text for one in bots.sent]


async def test_1_fires_below_60_on_feedback_of_agent_42_alone_and_its_message_survives_markdown(
    rig: Rig, user: User, bots: BotApi
) -> None:
    await create(user, 1, "")
    rows = [
        *scores("60", "61"), on_base(4, agent_id=41, data={"score": "1"}), on_base(5, chain_id=1, data={"score": "1"}),
        on_base(6, event_type="FeedbackRevoked", data={}), on_base(7, data={"score": "55.5", "tag1": "a_b*c"}),
    ]  # fmt: skip
    await play(rig, user, bots, rows, 1)
    assert shown(bots) == [f"Agent #42 got 55.5/100 from {CLIENT} [a_b*c/] in block 7."]


async def test_2_takes_the_old_event_name_and_token_uri_is_agent_uri(rig: Rig, user: User, bots: BotApi) -> None:
    await create(user, 2, "")
    new = {"owner": CLIENT, "agent_uri": "https://a.io/?a=1&b=<2>"}
    rows = [
        on_base(1, registry="identity", event_type="Transfer", data={}),
        on_base(2, registry="identity", event_type="Registered") | {"data": new},
    ]
    await play(rig, user, bots, rows, 1)
    assert shown(bots) == [f"New agent 42 by {CLIENT}: https://a.io/?a=1&b=<2> (0x{2 + 2**128:064x})"]


async def test_3_makes_both_deliveries_with_numbers_as_json_numbers(
    rig: Rig, user: User, bots: BotApi, hooks: Receiver
) -> None:
    await create(user, 3, hooks.url)
    refund = {"tag1": "refund", "feedback_uri": "https://a.io/f"}
    await play(rig, user, bots, [*scores("80"), on_base(3, data={"score": "75", **refund})], 2)
    assert shown(bots) == [f"Refund: 42 75 {CLIENT} https://a.io/f"]
    assert list(hooks.bodies.values()) == [
        {"agent_id": 42, "score": 75, "client": CLIENT, "file_uri": "https://a.io/f"}
    ]
    (headers,) = hooks.headers.values()
    assert (headers["Authorization"], headers["Content-Type"]) == ("Bearer s3cr3t", "application/json")
    assert hooks.unverified == []


async def test_4_compares_addresses_without_case(rig: Rig, user: User, bots: BotApi) -> None:
    await create(user, 4, "")
    answers = [(VALIDATOR, 80), (STRANGER, 10), (VALIDATOR.upper().replace("0X", "0x"), 79)]
    rows = [
        feedback(number, chain_id=AMOY, agent_id=7, registry="validation", event_type="ValidationResponse")
        | {"data": {"validator_address": address, "response": response, "tag": "tee."}}
        for number, (address, response) in enumerate(answers, 1)
    ]
    await play(rig, user, bots, rows, 1)
    (message,) = shown(bots)
    assert message.lower() == f"agent 7: {VALIDATOR.lower()} answered 79 (tee.)"


async def test_5_averages_with_its_explicit_alpha(rig: Rig, user: User, bots: BotApi) -> None:
    await create(user, 5, "")
    await play(rig, user, bots, scores("80", "20"), 1)
    assert shown(bots) == ["EMA 68.0 after 20 for 42"]


async def test_6_fires_at_the_eleventh_within_an_hour_of_block_time_then_counts_from_zero(
    rig: Rig, user: User, bots: BotApi
) -> None:
    bots.enforces = False  # two messages to one chat: how far apart they come is test_telegram_deliverer's matter
    await create(user, 6, "")
    late = [on_base(4000 + number, data={"score": "49"}) for number in range(3)]
    await play(rig, user, bots, [*scores(*["49"] * 23), *late], 2)
    assert shown(bots) == ["11 bad scores within the hour for 42"] * 2


async def test_7_pushes_feedback_with_its_checked_file_to_the_server_of_the_registration(
    rig: Rig, user: User, bots: BotApi, agent: McpServer
) -> None:
    await create(user, 7, "")
    rows = [registered(agent), *scores("59.5", **WITH_FILE), on_base(3, data={"score": "1"})]
    await play(rig, user, bots, rows, 1)
    assert agent.calls == [("agent.receiveFeedback", {"score": 59.5, "tag1": "quality", "fileContent": FILE})]
    (called,) = [one[2]["params"]["arguments"] for one in agent.requests if one[2] and one[2]["method"] == "tools/call"]
    assert (called["fileHash"], called["clientAddress"], called["blockNumber"]) == (FILE_HASH, CLIENT, 2)


async def test_8_pushes_requests_and_responses_of_agent_42(
    rig: Rig, user: User, bots: BotApi, agent: McpServer
) -> None:
    await create(user, 8, "")
    asked = {"validator_address": VALIDATOR, "request_uri": "data:,why", "request_hash": "0x" + keccak(b"why").hex()}
    told = {"validator_address": VALIDATOR, "response": 77, "response_uri": "", "response_hash": "0x" + "00" * 32}
    kinds = [("ValidationRequest", 42, asked), ("ValidationResponse", 42, told), ("ValidationResponse", 43, told)]
    rows = [
        on_base(number, registry="validation", event_type=kind, agent_id=of) | {"data": data}
        for number, (kind, of, data) in enumerate(kinds, 2)
    ]
    await play(rig, user, bots, [registered(agent), *rows], 2)
    assert {tool for tool, _ in agent.calls} == {"agent.receiveValidation"}
    assert {one["response"]: one["fileContent"] for _, one in agent.calls} == {None: "why", 77: None}


async def test_9_makes_three_independent_deliveries_in_the_order_of_their_priority(
    rig: Rig, user: User, bots: BotApi, hooks: Receiver, agent: McpServer
) -> None:
    await create(user, 9, hooks.url)
    await play(rig, user, bots, [registered(agent), *scores("30", "29.5", **WITH_FILE)], 3)
    assert shown(bots) == ["CRITICAL: agent 42 got 29.5"]
    (body,) = hooks.bodies.values()
    assert {**body, "timestamp": None} == {
        "severity": "critical", "agent_id": 42, "score": 29.5, "client": CLIENT, "timestamp": None,
    }  # fmt: skip
    assert [(tool, given["score"], given["fileContent"]) for tool, given in agent.calls] == [
        ("agent.receiveFeedback", 29.5, FILE)
    ]
    order = await rig.pool.fetch("SELECT channel FROM deliveries ORDER BY next_attempt_at")
    assert [row["channel"] for row in order] == ["telegram", "rest", "mcp"]
