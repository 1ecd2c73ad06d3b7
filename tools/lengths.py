"""Fails when a module has more than 400 lines or a function more than 60, and names it.

The aim is a fraction of that (CONTRIBUTING.md); this is the fence.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agentauri", "tests", "tools")
MODULE_LINES = 400
FUNCTION_LINES = 60
"""Twenty beyond the rule of 40: a numbered commit in one visible place may have 60."""


def too_long(file: Path) -> Iterator[str]:
    """A line for everything in ``file`` that is too long."""
    text = file.read_text("utf-8")
    place = file.relative_to(ROOT)
    if (count := len(text.splitlines())) > MODULE_LINES:
        yield f"{place}: {count} lines, at most {MODULE_LINES}; split it by concept"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                yield f"{place}:{node.lineno}: {node.name} has {count} lines, at most {FUNCTION_LINES}"


def main() -> int:
    """Print what is too long; 1 when there is any."""
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    found = [line for file in files for line in too_long(file)]
    print("\n".join(found) or f"lengths: {len(files)} modules, none too long")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
