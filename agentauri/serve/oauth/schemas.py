"""What OAuth clients look like: their secret only in the answer that makes one; and the token endpoint's own shapes."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from agentauri.accounts.roles import Scope
from agentauri.accounts.tokens import ACCESS_SECONDS
from agentauri.serve.oauth.form import FORM
from agentauri.serve.oauth.tokens import GRANT_TYPES
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, Body, Pagination, Schema, Text

MAX_NAME = 255


def _different(scopes: list[Scope]) -> list[Scope]:
    """Without repetitions, in the order in which they came."""
    return list(dict.fromkeys(scopes))


Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME, examples=["Nightly report"])]
Permissions = Annotated[
    list[Scope],
    Field(
        min_length=1,
        max_length=len(Scope),
        description="The scopes that the client may ask for; none that you do not have.",
        examples=[["events:read", "triggers:read"]],
    ),
    AfterValidator(_different),
]


class NewClientBody(Body):
    """A new OAuth client."""

    name: Name
    permissions: Permissions


class ClientChange(Body):
    """Fields of a client to be changed."""

    name: Name = ""
    permissions: Permissions = Field(default_factory=list)


class OAuthClient(Schema):
    """A program that acts for the organization."""

    id: UUID = Field(description="The client_id.", examples=[EXAMPLE_ID])
    name: str
    prefix: str = Field(description="How its secret begins.", examples=["aurs_3kTq"])
    permissions: list[Scope]
    created_by: UUID | None
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(examples=[EXAMPLE_TIME])
    last_used_at: datetime | None = Field(description="When it last took a token.")
    revoked_at: datetime | None


class OAuthClientAnswer(Schema):
    """One client."""

    data: OAuthClient


class NewOAuthClient(OAuthClient):
    """A new client with its secret, shown this once."""

    secret: str = Field(description="The client_secret.", examples=["aurs_…"])


class NewOAuthClientAnswer(Schema):
    """A new client."""

    data: NewOAuthClient


class OAuthClientList(Schema):
    """A page of clients, the newest first."""

    data: list[OAuthClient]
    pagination: Pagination


class TokenAnswer(Schema):
    """Tokens, in the shape of RFC 6749."""

    access_token: str = Field(description="A JWT: `Authorization: Bearer <token>`.")
    token_type: Literal["Bearer"]
    expires_in: int = Field(examples=[ACCESS_SECONDS])
    refresh_token: str = Field(description="Gives new tokens for 30 days, once.", examples=["aurr_…"])
    scope: str = Field(examples=["events:read triggers:read"])


class TokenRefusal(Schema):
    """A refusal, in the shape of RFC 6749."""

    error: Literal["invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "unsupported_grant_type"]
    error_description: str


def _printable(description: str, max_length: int, **more: Any) -> dict[str, Any]:
    pattern = r"^[\x20-\x7e]*$"
    return {"type": "string", "description": description, "maxLength": max_length, "pattern": pattern, **more}


TOKEN_FIELDS = {
    "grant_type": {"type": "string", "enum": list(GRANT_TYPES)},
    "scope": _printable("Scopes between blanks, among the client's; without it all of them.", 1024),
    "refresh_token": _printable("For the grant `refresh_token`.", 128),
    "client_id": _printable("Unless sent as HTTP Basic.", 36, format="uuid"),
    "client_secret": _printable("Unless sent as HTTP Basic.", 255),
}
TOKEN_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {"type": "object", "required": ["grant_type"], "properties": TOKEN_FIELDS},
                "example": {"grant_type": "client_credentials", "scope": "events:read"},
            }
        },
    }
}


def refusal(error: str, description: str) -> dict[str, Any]:
    """The documentation of a refusal."""
    example = {"error": error, "error_description": description}
    return {"model": TokenRefusal, "content": {"application/json": {"example": example}}}
