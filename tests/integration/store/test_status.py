"""What ``agentauri status`` reads."""

from uuid import uuid4

from agentauri.store import status
from agentauri.store.database import Pool


async def test_a_new_database_has_no_chain_no_delivery_and_no_lag(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await status.list_chains(connection) == []
        assert await status.get_listener(connection) == status.ListenerStatus(epoch=0, cursor=0, lag=0)
        assert await status.delivery_counts(connection) == {}
        assert set((await status.open_delivery_counts(connection)).values()) == {0}


async def test_a_chain_ahead_of_its_head_has_no_negative_lag(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """INSERT INTO chains (chain_id, name, block_number, head_block)
               VALUES (1, 'a', 10, 7), (2, 'b', 5, 9), (3, 'c', 0, NULL)"""
        )
        chains = await status.list_chains(connection)
    assert [(chain.id, chain.head, chain.indexed, chain.lag_blocks) for chain in chains] == [
        (1, 7, 10, 0),
        (2, 9, 5, 4),
        (3, None, 0, None),
    ]


async def test_open_counts_leave_finished_deliveries_out(pool: Pool) -> None:
    async with pool.acquire() as connection:
        organization = uuid4()
        await connection.execute("INSERT INTO organizations (id, name) VALUES ($1, 'a')", organization)
        for state in ("pending", "pending", "delivered", "held"):
            await connection.execute(
                """INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel,
                                           destination, lane, status, context)
                   VALUES ($1, $2, $1, $1, $1, 1, 'rest', 'd', 'l', $3, '{}')""",
                uuid4(),
                organization,
                state,
            )
        everything, waiting = await status.delivery_counts(connection), await status.open_delivery_counts(connection)
    assert everything == {"pending": 2, "delivered": 1, "held": 1}
    assert waiting == {"pending": 2, "retrying": 0, "delivering": 0, "held": 1}
