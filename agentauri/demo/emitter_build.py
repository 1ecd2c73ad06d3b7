"""Compiles emitter.sol with the pinned npm compiler into emitter.json, which is what the package ships.

Run as ``python -m agentauri.demo.emitter_build`` after a change of the contract; a test compares the two. Needs Node
and the npm packages of the repository; whoever only uses the contract needs neither.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("emitter.sol")
ARTIFACT = Path(__file__).with_name("emitter.json")
COMPILER = Path(__file__).resolve().parents[2] / "node_modules" / "solc" / "solc.js"
EVM_VERSION = "paris"
"""No newer instructions than any chain of the last years has."""
COMPILE_SECONDS = 120


def compile_emitter() -> dict[str, Any]:
    """Bytecode and selectors of the contract. Raises RuntimeError with the compiler's messages."""
    return compile_contracts(SOURCE)["Emitter"]


def compile_contracts(source: Path) -> dict[str, dict[str, Any]]:
    """Bytecode and selectors of every contract of a file. Raises RuntimeError with the compiler's messages."""
    question = {
        "language": "Solidity",
        "sources": {source.name: {"content": source.read_text("utf-8")}},
        "settings": {
            "evmVersion": EVM_VERSION,
            "optimizer": {"enabled": True, "runs": 200},
            "viaIR": True,
            "metadata": {"bytecodeHash": "none", "appendCBOR": False},
            "outputSelection": {"*": {"*": ["evm.bytecode.object", "evm.methodIdentifiers"]}},
        },
    }
    run = subprocess.run(
        ["node", str(COMPILER), "--standard-json"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=COMPILE_SECONDS,
        check=True,
    )
    answer = json.loads(run.stdout[run.stdout.index("{") :])
    problems = [one["formattedMessage"] for one in answer.get("errors", ())]
    if problems:
        raise RuntimeError("\n".join(problems))
    made = {name: contract["evm"] for name, contract in answer["contracts"][source.name].items()}
    return {
        name: {"bytecode": "0x" + evm["bytecode"]["object"], "selectors": evm["methodIdentifiers"]}
        for name, evm in made.items()
        if evm["bytecode"]["object"]
    }


def read_artifact() -> dict[str, Any]:
    """What the package ships."""
    found: dict[str, Any] = json.loads(ARTIFACT.read_text("utf-8"))
    return found


if __name__ == "__main__":
    ARTIFACT.write_text(json.dumps(compile_emitter(), indent=1) + "\n", "utf-8")
