"""Signatures as the public reference library and a public key see them."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook, WebhookVerificationError

from agentauri.channels.signatures import ed25519_signer, hmac_signer, signed_headers

OLD, NEW = ("whsec_" + b64encode(bytes([n]) * 32).decode() for n in (1, 2))
BODY = '{"type":"trigger.fired","tag":"ü"}'.encode()


def now() -> int:
    """At the moment of the test: the library refuses what is five minutes old."""
    return int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_every_live_secret_verifies_while_they_rotate(secret: str) -> None:
    headers = signed_headers("msg_1", now(), BODY, [hmac_signer(OLD), hmac_signer(NEW)])
    assert Webhook(secret).verify(BODY, headers) == {"type": "trigger.fired", "tag": "ü"}


@pytest.mark.parametrize("change", [{"webhook-id": "msg_2"}, {"webhook-timestamp": "1790000000"}])
def test_changed_header_does_not_verify(change: dict[str, str]) -> None:
    headers = signed_headers("msg_1", now(), BODY, [hmac_signer(OLD)]) | change
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, headers)


def test_asymmetric_signature_verifies_with_the_public_key() -> None:
    key = Ed25519PrivateKey.generate()
    headers = signed_headers("msg_1", 7, BODY, [ed25519_signer("whsk_" + b64encode(key.private_bytes_raw()).decode())])
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    key.public_key().verify(b64decode(signature), b"msg_1.7." + BODY)


def test_without_secrets_there_is_no_signature() -> None:
    assert signed_headers("msg_1", 7, BODY, []) == {"webhook-id": "msg_1", "webhook-timestamp": "7"}


@pytest.mark.parametrize("secret", ["", "whsec_*", "secret"])
def test_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - base64's own message, or ours
        hmac_signer(secret)
