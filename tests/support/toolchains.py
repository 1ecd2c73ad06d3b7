"""Programs of other languages in tests: skipped with the reason where a toolchain is missing; in CI a failure."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "node_modules"


def need(program: str, package: str = "") -> str:
    """The path of ``program``, with the npm ``package`` beside it if one is named."""
    found = shutil.which(program)
    if found and (not package or (MODULES / package).exists()):
        return found
    reason = f"{program} was not found" if not found else f"the npm package {package} is missing; run make install"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
