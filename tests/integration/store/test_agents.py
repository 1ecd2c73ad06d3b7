"""What the log says about where an agent's registration file is."""

from typing import Any

from agentauri.store import agents
from agentauri.store.database import Pool
from tests.support.rows import feedback, insert_events


def registered(number: int, event_type: str, uri: str | None, **changes: Any) -> dict[str, Any]:
    row = feedback(number, registry="identity", event_type=event_type, agent_id=42, **changes)
    return row | {"data": {} if uri is None else {"agent_uri": uri}}


async def test_newest_uri_of_the_agent_on_its_chain_counts(pool: Pool) -> None:
    async with pool.acquire() as db:
        assert await agents.find_agent_uri(db, 31337, 42) is None
        await insert_events(db, [
            registered(1, "Registered", "data:,first"),
            registered(2, "URIUpdated", "data:,second"),
            registered(3, "URIUpdated", "data:,elsewhere", chain_id=1),
            registered(4, "MetadataSet", "data:,no"),
            feedback(5, agent_id=42, data={"agent_uri": "data:,no"}),
        ])  # fmt: skip
        assert await agents.find_agent_uri(db, 31337, 42) == "data:,second"
        assert await agents.find_agent_uri(db, 1, 42) == "data:,elsewhere"
        assert await agents.find_agent_uri(db, 31337, 43) is None


async def test_retracted_event_does_not_count_and_an_emptied_uri_does(pool: Pool) -> None:
    async with pool.acquire() as db:
        ids = await insert_events(db, [
            registered(1, "Registered", "data:,first"), registered(2, "URIUpdated", "data:,second"),
        ])  # fmt: skip
        await db.execute("UPDATE events SET retracted_at = now() WHERE id = $1", ids[1])
        assert await agents.find_agent_uri(db, 31337, 42) == "data:,first"
        await insert_events(db, [registered(3, "URIUpdated", "")])
        assert await agents.find_agent_uri(db, 31337, 42) == ""


async def test_agent_beyond_int64_is_not_in_the_index(pool: Pool) -> None:
    async with pool.acquire() as db:
        assert await agents.find_agent_uri(db, 31337, 2**200) is None


async def test_many_events_of_an_agent_do_not_make_the_question_long(pool: Pool) -> None:
    async with pool.acquire() as db:
        await insert_events(db, [registered(1, "Registered", "data:,first")])
        await insert_events(db, [feedback(number, agent_id=42) for number in range(2, 3000)])
        await db.execute("ANALYZE events")
        plan = await db.fetch("EXPLAIN " + agents.URI_SQL.replace("$1", "31337").replace("$2", "42"))
    assert "agent_id_chain_id_seq" in str(plan)
