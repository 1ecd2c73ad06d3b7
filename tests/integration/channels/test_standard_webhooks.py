"""What the public npm package of Standard Webhooks says of our requests; the Python one sits in every test receiver."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentauri.channels.addresses import policy_of
from agentauri.channels.webhook import Webhook
from tests.support.claims import SECRET, claimed
from tests.support.misbehaving import misbehaving
from tests.support.toolchains import MODULES, need

SCRIPT = Path(__file__).resolve().parents[2] / "support" / "verify.mjs"


def verifies(secret: str, headers: dict[str, str], body: str) -> bool:
    question = json.dumps({"secret": secret, "headers": headers, "body": body})
    words = [need("node", "standardwebhooks"), str(SCRIPT), str(MODULES)]
    run = subprocess.run(words, input=question, text=True, capture_output=True, timeout=30, check=False)
    assert run.returncode == 0 or "WebhookVerificationError" in run.stderr, run.stderr
    return run.returncode == 0


@pytest.mark.parametrize("config", [{}, {"body_template": "text {{tag1}} ü"}, {"method": "PUT"}])
async def test_npm_package_verifies_our_request_and_no_other(config: dict[str, Any]) -> None:
    webhook = Webhook.open(policy_of(["127.0.0.0/8"]))
    async with misbehaving() as receiver:
        await webhook.attempt(claimed(receiver.url("/ok"), **config), 5.0)
        await webhook.close()
        head, _, body = receiver.requests[-1].decode().partition("\r\n\r\n")
    lines = (line.partition(": ") for line in head.split("\r\n")[1:])
    headers = {name.lower(): value for name, _, value in lines}
    assert verifies(SECRET, headers, body)
    assert not verifies(SECRET, headers, body + " ")
