"""Where the chains stand, and how many events there are, over HTTP."""

from typing import Any

import pytest

from agentauri.store import event_counts
from agentauri.store.database import Pool
from tests.integration.serve.conftest import User
from tests.integration.serve.test_events import insert

CHAIN = """
    INSERT INTO chains (chain_id, name, block_number, confirmed_time, head_block, head_time, final_block, last_event_at,
        provider, errors, last_error, reorgs, updated_at)
    VALUES ($1, 'local', 90, to_timestamp(1000), $2, to_timestamp(1020.5), 80, to_timestamp(900), 'rpc.example.com', 3,
        'password of the database', 1, now() - $3 * interval '1 second')"""


@pytest.mark.parametrize(
    ("head", "ago", "state", "lag"), [(100, 0, "live", 10), (900, 0, "behind", 810), (100, 60, "silent", 10)]
)
async def test_status_tells_where_a_chain_stands(
    user: User, pool: Pool, head: int, ago: int, state: str, lag: int
) -> None:
    await pool.execute(CHAIN, 31337, head, ago)
    answer = await user.call("GET", "/indexer/status")
    (chain,) = answer.json()["data"]["chains"]
    shown = (chain["state"], chain["head_block"], chain["indexed_block"], chain["lag_blocks"], chain["lag_seconds"])
    assert shown == (state, head, 90, lag, 20.5)
    assert (chain["provider"], chain["errors"], chain["reorgs"]) == ("rpc.example.com", 3, 1)
    assert chain["last_event_at"] == "1970-01-01T00:15:00Z"
    assert "password" not in answer.text


async def test_status_of_a_chain_that_no_provider_answered_for(user: User, pool: Pool) -> None:
    await pool.execute("INSERT INTO chains (chain_id, name, block_number) VALUES (1, 'new', -1), (2, 'other', -1)")
    (chain,) = (await user.call("GET", "/indexer/status?chain_id=1")).json()["data"]["chains"]
    assert (chain["state"], chain["head_block"], chain["lag_blocks"], chain["lag_seconds"]) == (
        "starting", None, None, None,
    )  # fmt: skip


async def test_events_are_counted_by_chain_registry_and_type(user: User, pool: Pool) -> None:
    kinds: list[dict[str, Any]] = [{}, {}, {"event_type": "FeedbackRevoked"}, {"chain_id": 2, "registry": "identity"}]
    *_, seq = [(await insert(pool, **kind))["seq"] for kind in kinds]
    async with pool.acquire() as connection:
        assert not await event_counts.add_step(connection)
    await insert(pool)
    data = (await user.call("GET", "/indexer/events")).json()["data"]
    assert data["seq"] == seq
    assert [tuple(one.values()) for one in data["kinds"]] == [
        (1, "reputation", "NewFeedback", 2, 0),
        (1, "reputation", "FeedbackRevoked", 1, 0),
        (2, "identity", "NewFeedback", 1, 0),
    ]
    only = (await user.call("GET", "/indexer/events?chain_id=2")).json()["data"]["kinds"]
    assert only == data["kinds"][2:]


async def test_counts_of_an_empty_log(user: User) -> None:
    data = (await user.call("GET", "/indexer/events")).json()["data"]
    assert (data["seq"], data["kinds"]) == (0, [])
