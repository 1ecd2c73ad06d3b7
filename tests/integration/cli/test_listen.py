"""``agentauri listen`` as a process: what is signed rightly is taken, anything else refused, and everything shown."""

import asyncio
import json
import re
import signal
import time
from base64 import b64encode
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentauri.channels.signatures import Signer, ed25519_signer, hmac_signer, signed_headers
from agentauri.cli.listen import Heard, line
from tests.integration.cli.conftest import Cli, Process

SECRET, OTHER = ("whsec_" + b64encode(bytes([n]) * 32).decode() for n in (1, 2))
BODY = b'{"type":"trigger.fired","data":{"trigger":{"name":"x"},"event":{"event_type":"NewFeedback"}}}'


async def address(started: asyncio.subprocess.Process) -> str:
    assert started.stderr is not None
    text = (await asyncio.wait_for(started.stderr.readline(), 30)).decode()
    found = re.search(r"http://127\.0\.0\.1:\d+/", text)
    assert found, text
    return found[0]


async def send(url: str, signer: Signer, *, age: int = 0, body: bytes = BODY, id_: str = "msg_1") -> int:
    headers = signed_headers(id_, int(time.time()) - age, BODY, [signer])
    async with httpx2.AsyncClient() as client:
        return (await client.post(url + "hook", content=body, headers=headers)).status_code


async def told(started: asyncio.subprocess.Process) -> dict[str, Any]:
    assert started.stdout is not None
    found: dict[str, Any] = json.loads(await asyncio.wait_for(started.stdout.readline(), 30))
    return found


async def test_only_what_is_signed_with_the_secret_and_new_is_taken(process: Process) -> None:
    async with process("listen", "--port", "0", "--secret", SECRET, "--json") as started:
        url = await address(started)
        right = hmac_signer(SECRET)
        assert await send(url, right) == 204
        assert await send(url, right) == 204
        assert await send(url, hmac_signer(OTHER)) == 401
        assert await send(url, right, body=BODY + b" ") == 401
        assert await send(url, right, age=301) == 401
        found = [await told(started) for _ in range(5)]
        started.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(started.wait(), 30) == 0
    assert [one["verified"] for one in found] == [True, True, False, False, False]
    assert [one["repeated"] for one in found[:2]] == [False, True]
    assert found[0]["body"]["type"] == "trigger.fired"
    assert [one["fault"] for one in found[2:4]] == ["no signature fits the secret"] * 2


async def test_public_key_verifies_what_its_private_key_signed(process: Process) -> None:
    key = Ed25519PrivateKey.generate()
    public = "whpk_" + b64encode(key.public_key().public_bytes_raw()).decode()
    private = "whsk_" + b64encode(key.private_bytes_raw()).decode()
    async with process("listen", "--port", "0", "--secret", public, "--count", "2") as started:
        url = await address(started)
        assert await send(url, hmac_signer(SECRET)) == 401
        assert await send(url, ed25519_signer(private)) == 204
        assert await asyncio.wait_for(started.wait(), 30) == 0


async def test_without_a_secret_nothing_is_called_verified(process: Process) -> None:
    async with process("listen", "--port", "0", "--json", "--count", "1") as started:
        assert await send(await address(started), hmac_signer(SECRET)) == 204
        assert (await told(started))["verified"] is None


async def test_nonsense_for_a_secret_is_refused_without_showing_it(cli: Cli) -> None:
    ended = await cli("listen", "--port", "0", "--secret", "whsec_***")
    assert ended.status == 1
    assert "***" not in ended.err


@pytest.mark.parametrize(
    "body", [{"type": "\x1b[2J"}, "\x1b[2J", {"data": {"event": {"event_type": "\x9b"}}}, [], None]
)
def test_line_holds_no_control_characters(body: Any) -> None:
    assert line(Heard("\x1b[0m", True, False, "", body)).plain.isprintable()
