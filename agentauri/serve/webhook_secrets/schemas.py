"""What webhook secrets look like: their text only in the answer that makes one."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from agentauri.serve.schemas import Body, Pagination, Schema
from agentauri.store.webhook_secrets import SecretKind


class WebhookSecretBody(Body):
    """What a new secret is to be; without a body it is shared."""

    kind: SecretKind = Field(
        SecretKind.HMAC,
        description="`hmac`: shared with receivers, signatures `v1,`. `ed25519`: a key pair, receivers get its public "
        "half, signatures `v1a,`.",
    )


class WebhookSecret(Schema):
    """A secret that signs the organization's webhooks."""

    id: UUID
    hint: str = Field(description="Its last characters.", examples=["VaFU"])
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime | None = Field(description="Set when a rotation replaced it; it signs until then.")
    last_used_at: datetime | None = Field(description="To the minute, about.")
    kind: SecretKind = Field(examples=["hmac"])
    public_key: str | None = Field(description="What receivers verify with, of `ed25519` ones.", examples=["whpk_…"])


class NewWebhookSecret(WebhookSecret):
    """A new secret, shown this once."""

    secret: str | None = Field(
        description="Null for `ed25519`: the private half never leaves the service.", examples=["whsec_…"]
    )


class NewWebhookSecretAnswer(Schema):
    """A new secret."""

    data: NewWebhookSecret


class WebhookSecretList(Schema):
    """A page of secrets, the newest first."""

    data: list[WebhookSecret]
    pagination: Pagination
