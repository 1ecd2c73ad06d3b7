"""Compiles the contracts that wallet sign-in needs into the JSON files that are read where there is no compiler.

Run as ``python -m tools.contracts`` after a change of one; a test compares each with its source. The emitter of the
demo has its own (agentauri/demo/emitter_build.py).
"""

import json
from pathlib import Path
from typing import Any

from agentauri.demo.emitter_build import compile_contracts

ROOT = Path(__file__).resolve().parents[1]
WALLET_CHECK = ROOT / "agentauri" / "chain" / "wallet_check.sol"
TEST_WALLETS = ROOT / "tests" / "support" / "wallets.sol"


def artifacts() -> dict[Path, dict[str, Any]]:
    """What each file should hold."""
    return {
        WALLET_CHECK.with_suffix(".json"): compile_contracts(WALLET_CHECK)["WalletCheck"],
        TEST_WALLETS.with_suffix(".json"): compile_contracts(TEST_WALLETS),
    }


if __name__ == "__main__":
    for file, made in artifacts().items():
        file.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
