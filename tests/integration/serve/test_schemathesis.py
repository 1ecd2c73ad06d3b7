"""Schemathesis, with every check that it has, finds nothing: the OpenAPI document is complete and true.

``ST_ARGS`` goes to its command line, for one who looks into a finding: ``--include-path-regex api-keys``.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from agentauri.serve.app import create_app
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, PASSWORD, settings_for
from tests.support.live import serving
from tests.support.rows import feedback, insert_deliveries, insert_events

ROOT = Path(__file__).resolve().parents[3]
SUPPORT = ROOT / "tests" / "support"
ACCOUNT = "staying@example.com"
WORKERS = "2"
SECONDS = 420


@pytest.mark.timeout(SECONDS + 30)
async def test_schemathesis_finds_nothing(database: str, pool: Pool, redis_url: str, tmp_path: Path) -> None:
    app = create_app(settings_for(database, redis_url), cost=CHEAP)
    with serving(app) as base:
        await prepare(pool, base)
        found = subprocess.run(
            [
                Path(sys.executable).with_name("st"), "--config-file", SUPPORT / "schemathesis.toml",
                "run", f"{base}/api/v1/openapi.json", "--checks", "all", "--workers", WORKERS, "--no-color",
                *shlex.split(os.environ.get("ST_ARGS", "")),
            ],
            cwd=tmp_path,
            env=os.environ
            | {
                "AGENTAURI_FUZZED_API": base,
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
    print(found.stdout)  # pytest shows it for a test that failed
    assert found.returncode == 0


async def prepare(pool: Pool, base: str) -> None:
    """An account with what no request can make: events of the chains, and deliveries."""
    async with httpx2.AsyncClient(base_url=f"{base}/api/v1") as client:
        answer = await client.post("/auth/register", json={"email": ACCOUNT, "password": PASSWORD})
    organization = UUID(answer.json()["data"]["user"]["organizations"][0]["id"])
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(number) for number in range(3)])
        await insert_deliveries(connection, organization, ["dead", "retrying", "delivered"])
