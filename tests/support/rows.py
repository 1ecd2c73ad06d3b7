"""Rows for tests: events straight into the table, as any other writer may insert them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.store.database import Connection

BLOCK_TIME = 1_790_000_000
"""Seconds since 1970 of block 0 of the tests' chain; a block every second."""

INSERT_SQL = """
    INSERT INTO events (id, chain_id, registry, event_type, agent_id, contract, block_number, block_hash,
        block_timestamp, transaction_hash, log_index, data)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[],
        $8::text[], $9::timestamptz[], $10::text[], $11::int[], $12::jsonb[])"""

DELIVERIES_SQL = """
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane,
        status, context)
    SELECT gen_random_uuid(), organization_id, trigger_id, id, gen_random_uuid(), 1, action_type, destination, lane,
        status, '{}'
    FROM trigger_actions CROSS JOIN unnest($1::text[]) AS status"""


def feedback(number: int, **changes: Any) -> dict[str, Any]:
    """A NewFeedback in block ``number``; ``changes`` replace columns, ``data`` replaces arguments one by one."""
    data = {
        "client_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "feedback_index": number,
        "value": "80",
        "value_decimals": 0,
        "score": "80",
        "tag1": "quality",
        "tag2": "",
        "endpoint": "",
        "feedback_uri": "",
        "feedback_hash": "0x" + "00" * 32,
    } | changes.pop("data", {})
    row = {
        "id": uuid4(),
        "chain_id": 31337,
        "registry": "reputation",
        "event_type": "NewFeedback",
        "agent_id": 1,
        "contract": "0x5FC8d32690cc91D4c39d9d3abcBD16989F875707",
        "block_number": number,
        "block_hash": f"0x{number:064x}",
        "block_timestamp": datetime.fromtimestamp(BLOCK_TIME + number, UTC),
        "transaction_hash": f"0x{number + 2**128:064x}",
        "log_index": 0,
    }
    return row | {"data": data} | changes


async def insert_events(connection: Connection, rows: list[dict[str, Any]]) -> list[UUID]:
    """Insert ``rows`` in one statement; returns their ids."""
    names = list(feedback(0))
    await connection.execute(INSERT_SQL, *([row[name] for row in rows] for name in names))
    return [row["id"] for row in rows]


async def insert_deliveries(connection: Connection, statuses: list[str]) -> None:
    """Deliveries of every action that there is, one for each of ``statuses``."""
    await connection.execute(DELIVERIES_SQL, statuses)
