"""Schemathesis, with every check that it has, finds nothing: the OpenAPI document is complete and true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentauri.serve.app import create_app
from tests.integration.serve.conftest import CHEAP, settings_for
from tests.support.live import serving

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = 12
SECONDS = 420


@pytest.mark.timeout(SECONDS + 30)
def test_schemathesis_finds_nothing(database: str, redis_url: str, tmp_path: Path) -> None:
    app = create_app(settings_for(database, redis_url), cost=CHEAP)
    with serving(app) as base:
        found = subprocess.run(
            [
                Path(sys.executable).with_name("st"), "run", f"{base}/api/v1/openapi.json", "--checks", "all",
                "--max-examples", str(EXAMPLES), "--seed", "8004", "--continue-on-failure", "--no-color",
                "--request-timeout", "20", "--suppress-health-check", "all",
            ],
            cwd=tmp_path,
            env=os.environ
            | {
                "AGENTAURI_FUZZED_API": base,
                "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
                "PYTHONPATH": str(ROOT),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )  # fmt: skip
    assert found.returncode == 0, found.stdout[-20_000:]
