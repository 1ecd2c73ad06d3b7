"""The token endpoint's two grants: what a client may get, each in one transaction.

A client's refresh tokens rotate as users' do: the previous one gets the same successor for ten seconds, used again
later it ends the grant with its access tokens, which is audited.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from agentauri import logs
from agentauri.accounts.clients import WRONG_CLIENT, Credentials, granted_scopes, is_secret
from agentauri.accounts.tokens import ACCESS_SECONDS, REFRESH_LIFETIME, make_refresh_token, refresh_hash
from agentauri.errors import OAuthRefused
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import audit, client_grants, oauth_clients
from agentauri.store.client_grants import Grant, GrantToken
from agentauri.store.database import Connection
from agentauri.store.oauth_clients import ClientSecret

log = logs.get("oauth")
CLIENT_CREDENTIALS = "client_credentials"
REFRESH_TOKEN = "refresh_token"
GRANT_TYPES = (CLIENT_CREDENTIALS, REFRESH_TOKEN)
NOT_REFRESHED = "the refresh token is not valid for this client, has expired, or was used before"


@dataclass(frozen=True, slots=True)
class Asked:
    """A client that has shown its secret, and from where it asks."""

    client: ClientSecret
    origin: Client


async def issue(
    context: Context, form: Mapping[str, str], credentials: Credentials, origin: Client
) -> dict[str, object]:
    """The answer of RFC 6749 §5.1. Raises OAuthRefused."""
    async with context.pool.acquire() as connection, connection.transaction():
        found = await oauth_clients.find_secret(connection, credentials.client_id)
        if not is_secret(None if found is None else found.sha256, credentials.secret) or found is None:
            raise OAuthRefused("invalid_client", WRONG_CLIENT)
        await oauth_clients.touch_client(connection, found.organization_id, found.id)  # locks it before its grants
        asked = Asked(found, origin)
        answer: dict[str, object] | None
        match form.get("grant_type"):
            case None:
                raise OAuthRefused("invalid_request", "grant_type is required")
            case "client_credentials":
                answer = await _grant(context, connection, asked, form.get("scope"))
            case "refresh_token":
                answer = await _refresh(context, connection, asked, form)
            case _:
                raise OAuthRefused("unsupported_grant_type", "use one of: " + ", ".join(GRANT_TYPES))
    if answer is None:  # raised after the commit, which holds the end of the grant
        raise OAuthRefused("invalid_grant", NOT_REFRESHED)
    return answer


async def _grant(context: Context, connection: Connection, asked: Asked, wanted: str | None) -> dict[str, object]:
    client, now = asked.client, datetime.now(UTC)
    scopes = granted_scopes(wanted, client.permissions)
    text, sha256 = make_refresh_token()
    grant = Grant(uuid4(), client.id, client.organization_id, scopes, sha256, now + REFRESH_LIFETIME)
    await client_grants.create_grant(connection, grant)
    return _answer(context, client, grant.id, scopes, text, now)


async def _refresh(
    context: Context, connection: Connection, asked: Asked, form: Mapping[str, str]
) -> dict[str, object] | None:
    """The next tokens of a grant; None: the token was used before, and its grant is ended by that."""
    text, client, now = form.get("refresh_token"), asked.client, datetime.now(UTC)
    if text is None:
        raise OAuthRefused("invalid_request", "refresh_token is required")
    old = refresh_hash(text)
    found = await client_grants.find_token(connection, client.organization_id, client.id, old)
    if found is None or not found.is_live:
        raise OAuthRefused("invalid_grant", NOT_REFRESHED)
    still = [one for one in found.permissions if one in client.permissions]
    scopes = granted_scopes(form.get("scope"), still)
    successor = await _succeed(context, connection, asked, found, old, now)
    return None if successor is None else _answer(context, client, found.grant_id, scopes, successor, now)


async def _succeed(
    context: Context, connection: Connection, asked: Asked, found: GrantToken, old: bytes, now: datetime
) -> str | None:
    organization_id, sealed_for = asked.client.organization_id, f"client_refresh_token:{old.hex()}"
    if found.successor_sealed is None:
        text, new = make_refresh_token()
        await client_grants.rotate(
            connection,
            organization_id,
            found.grant_id,
            old_sha256=old,
            new_sha256=new,
            sealed=context.vault.seal(text.encode(), sealed_for),
            expires_at=now + REFRESH_LIFETIME,
        )
        return text
    if found.in_grace:
        return context.vault.open(found.successor_sealed, sealed_for).decode()
    await client_grants.revoke(connection, organization_id, found.grant_id, "refresh_token_reused")
    actor = audit.Actor("client", asked.client.id, None, asked.origin.ip, asked.origin.request_id)
    target = f"oauth_client:{asked.client.id}"
    await audit.record(
        connection, actor, "oauth_client.refresh_token_reused", organization_id=organization_id, target=target
    )
    log.warning("refresh_token_reused", client=str(asked.client.id), grant=str(found.grant_id))
    return None


def _answer(
    context: Context, client: ClientSecret, grant_id: UUID, scopes: list[str], refresh_token: str, now: datetime
) -> dict[str, object]:
    token = context.keys.tokens.issue_client(
        client.id, grant_id=grant_id, organization_id=client.organization_id, scopes=scopes, now=now
    )
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": refresh_token,
        "scope": " ".join(scopes),
    }
