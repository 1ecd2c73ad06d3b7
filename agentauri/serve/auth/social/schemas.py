"""What logging in with a provider takes and gives."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from agentauri.accounts.redirects import MAX_LENGTH
from agentauri.models.social import Provider
from agentauri.serve.auth.schemas import COOKIE
from agentauri.serve.schemas import Body, Schema

CHALLENGE = r"^[A-Za-z0-9_-]{43}$"
VERIFIER = r"^[A-Za-z0-9._~-]{43,128}$"
MAX_PARAMETER = 4096

Redirect = Annotated[
    str | None,
    Query(
        max_length=MAX_LENGTH,
        pattern=r"^[!-~]+$",
        description="Where the browser goes in the end, with `?code=…` or `?error=…&message=…`: a path of this server, "
        "or an address of an origin in `http.cors_origins`. Without it the code is the answer.",
        examples=["http://localhost:3000/signed-in"],
    ),
]
Challenge = Annotated[
    str | None,
    Query(
        pattern=CHALLENGE,
        description="base64url of the SHA-256 of a random verifier that the front end keeps; the code is then of use "
        "only together with it, so nobody can slip another account's code into the front end.",
    ),
]
Follow = Annotated[
    bool, Query(description="`false`: answer with the address instead of redirecting, for a page that then goes there.")
]
Parameter = Annotated[str, Query(max_length=MAX_PARAMETER, pattern=r"^[ -~]*$")]


class Destination(Schema):
    """Where the browser has to go."""

    url: str = Field(examples=["https://accounts.google.com/o/oauth2/v2/auth?…"])


class DestinationAnswer(Schema):
    """The address of the provider."""

    data: Destination


class Outcome(Schema):
    """What a login at a provider came to."""

    provider: Provider
    linked: bool = Field(description="Whether the identity now belongs to the account that asked for it.")
    code: str | None = Field(description="For `POST /auth/exchange`, once; null when linked.", examples=["aurc_…"])
    expires_in: int | None = Field(description="Seconds that the code lives.", examples=[300])


class OutcomeAnswer(Schema):
    """The end of a login at a provider."""

    data: Outcome


class ExchangeBody(Body):
    """A one-time code of a social login."""

    code: str = Field(max_length=128, pattern=r"^[!-~]*$", examples=["aurc_…"])
    verifier: str | None = Field(
        None, pattern=VERIFIER, description="What the login's `challenge` was made of; required if there was one."
    )
    cookie: bool = COOKIE
