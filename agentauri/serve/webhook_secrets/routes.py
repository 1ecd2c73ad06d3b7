"""Webhook secrets of the organization: list, create (shown once), rotate, delete. Every live one signs all webhooks."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one, secret
from agentauri.serve.caller import note
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.serve.webhook_secrets.schemas import NewWebhookSecretAnswer, WebhookSecretBody, WebhookSecretList
from agentauri.store import webhook_secrets
from agentauri.store.database import Connection
from agentauri.store.webhook_secrets import SecretKind, WebhookSecret

router = APIRouter(prefix=f"{API}/webhook-secrets", tags=["webhook-secrets"], route_class=Route)
Reader = Annotated[Principal, require(Scope.ORGANIZATION_READ)]
Admin = Annotated[Principal, require(Scope.ORGANIZATION_WRITE)]
AdminOf = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, of=Resource.WEBHOOK_SECRET)]


@router.get("", operation_id="list_webhook_secrets", response_model=WebhookSecretList)
async def list_webhook_secrets(
    context: In, principal: Reader, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The organization's live secrets, the newest first, without their texts."""
    async with context.pool.acquire() as connection:
        found, total = await webhook_secrets.list_secrets(
            connection, principal.organization_id, limit=limit, offset=offset
        )
    return counted([asdict(secret) for secret in found], total=total, limit=limit, offset=offset)


@router.post("", operation_id="create_webhook_secret", status_code=201, response_model=NewWebhookSecretAnswer)
async def create_webhook_secret(
    context: In, principal: Admin, client: Anonymous, once: Once, body: WebhookSecretBody | None = None
) -> Response:
    """Add a secret. Its text is in this answer and nowhere else afterwards; of a key pair only the public half is."""

    async def work(connection: Connection) -> Response:
        made, text = await webhook_secrets.create_secret(
            connection,
            context.vault,
            organization_id=principal.organization_id,
            created_by=principal.user_id,
            kind=body.kind if body else SecretKind.HMAC,
        )
        await note(connection, principal, client, "webhook_secret.created", f"webhook_secret:{made.id}")
        return _shown_once(made, text)

    return await once.perform(principal, work)


@router.post(
    "/{secret_id}/rotate",
    operation_id="rotate_webhook_secret",
    status_code=201,
    response_model=NewWebhookSecretAnswer,
    responses=errors(409),
)
async def rotate_webhook_secret(
    context: In, principal: AdminOf, client: Anonymous, once: Once, secret_id: Id
) -> Response:
    """Replace a secret. The new one is shown this once; the old one signs beside it for 24 hours more."""

    async def work(connection: Connection) -> Response:
        made, text = await webhook_secrets.rotate_secret(
            connection,
            context.vault,
            organization_id=principal.organization_id,
            id=secret_id,
            created_by=principal.user_id,
        )
        target, details = f"webhook_secret:{secret_id}", {"new": str(made.id)}
        await note(connection, principal, client, "webhook_secret.rotated", target, details)
        return _shown_once(made, text)

    return await once.perform(principal, work)


def _shown_once(made: WebhookSecret, text: str) -> Response:
    """The answer with the secret; the private half of a key pair is nobody's to see."""
    return secret(one({**asdict(made), "secret": text if made.kind is SecretKind.HMAC else None}, 201))


@router.delete(
    "/{secret_id}",
    operation_id="delete_webhook_secret",
    status_code=204,
    response_class=Response,
    responses=errors(409),
)
async def delete_webhook_secret(context: In, principal: AdminOf, client: Anonymous, secret_id: Id) -> Response:
    """Delete a secret; webhooks are no longer signed with it from now on. The last one stays."""
    async with context.pool.acquire() as connection, connection.transaction():
        await webhook_secrets.delete_secret(connection, principal.organization_id, secret_id)
        await note(connection, principal, client, "webhook_secret.deleted", f"webhook_secret:{secret_id}")
    return nothing()
