"""What registering and logging in take, and who a user is."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from agentauri.accounts.emails import USERNAME
from agentauri.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from agentauri.accounts.roles import Role
from agentauri.accounts.tokens import ACCESS_SECONDS
from agentauri.serve.schemas import EXAMPLE_EMAIL, EXAMPLE_ID, EXAMPLE_TIME, MAX_EMAIL, Body, Email, Schema, Text

MAX_NAME = 255
MAX_LOGIN_PASSWORD = 1024

COOKIE = Field(False, description="Whether the tokens are also to be set as cookies, which no script can read.")

Password = Annotated[str, Field(json_schema_extra={"format": "password", "writeOnly": True})]


Username = Annotated[Text, Field(max_length=32, json_schema_extra={"pattern": USERNAME}, examples=["ada"])]


class RegisterBody(Body):
    """A new account."""

    email: Email
    password: Password = Field(
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
        description="Not easy to guess, and without the user name or the e-mail address in it.",
        examples=["correct-horse-battery-staple"],
    )
    username: Username | None = Field(None, description="Unique without case.")
    name: Text = Field("", max_length=MAX_NAME, examples=["Ada Lovelace"])
    cookie: bool = COOKIE


def _either(schema: dict[str, Any]) -> None:
    text, nothing = {"type": "string"}, {"type": "null"}
    schema["oneOf"] = [
        {"required": ["email"], "properties": {"email": text, "username": nothing}},
        {"required": ["username"], "properties": {"username": text, "email": nothing}},
    ]


class LoginBody(Body):
    """Credentials: the e-mail or the user name, and the password."""

    model_config = ConfigDict(json_schema_extra=_either)

    email: Text | None = Field(None, max_length=MAX_EMAIL, examples=[EXAMPLE_EMAIL])
    username: Text | None = Field(None, max_length=MAX_NAME)
    password: Password = Field(max_length=MAX_LOGIN_PASSWORD, examples=["correct-horse-battery-staple"])
    cookie: bool = COOKIE

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.email is None) == (self.username is None):
            raise ValueError("needs either email or username, and not both.")
        return self


class RefreshBody(Body):
    """A refresh token; left out: that of the cookie."""

    refresh_token: Text | None = Field(None, max_length=128, examples=["aurr_…"])
    cookie: bool = COOKIE


class OrganizationOfUser(Schema):
    """An organization that a user belongs to."""

    id: UUID
    name: str
    personal: bool
    plan: str
    role: Role
    created_at: datetime
    updated_at: datetime


class User(Schema):
    """A user, as that user sees the account."""

    id: UUID = Field(examples=[EXAMPLE_ID])
    email: str | None = Field(examples=[EXAMPLE_EMAIL])
    email_verified: bool
    username: str | None
    name: str
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(examples=[EXAMPLE_TIME])
    last_login_at: datetime | None
    organizations: list[OrganizationOfUser] = Field(description="The personal one first.")


class UserAnswer(Schema):
    """One user."""

    data: User


class Tokens(Schema):
    """What a login gives."""

    token: str = Field(description="The access token: `Authorization: Bearer <token>`.")
    refresh_token: str = Field(description="Gives new tokens for 30 days, once; shown once.", examples=["aurr_…"])
    expires_in: int = Field(description="Seconds that the access token lives.", examples=[ACCESS_SECONDS])
    user: User


class TokensAnswer(Schema):
    """The tokens of a login."""

    data: Tokens


class Registered(Tokens):
    """What a registration gives."""

    webhook_secret: str = Field(
        description="The secret that signs the personal organization's webhooks; shown once.", examples=["whsec_…"]
    )


class RegisteredAnswer(Schema):
    """A new account."""

    data: Registered
