"""What members and invitations take, and how they are shown."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from agentauri.accounts.roles import Role
from agentauri.serve.schemas import EXAMPLE_EMAIL, EXAMPLE_ID, Body, Email, Pagination, Schema, Text

MAX_TOKEN = 128


def _either(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": ["user_id"]}, {"required": ["email"]}]


def _not_null(schema: dict[str, Any]) -> None:
    """A field that can be left out, and is not null where it stands."""
    (own,) = (one for one in schema.pop("anyOf") if one != {"type": "null"})
    schema.pop("default")
    schema.update(own)


class MemberBody(Body):
    """A user to add, or an address to invite; one of both."""

    model_config = ConfigDict(json_schema_extra=_either)

    user_id: UUID | None = Field(None, examples=[EXAMPLE_ID], json_schema_extra=_not_null)
    email: Email | None = Field(None, json_schema_extra=_not_null)
    role: Role = Field(Role.MEMBER, description="At most the caller's own.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if len(self.model_fields_set & {"user_id", "email"}) != 1 or (self.user_id is None and self.email is None):
            raise ValueError("needs either user_id or email, and not both.")
        return self


class MemberChange(Body):
    """Another role."""

    role: Role


class Member(Schema):
    """A user in an organization."""

    user_id: UUID
    username: str | None
    name: str
    email: str | None = Field(description="Masked below admin, but for one's own.", examples=["a***@example.com"])
    role: Role
    created_at: datetime = Field(description="Since when the user is a member.")
    updated_at: datetime


class MemberAnswer(Schema):
    """One member."""

    data: Member


class MemberList(Schema):
    """A page of members, the oldest first."""

    data: list[Member]
    pagination: Pagination


class Invitation(Schema):
    """An open invitation."""

    id: UUID
    organization_id: UUID
    email: str = Field(examples=[EXAMPLE_EMAIL])
    role: Role
    created_by: UUID | None = Field(description="Who invites; null: an API key or OAuth client did.")
    created_at: datetime
    expires_at: datetime


class NewInvitation(Invitation):
    """A new invitation, its token shown this once."""

    token: str = Field(
        description="For `POST /organizations/invitations/accept`, by the invited person.", examples=["auri_…"]
    )


class AddedAnswer(Schema):
    """The new member, or, where an address was given, the invitation."""

    data: Member | NewInvitation


class InvitationList(Schema):
    """A page of open invitations, the newest first."""

    data: list[Invitation]
    pagination: Pagination


class AcceptBody(Body):
    """The token of an invitation."""

    token: Text = Field(min_length=1, max_length=MAX_TOKEN, examples=["auri_…"])
