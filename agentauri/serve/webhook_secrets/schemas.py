"""What webhook secrets look like: their text only in the answer that makes one."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from agentauri.serve.schemas import Pagination, Schema


class WebhookSecret(Schema):
    """A secret that signs the organization's webhooks."""

    id: UUID
    hint: str = Field(description="Its last characters.", examples=["VaFU"])
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime | None = Field(description="Set when a rotation replaced it; it signs until then.")
    last_used_at: datetime | None


class NewWebhookSecret(WebhookSecret):
    """A new secret, shown this once."""

    secret: str = Field(examples=["whsec_…"])


class NewWebhookSecretAnswer(Schema):
    """A new secret."""

    data: NewWebhookSecret


class WebhookSecretList(Schema):
    """A page of secrets, the newest first."""

    data: list[WebhookSecret]
    pagination: Pagination
