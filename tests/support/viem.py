"""viem, the wallet library that browsers use, in a Node process: what it signs and how it reads our texts."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("wallet.mjs")
PACKAGE = Path(__file__).resolve().parents[2] / "node_modules" / "viem"
SECONDS = 30


def ask(what: str, **question: Any) -> Any:
    """What the function ``what`` of ``wallet.mjs`` answers. Skips without viem; in CI that is a failure."""
    if not shutil.which("node") or not PACKAGE.exists():
        reason = "viem is not there; run make install with npm present"
        if os.environ.get("REQUIRE_EVM") == "1" or os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    run = subprocess.run(
        ["node", str(SCRIPT), what],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
