"""Who leads: a session advisory lock on one dedicated connection, and the epoch that its taker raises (protocol P11).

The lock goes with the connection, so a dead leader frees it at once and a hung host by TCP keep-alive. The epoch
lets evaluators refuse the pages of a leader that does not know yet that it was replaced.
"""

from agentauri.store.database import Connection

LOCK = (8004, 10)
"""Advisory locks begin with 8004: 1 the log, 2 and 3 months, 10 the leader, 11 signing keys, 100 migrations."""


async def try_lead(connection: Connection) -> bool:
    """Take the leader's lock if it is free; it is held until the connection ends."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *LOCK))


async def raise_epoch(connection: Connection, leader: str) -> int:
    """Begin a new epoch in the name of ``leader`` and return it."""
    sql = "UPDATE listener SET epoch = epoch + 1, leader = $1 RETURNING epoch"
    epoch: int = await connection.fetchval(sql, leader)
    return epoch


async def epoch(connection: Connection) -> int:
    """The newest epoch."""
    found: int = await connection.fetchval("SELECT epoch FROM listener")
    return found
