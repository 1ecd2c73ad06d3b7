"""What the log says about agents. Events are public data, so no organization stands here."""

from agentauri.store.database import Connection

QUERY_SECONDS = 5.0
MAX_BIGINT = 2**63 - 1
URI_SQL = """
    SELECT coalesce(data ->> 'agent_uri', '') FROM events
    WHERE agent_id = $2 AND chain_id = $1 AND registry = 'identity' AND event_type IN ('Registered', 'URIUpdated')
        AND retracted_at IS NULL
    ORDER BY seq DESC LIMIT 1"""


async def find_agent_uri(connection: Connection, chain_id: int, agent_id: int) -> str | None:
    """The URI that an agent was given last, which may be empty; None when no event in the log gives it one."""
    if agent_id > MAX_BIGINT or chain_id > MAX_BIGINT:
        return None
    found: str | None = await connection.fetchval(URI_SQL, chain_id, agent_id, timeout=QUERY_SECONDS)
    return found
