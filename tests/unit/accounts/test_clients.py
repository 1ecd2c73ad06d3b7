"""OAuth clients: secrets, how they are shown, and which scopes are granted."""

import base64
from uuid import UUID

import pytest

from agentauri.accounts.clients import granted_scopes, is_secret, make_secret, read_credentials
from agentauri.errors import OAuthRefused

ID = UUID("00000000-0000-4000-8000-000000000001")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_secret_is_known_by_its_hash_alone() -> None:
    made, other = make_secret(), make_secret()
    assert is_secret(made.sha256, made.text)
    assert not is_secret(made.sha256, other.text)
    assert not is_secret(None, made.text)
    assert made.text.startswith(made.prefix)


def test_credentials_come_by_header_or_form() -> None:
    for authorization, form in (
        (basic(f"{ID}:s:1"), {}),
        (basic(f"{ID}:s:1"), {"client_id": str(ID)}),
        (basic(f"{ID}:s%3A1").replace("Basic", "bAsIc"), {}),
        (None, {"client_id": str(ID), "client_secret": "s:1"}),
    ):
        found = read_credentials(authorization, form)
        assert (found.client_id, found.secret) == (ID, "s:1")


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic ", "Bearer x", "Basic ä", "Basic /w==", basic(str(ID))])
def test_a_header_that_is_no_basic_is_an_invalid_client(authorization: str) -> None:
    with pytest.raises(OAuthRefused) as refused:
        read_credentials(authorization, {"client_id": str(ID)})
    assert refused.value.error == "invalid_client"


def test_scopes_are_those_that_were_asked_for_among_those_allowed() -> None:
    allowed = ["triggers:read", "events:read"]
    assert granted_scopes(None, allowed) == allowed
    assert granted_scopes("events:read  events:read", allowed) == ["events:read"]
    for wanted in ("", " ", "events:write", "events:read admin", "EVENTS:READ", "events:read,triggers:read"):
        with pytest.raises(OAuthRefused) as refused:
            granted_scopes(wanted, allowed)
        assert refused.value.error == "invalid_scope"
    with pytest.raises(OAuthRefused):
        granted_scopes(None, [])
