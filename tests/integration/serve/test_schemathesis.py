"""Schemathesis, with every check that it has, finds nothing: the OpenAPI document is complete and true.

``ST_ARGS`` goes to its command line, for one who looks into a finding: ``--include-path-regex api-keys``.
"""

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from agentauri.errors import RequestError, Unavailable
from agentauri.serve import streams
from agentauri.serve.app import create_app
from agentauri.serve.auth import guess
from agentauri.serve.organizations import service as organizations
from agentauri.serve.streams import EventStream
from agentauri.serve.triggers import trial
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from agentauri.store import trigger_tests, webhook_secrets
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, PASSWORD, settings_for
from tests.support.fake_provider import SETTINGS, FakeProvider, running
from tests.support.live import serving
from tests.support.rows import feedback, insert_deliveries, insert_events

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "tests" / "support" / "schemathesis.toml"
ACCOUNT = "staying@example.com"
SECONDS = 900
DELIVERIES = 100
PROVIDERS = ("google", "github")
MANY = 1_000_000
WALKED = re.compile(r"API Links: +(\d+) covered / (\d+) selected")
ENOUGH = 0.6
"""The part of the links that is to be walked; which ones is chance."""


@pytest.fixture
async def address(database: str, pool: Pool, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Of the application, with an account and what no request can make: events of the chains, and deliveries."""
    monkeypatch.setattr(organizations, "MAX_OWNED", MANY)
    monkeypatch.setattr(guess, "SCHEDULE", (0,))  # wrong passwords lock nobody out
    monkeypatch.setattr(webhook_secrets, "MAX_LIVE", MANY)
    monkeypatch.setattr(EventStream, "_watch", end_at_once)
    monkeypatch.setattr(trial, "INLINE_EVENTS", 0)
    monkeypatch.setattr(trigger_tests, "MOST_RUNNING", MANY)
    callbacks = {f"http://127.0.0.1:8000/api/v1/auth/{name}/callback" for name in PROVIDERS}
    async with running(FakeProvider(callbacks=callbacks)) as fake:
        oauth = {name: {**SETTINGS, "base_url": fake.url} for name in PROVIDERS}
        settings = settings_for(database, redis_url, limits={"free": {"api_keys": MANY}}, oauth=oauth)
        with serving(create_app(settings, cost=CHEAP)) as base:
            await prepare(pool, base)
            yield base


async def prepare(pool: Pool, base: str) -> None:
    async with httpx2.AsyncClient(base_url=f"{base}/api/v1") as client:
        registered = await client.post("/auth/register", json={"email": ACCOUNT, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {registered.json()['data']['token']}"}
        (await client.post("/triggers", json=EXAMPLE_TRIGGER, headers=headers)).raise_for_status()
    async with pool.acquire() as connection:
        await connection.execute("UPDATE users SET email_verified_at = now()")
        await insert_events(connection, [feedback(number) for number in range(3)])
        await insert_deliveries(connection, ["dead", "pending", "delivered"] * DELIVERIES)


async def end_at_once(_stream: EventStream) -> RequestError:
    """What a stream waits for beside its client: here nothing."""
    return Unavailable(streams.STOPPING)


@pytest.mark.timeout(SECONDS + 30)
async def test_schemathesis_finds_nothing(address: str, tmp_path: Path) -> None:
    shutil.copy(CONFIG, tmp_path)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("st"), "run", f"{address}/api/v1/openapi.json",
        "--no-color", *shlex.split(os.environ.get("ST_ARGS", "")),
        cwd=tmp_path,
        env=os.environ
        | {
            "AGENTAURI_FUZZED_API": address,
            "AGENTAURI_FUZZED_ACCOUNT": ACCOUNT,
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said = (await asyncio.wait_for(process.communicate(), SECONDS))[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    walked = WALKED.search(said)
    if process.returncode != 0 or (walked and int(walked[1]) < ENOUGH * int(walked[2])):
        pytest.fail(said, pytrace=False)
