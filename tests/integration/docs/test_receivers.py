"""The receivers of docs/examples, each run as it stands there against requests that the webhook channel signed."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentauri.actors.environment import free_port
from agentauri.channels.addresses import policy_of
from agentauri.channels.guard import GuardedClient
from agentauri.channels.webhook import Webhook
from tests.support.claims import claimed
from tests.support.toolchains import MODULES, ROOT, need
from tests.support.waiting import eventually

EXAMPLES = ROOT / "docs" / "examples"
BUILD_SECONDS = 280
TRANSPILE = """
const ts = require(process.argv[1]), fs = require("node:fs");
const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, strict: true };
const made = ts.transpileModule(fs.readFileSync(process.argv[2], "utf8"),
  { compilerOptions: options, reportDiagnostics: true });
if (made.diagnostics.length) throw new Error(JSON.stringify(made.diagnostics.map((one) => one.messageText)));
fs.writeFileSync(process.argv[3], made.outputText);
"""
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRIVATE = "whsk_" + b64encode(KEY.private_bytes_raw()).decode()
PUBLIC = "whpk_" + b64encode(KEY.public_key().public_bytes_raw()).decode()
SHARED, OTHER = ("whsec_" + b64encode(bytes([n]) * 32).decode() for n in (1, 2))

Build = Callable[[Path], list[str]]


def python(_: Path) -> list[str]:
    return [sys.executable, str(EXAMPLES / "receiver.py")]


def typescript(folder: Path) -> list[str]:
    node = need("node", "typescript")
    made = folder / "receiver.mjs"
    words = [node, "-e", TRANSPILE, str(MODULES / "typescript"), str(EXAMPLES / "receiver.ts"), str(made)]
    subprocess.run(words, check=True, timeout=BUILD_SECONDS)
    return [node, str(made)]


def go(folder: Path) -> list[str]:
    program = need("go")
    shutil.copy(EXAMPLES / "receiver.go", folder / "receiver.go")
    words = [program, "build", "-o", "receiver", "receiver.go"]
    subprocess.run(words, check=True, timeout=BUILD_SECONDS, cwd=folder, env={**os.environ, "GOTOOLCHAIN": "local"})
    return [str(folder / "receiver")]


@pytest.fixture(scope="module", params=[python, typescript, go], ids=["python", "typescript", "go"])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How the example is started, built once."""
    build: Build = request.param
    return build(tmp_path_factory.mktemp("receiver"))


@asynccontextmanager
async def receiving(command: list[str], secret: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    port = free_port()
    started = await asyncio.create_subprocess_exec(
        *command, str(port), stdout=asyncio.subprocess.PIPE, env={**os.environ, "WEBHOOK_SECRET": secret}
    )
    try:
        await eventually(lambda: is_open(port), seconds=30)
        yield f"http://127.0.0.1:{port}/hook", started
    finally:
        started.kill()
        await started.communicate()


async def is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def send(url: str, secret: str, *, age: float = 0.0, times: int = 1, **config: Any) -> int | None:
    """Send a delivery as a deliverer does, signed with ``secret``; the last answer's status."""
    webhook = Webhook(GuardedClient(policy_of(["127.0.0.0/8"])), lambda: time.time() - age)
    delivery = claimed(url, **config)._replace(secrets=(secret,))
    try:
        answers = [await webhook.attempt(delivery, 10.0) for _ in range(times)]
    finally:
        await webhook.close()
    return answers[-1].http_status


@pytest.mark.timeout(BUILD_SECONDS + 20)
@pytest.mark.parametrize(("secret", "key"), [(SHARED, SHARED), (PRIVATE, PUBLIC)], ids=["v1", "v1a"])
async def test_example_takes_what_is_genuine_and_tells_it_once(command: list[str], secret: str, key: str) -> None:
    async with receiving(command, key) as (url, started):
        assert await send(url, secret, times=2) == 204
        assert await send(url, secret, body_template={"type": "ünïcode {{tag1}}"}) == 204
        assert started.stdout is not None
        lines = [(await asyncio.wait_for(started.stdout.readline(), 10)).decode().strip() for _ in range(2)]
    assert lines == ["trigger.fired", "ünïcode quality"]


@pytest.mark.timeout(BUILD_SECONDS + 20)
@pytest.mark.parametrize("key", [SHARED, PUBLIC], ids=["v1", "v1a"])
async def test_example_refuses_what_is_not(command: list[str], key: str) -> None:
    secret = SHARED if key == SHARED else PRIVATE
    async with receiving(command, key) as (url, _):
        assert await send(url, OTHER) == 401
        assert await send(url, secret, age=301) == 401
        assert await send(url, secret, age=-301) == 401


@pytest.mark.parametrize("name", ["receiver.py", "receiver.ts", "receiver.go"])
def test_page_shows_the_examples_as_they_are_run(name: str) -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    shown = re.findall(rf"<!-- docs/examples/{re.escape(name)} -->\n```\w+\n(.*?)```", page, re.DOTALL)
    assert shown == [(EXAMPLES / name).read_text("utf-8")]
