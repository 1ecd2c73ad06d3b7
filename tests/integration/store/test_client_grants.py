"""Grants of OAuth clients: kept a day beyond their end, so that no access token of theirs outlives them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from agentauri.accounts.clients import make_secret
from agentauri.store import access, client_grants, oauth_clients
from agentauri.store.database import Pool


async def test_grants_are_purged_a_day_after_they_ran_out(pool: Pool) -> None:
    organization, client, secret = uuid4(), uuid4(), make_secret()
    await pool.execute("INSERT INTO organizations (id, name) VALUES ($1, 'o')", organization)
    new = oauth_clients.NewOAuthClient(client, "c", secret.prefix, secret.sha256, ["events:read"], None)
    grants = {uuid4(): timedelta(hours=hours) for hours in (-25, -23, 1)}
    async with pool.acquire() as connection:
        await oauth_clients.create_client(connection, organization, new)
        for number, (id_, left) in enumerate(grants.items()):
            expires_at = datetime.now(UTC) + left
            grant = client_grants.Grant(id_, client, organization, ["events:read"], bytes([number]), expires_at)
            await client_grants.create_grant(connection, grant)
        assert await client_grants.purge(connection) == 1
        found = [await access.find_client(connection, organization, client, id_) is not None for id_ in grants]
        assert found == [False, True, True]
        assert await access.find_client(connection, uuid4(), client, list(grants)[2]) is None
