"""From a trigger over the API to a tool of the agent's own MCP server: evaluator, queue, deliverer, all real."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
from eth_hash.auto import keccak

from agentauri.actors.deliverer import Deliverer, DelivererSettings
from tests.integration.serve.conftest import SECRET_KEY, Api, User, running, settings_for
from tests.support.ipfs import gateway
from tests.support.mcp_server import McpServer, mcp_server
from tests.support.path import Rig
from tests.support.rows import feedback, insert_events
from tests.support.waiting import eventually

CHAIN_ID = 84532
PUSH_FEEDBACK: dict[str, Any] = {
    "name": "Push feedback to the agent",
    "chain_id": CHAIN_ID,
    "registry": "reputation",
    "conditions": [
        {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": "42"},
        {"condition_type": "file_uri_exists", "field": "file_uri", "operator": "IS NOT NULL", "value": ""},
    ],
    "actions": [
        {
            "action_type": "mcp",
            "priority": 1,
            "config": {
                "resolve_endpoint": True,
                "tool_name": "agent.receiveFeedback",
                "verify_file_hash": True,
                "include_file_content": True,
                "payload_template": {
                    "score": "{{score}}", "tag1": "{{tag1}}", "tag2": "{{tag2}}",
                    "clientAddress": "{{client_address}}", "feedbackIndex": "{{feedback_index}}",
                    "fileUri": "{{file_uri}}", "fileHash": "{{file_hash}}",
                    "fileContent": "{{verified_file_content}}", "blockNumber": "{{block_number}}",
                    "timestamp": "{{timestamp}}",
                },
            },
        }
    ],
}  # fmt: skip
PUSH_VALIDATION: dict[str, Any] = {
    "name": "Push validation to the agent",
    "chain_id": CHAIN_ID,
    "registry": "validation",
    "conditions": [{"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": "42"}],
    "actions": [
        {
            "action_type": "mcp",
            "priority": 1,
            "config": {
                "resolve_endpoint": True,
                "tool_name": "agent.receiveValidation",
                "verify_file_hash": True,
                "include_file_content": True,
                "payload_template": {
                    "validatorAddress": "{{validator_address}}", "response": "{{response}}", "tag": "{{tag}}",
                    "responseUri": "{{response_uri}}", "fileContent": "{{verified_file_content}}",
                    "blockNumber": "{{block_number}}",
                },
            },
        }
    ],
}  # fmt: skip


@pytest.fixture
async def user(database: str, redis_url: str) -> AsyncIterator[User]:
    async with running(settings_for(database, redis_url)) as started:
        api: Api = started
        yield await api.register()


@pytest.fixture
def agent() -> Iterator[McpServer]:
    with mcp_server() as found:
        yield found


async def deliver(rig: Rig, gateways: tuple[str, ...], done: Any) -> None:
    """Let the path work until ``done``."""
    evaluator = await rig.served()
    settings = DelivererSettings(
        rig.settings.database_url, SECRET_KEY, ("127.0.0.0/8",), gateways, lane_lease_seconds=2.5, beat_seconds=0.2
    )
    deliverer = Deliverer("deliverer-00", settings)
    await deliverer.start()
    try:
        await eventually(done)
    finally:
        await deliverer.drain(0.2)
        await evaluator.drain()


async def register_agent(rig: Rig, uri: str) -> None:
    row = feedback(1, registry="identity", event_type="Registered", agent_id=42, chain_id=CHAIN_ID)
    async with rig.pool.acquire() as db:
        await insert_events(db, [row | {"data": {"agent_uri": uri, "owner": "0x" + "11" * 20}}])


async def test_feedback_is_pushed_to_the_agent_once_with_its_checked_file(
    rig: Rig, user: User, agent: McpServer
) -> None:
    made = await user.call("POST", "/triggers", json=PUSH_FEEDBACK)
    assert made.status_code == 201, made.text
    file = b'{"comment": "slow, but kind"}'
    async with gateway() as ipfs:
        registration = orjson.dumps({"services": [{"name": "MCP", "endpoint": agent.url}]})
        await register_agent(rig, f"ipfs://{ipfs.add(registration)}")
        data = {"feedback_uri": f"ipfs://{ipfs.add(file)}", "feedback_hash": "0x" + keccak(file).hex(), "score": "59.5"}
        async with rig.pool.acquire() as db:
            await insert_events(db, [
                feedback(2, agent_id=42, chain_id=CHAIN_ID, data=data),
                feedback(3, agent_id=42, chain_id=CHAIN_ID),  # names no file
                feedback(4, agent_id=41, chain_id=CHAIN_ID, data=data),
            ])  # fmt: skip

        async def done() -> bool:
            rows = (await user.call("GET", "/deliveries")).json()["data"]
            return [row["status"] for row in rows] == ["delivered"]

        await deliver(rig, (ipfs.url,), done)
    called = [one[2]["params"] for one in agent.requests if one[2] and one[2]["method"] == "tools/call"]
    assert [one["name"] for one in called] == ["agent.receiveFeedback"]
    arguments = called[0]["arguments"]
    assert (arguments["score"], arguments["tag2"], arguments["fileContent"]) == (59.5, "", file.decode())
    assert arguments["fileHash"] == data["feedback_hash"]


async def test_validation_requests_and_responses_are_both_pushed(rig: Rig, user: User, agent: McpServer) -> None:
    made = await user.call("POST", "/triggers", json=PUSH_VALIDATION)
    assert made.status_code == 201, made.text
    await register_agent(rig, f"data:,{orjson.dumps({'services': [{'name': 'MCP', 'endpoint': agent.url}]}).decode()}")
    request = feedback(2, registry="validation", event_type="ValidationRequest", agent_id=42, chain_id=CHAIN_ID)
    answer = feedback(3, registry="validation", event_type="ValidationResponse", agent_id=42, chain_id=CHAIN_ID)
    asked = {"request_uri": "data:,why", "request_hash": "0x" + keccak(b"why").hex(), "validator_address": "0x1"}
    told = {"response": 77, "response_uri": "", "response_hash": "0x" + "00" * 32, "tag": "t"}
    async with rig.pool.acquire() as db:
        await insert_events(db, [request | {"data": asked}, answer | {"data": told}])

    async def done() -> bool:
        return len((await user.call("GET", "/deliveries?status=delivered")).json()["data"]) == 2

    await deliver(rig, (), done)
    assert {tool for tool, _ in agent.calls} == {"agent.receiveValidation"}
    assert {one["response"]: one["fileContent"] for _, one in agent.calls} == {None: "why", 77: None}


async def test_token_is_masked_kept_and_sent(rig: Rig, user: User) -> None:
    with mcp_server(token="sesame-open") as server:
        config = {
            "server_url": server.url,
            "tool_name": "anything",
            "arguments_template": {},
            "auth_token": "sesame-open",
        }
        trigger = {
            "name": "x", "chain_id": CHAIN_ID, "match_all": True, "conditions": [],
            "actions": [{"action_type": "mcp", "config": config}],
        }  # fmt: skip
        made = (await user.call("POST", "/triggers", json=trigger)).json()["data"]
        shown = await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": made["actions"]})
        assert "sesame" not in shown.text
        assert "sesame" not in str(await rig.pool.fetch("SELECT config FROM trigger_actions"))
        async with rig.pool.acquire() as db:
            await insert_events(db, [feedback(2, agent_id=42, chain_id=CHAIN_ID)])

        async def done() -> bool:
            return len((await user.call("GET", "/deliveries?status=delivered")).json()["data"]) == 1

        await deliver(rig, (), done)
        delivery = (await user.call("GET", "/deliveries")).json()["data"][0]
        assert "sesame" not in (await user.call("GET", f"/deliveries/{delivery['id']}")).text
        assert server.calls == [("anything", {})]
