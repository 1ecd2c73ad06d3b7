"""What the own account takes and shows: sessions, changes, passwords, mails, cookies, the export."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from agentauri.accounts.emails import parse_email
from agentauri.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from agentauri.serve.auth.schemas import MAX_LOGIN_PASSWORD, MAX_NAME, OrganizationOfUser, Password, Username
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, Body, Email, Pagination, Schema, Text

EXAMPLE_PASSWORD = "correct-horse-battery-staple"
MAX_TOKEN = 128

NewPassword = Annotated[
    Password,
    Field(
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
        description="Not easy to guess, and without the user name or the e-mail address in it.",
        examples=[EXAMPLE_PASSWORD],
    ),
]
OwnPassword = Annotated[
    Password | None,
    Field(max_length=MAX_LOGIN_PASSWORD, description="Needed where the account has one.", examples=[EXAMPLE_PASSWORD]),
]
MailToken = Annotated[
    Text, Field(max_length=MAX_TOKEN, description="The token that a mail carried.", examples=["aurm_…"])
]


class AccountPatch(Body):
    """The fields to change; others stay. A new e-mail address holds once it is confirmed."""

    name: Text = Field("", max_length=MAX_NAME, examples=["Ada Lovelace"])
    username: Username | None = Field(None, description="Unique without case; null: none.")
    email: Email = Field(
        default_factory=str,  # shows no default, for there is none
        description="Gets a mail with a token for `POST /auth/email/verify`; the account keeps its address until then.",
    )
    current_password: OwnPassword = None

    def sent(self) -> dict[str, Any]:
        """What was sent, without what was left out."""
        return self.model_dump(exclude_unset=True)


class LeaveBody(Body):
    """The confirmation that an account is to be deleted."""

    password: OwnPassword = None


class PasswordBody(Body):
    """A new password."""

    current_password: OwnPassword = None
    new_password: NewPassword


class TokenBody(Body):
    """A token that a mail carried."""

    token: MailToken


class ForgotBody(Body):
    """Whose password is forgotten."""

    email: Annotated[Email, AfterValidator(parse_email)]


class ResetBody(Body):
    """A token that a mail carried, and the new password."""

    token: MailToken
    password: NewPassword


class Said(Schema):
    """What happened, for people."""

    message: str


class SaidAnswer(Schema):
    """What happened."""

    data: Said


class Csrf(Schema):
    """What a page sends with each change it asks for by cookie."""

    csrf_token: str = Field(description="The value of `X-CSRF-Token`; the same as long as the session lives.")


class CsrfAnswer(Schema):
    """The CSRF token of a session."""

    data: Csrf


class Session(Schema):
    """One login: the tokens that come of it end together."""

    id: UUID = Field(examples=[EXAMPLE_ID])
    method: str = Field(examples=["password"])
    ip: str = Field(description="Where the login came from.", examples=["192.0.2.7"])
    user_agent: str
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    last_used_at: datetime = Field(description="The last login or refresh.", examples=[EXAMPLE_TIME])
    expires_at: datetime = Field(examples=[EXAMPLE_TIME])
    current: bool = Field(description="Whether this request came with it.")


class SessionList(Schema):
    """The live sessions, the one used last first; there are ten at most."""

    data: list[Session]
    pagination: Pagination


class Profile(Schema):
    """The account itself."""

    id: UUID
    email: str | None
    email_verified: bool
    username: str | None
    name: str
    has_password: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None


Rows = Annotated[list[dict[str, Any]], Field(max_length=10_000, description="The newest first.")]


class Export(Schema):
    """Everything that is kept of a user, secrets left out."""

    exported_at: datetime
    profile: Profile
    memberships: list[OrganizationOfUser]
    sessions: Rows
    identities: list[dict[str, Any]]
    triggers: Rows = Field(description="Those of the personal organization, with conditions and actions.")
    api_keys: Rows = Field(description="Those of the personal organization, without their texts.")
    oauth_clients: Rows = Field(description="Those of the personal organization, without their secrets.")
    webhook_secrets: Rows = Field(description="Those of the personal organization, without their texts.")
    audit: Rows = Field(description="What was done with the account.")


class ExportAnswer(Schema):
    """The export of an account."""

    data: Export
