"""Schemathesis, with every check that it has, finds nothing: the OpenAPI document is complete and true.

``ST_ARGS`` goes to its command line, for one who looks into a finding: ``--include-path-regex api-keys``.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from agentauri.serve.app import create_app
from agentauri.serve.auth import guess
from agentauri.serve.organizations import service as organizations
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, PASSWORD, settings_for
from tests.support.live import serving
from tests.support.rows import feedback, insert_deliveries, insert_events

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "tests" / "support" / "schemathesis.toml"
ACCOUNT = "staying@example.com"
WORKERS = "2"
SECONDS = 420
MANY = 1_000_000
WALKED = re.compile(r"API Links: +(\d+) covered / (\d+) selected")
ENOUGH = 0.8
"""The part of the links that is to be walked; which ones is chance."""


@pytest.fixture
async def address(database: str, pool: Pool, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Of the application, with an account and what no request can make: events of the chains, and deliveries."""
    monkeypatch.setattr(organizations, "MAX_OWNED", MANY)
    monkeypatch.setattr(guess, "SCHEDULE", (0,))  # wrong passwords lock nobody out
    with serving(
        create_app(settings_for(database, redis_url, limits={"free": {"api_keys": MANY}}), cost=CHEAP)
    ) as base:
        async with httpx2.AsyncClient(base_url=f"{base}/api/v1") as client:
            answer = await client.post("/auth/register", json={"email": ACCOUNT, "password": PASSWORD})
        organization = UUID(answer.json()["data"]["user"]["organizations"][0]["id"])
        async with pool.acquire() as connection:
            await insert_events(connection, [feedback(number) for number in range(3)])
            await connection.execute("UPDATE users SET email_verified_at = now()")
            await insert_deliveries(connection, organization, ["dead", "retrying", "delivered"])
        yield base


@pytest.mark.timeout(SECONDS + 30)
def test_schemathesis_finds_nothing(address: str, tmp_path: Path) -> None:
    shutil.copy(CONFIG, tmp_path)
    found = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "run", f"{address}/api/v1/openapi.json", "--checks", "all",
            "--workers", WORKERS, "--no-color", *shlex.split(os.environ.get("ST_ARGS", "")),
        ],
        cwd=tmp_path,
        env=os.environ
        | {
            "AGENTAURI_FUZZED_API": address,
            "AGENTAURI_FUZZED_ACCOUNT": ACCOUNT,
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )  # fmt: skip
    walked = WALKED.search(found.stdout)
    if found.returncode != 0 or (walked and int(walked[1]) < ENOUGH * int(walked[2])):
        pytest.fail(found.stdout, pytrace=False)
