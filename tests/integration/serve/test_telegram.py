"""Telegram from end to end: triggers over the API, events in the log, messages at the Bot API."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.models.action import MASK
from tests.integration.serve.conftest import SECRET_KEY, Api, User
from tests.support.bot_api import OWN_TOKEN, TOKEN, BotApi, bot_api
from tests.support.examples import EXAMPLES, to_chats_of_their_own
from tests.support.path import Rig
from tests.support.rows import feedback, insert_events
from tests.support.waiting import eventually

CLIENT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
VALIDATOR = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SHOWN = {
    "1": ["Agent #42 got 55.5/100 from {client} [a_b*c/] in block 3."],
    "2": ["New agent 42 by {client}: https://a.io/?a=1&b=<2> (0x{hash})"],
    "3": ["Refund: 42 75 {client} "],
    "4": ["Agent 42: {validator} answered 79 (tee.)"],
    "5": ["EMA 68.0 after 20 for 42"],
    "6": ["11 bad scores within the hour for 42"],
    "7": ["CRITICAL: agent 42 got 29.5"],
}


@pytest.fixture
async def bots() -> AsyncIterator[BotApi]:
    async with bot_api() as started:
        started.chats |= {str(number): "private" for number in range(1, 20)}
        yield started


@pytest.fixture
async def deliverer(database: str, bots: BotApi, api: Api) -> AsyncIterator[Deliverer]:
    settings = DelivererSettings(
        database, SECRET_KEY, telegram_api=bots.url, telegram_token=TOKEN, lane_lease_seconds=2.5, beat_seconds=0.2
    )
    made = Deliverer("deliverer-00", settings)
    await made.start()
    yield made
    await made.drain(0.2)


async def create(user: User, trigger: dict[str, Any]) -> dict[str, Any]:
    answer = await user.call("POST", "/triggers", json=trigger)
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def play(rig: Rig, rows: list[dict[str, Any]]) -> None:
    async with rig.pool.acquire() as connection:
        await insert_events(connection, rows)
    await rig.serve(await rig.start())


def on_base(number: int, **changes: Any) -> dict[str, Any]:
    return feedback(number, **{"chain_id": 84532, "agent_id": 42, **changes})


@pytest.mark.parametrize("example", EXAMPLES, ids=[one["name"] for one in EXAMPLES])
async def test_example_is_accepted_as_it_stands(user: User, example: dict[str, Any]) -> None:
    """Although no bot is configured here: what is sent then fails and says so."""
    made = await create(user, example)
    assert [one["action_type"] for one in made["actions"]] == [one["action_type"] for one in example["actions"]]
    assert made["actions"][0]["config"].items() >= example["actions"][0]["config"].items()


STORIES: dict[str, list[dict[str, Any]]] = {
    "1": [
        on_base(1, agent_id=41, data={"score": "10"}),
        on_base(2, data={"score": "60"}),
        on_base(3, data={"score": "55.5", "tag1": "a_b*c"}),
    ],
    "2": [
        on_base(1, registry="identity", event_type="Transfer", data={}),
        on_base(
            2, registry="identity", event_type="Registered", data={"owner": CLIENT, "agent_uri": "https://a.io/?a=1&b=<2>"}
        ),
    ],
    "3": [on_base(1, data={"score": "75", "tag1": "Refund"}), on_base(2, data={"score": "75", "tag1": "refund"})],
    "4": [
        feedback(
            number, chain_id=80002, agent_id=42, registry="validation", event_type="ValidationResponse",
            data={"validator_address": VALIDATOR, "response": response, "tag": "tee."},
        )
        for number, response in ((1, 80), (2, 79))
    ],
    "5": [on_base(1, data={"score": "80"}), on_base(2, data={"score": "20"})],
    "6": [on_base(number, data={"score": "49"}) for number in range(1, 21)],
    "7": [on_base(1, data={"score": "30"}), on_base(2, data={"score": "29.5"})],
}  # fmt: skip


@pytest.mark.parametrize("number", STORIES)
async def test_example_tells_its_chat_what_it_should(
    user: User, rig: Rig, deliverer: Deliverer, bots: BotApi, number: str
) -> None:
    await create(user, to_chats_of_their_own()[int(number) - 1])
    await play(rig, STORIES[number])
    await eventually(lambda: len(bots.sent) == len(SHOWN[number]))
    named = {"client": CLIENT, "validator": VALIDATOR, "hash": f"{2 + 2**128:064x}"}
    expected = [one.format(**named) for one in SHOWN[number]]
    assert [(one.chat, one.shown.text) for one in bots.sent] == [(number, text) for text in expected]
    assert bots.refused == []
    listed = (await user.call("GET", "/deliveries?channel=telegram")).json()["data"]
    assert len(listed) == len(expected)


async def test_bot_of_ones_own_is_kept_secret_through_edits(
    user: User, rig: Rig, deliverer: Deliverer, bots: BotApi
) -> None:
    trigger = to_chats_of_their_own()[6]
    trigger["actions"][0]["config"]["bot_token"] = OWN_TOKEN
    made = await create(user, trigger)
    assert made["actions"][0]["config"]["bot_token"] == MASK
    made["actions"][0]["config"]["chat_id"] = 8
    changed = await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": made["actions"]})
    assert changed.status_code == 200
    assert "TEST-" not in changed.text
    await play(rig, STORIES["7"])
    await eventually(lambda: len(bots.sent) == 1)
    assert (bots.sent[0].token, bots.sent[0].chat) == (OWN_TOKEN, "8")
    (delivery,) = (await user.call("GET", "/deliveries")).json()["data"]
    assert "TEST-" not in (await user.call("GET", f"/deliveries/{delivery['id']}")).text
