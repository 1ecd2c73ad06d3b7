"""What the log shows of secrets: nothing, whatever text they stand in."""

import pytest

from agentauri.accounts.api_keys import Environment, make_key
from agentauri.accounts.clients import make_secret
from agentauri.accounts.invitation_tokens import make_invitation_token
from agentauri.accounts.mail_tokens import make_mail_token
from agentauri.accounts.social import make_code
from agentauri.accounts.tokens import make_refresh_token
from agentauri.logs import MASK, mask_secrets

JWT = "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
SECRETS = [
    make_key(Environment.LIVE).text, make_key(Environment.TEST).text, make_secret().text, make_invitation_token()[0],
    make_mail_token()[0], make_code()[0], make_refresh_token()[0], "whsec_c2VjcmV0", "whsk_cHJpdmF0ZQ==", JWT,
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_every_kind_of_secret_is_masked_inside_any_text(secret: str) -> None:
    entry = mask_secrets(None, "info", {"event": "failed", "error": f"OSError('GET /x?code={secret}&y=1')"})
    assert secret[-8:] not in str(entry)
    assert MASK in entry["error"]
    assert entry["error"].endswith("&y=1')")


def test_values_under_telling_names_and_credentials_in_addresses_are_masked() -> None:
    entry = mask_secrets(None, "info", {"password": "x", "Authorization": "y", "url": "redis://me:pw@host/0"})
    assert entry == {"password": MASK, "Authorization": MASK, "url": f"redis://{MASK}@host/0"}
