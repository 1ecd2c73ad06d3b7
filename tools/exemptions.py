"""Counts every place where a check is switched off, and shows the reason that stands beside it.

Fails when a reason is missing. Knows ``noqa``, ``type: ignore``, skips and xfails of tests, and in pyproject.toml the
imports that import-linter or mypy are told to ignore. Does not judge the reasons; whoever reads its output does.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agentauri", "tests", "tools")
KINDS = ("noqa", "type: ignore", "ignored import", "skip", "xfail")
COMMENT = re.compile(r"#\s*(?P<kind>noqa|type:\s*ignore)(?::\s*[A-Z0-9, ]+?|\[[^]]*\])?(?P<rest>\s.*)?$")
IGNORED_IMPORT = re.compile(
    r'"[^"]+\s*->\s*[^"]+"|^\s*ignore_missing_imports\s*=\s*true|^\s*follow_untyped_imports\s*='
)


@dataclass(frozen=True, slots=True)
class Exemption:
    """One switched-off check: what kind, where, and why (empty: nobody says)."""

    kind: str
    place: str
    reason: str


def in_comments(file: Path, text: str) -> Iterator[Exemption]:
    """``noqa`` and ``type: ignore`` comments of a module."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if found := COMMENT.search(token.string):
            kind = "noqa" if found["kind"] == "noqa" else "type: ignore"
            yield Exemption(kind, f"{file}:{token.start[0]}", (found["rest"] or "").strip(" -–—#:"))


def in_tests(file: Path, tree: ast.AST) -> Iterator[Exemption]:
    """Calls and marks of pytest that skip a test or expect it to fail."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=("skip" | "skipif" | "importorskip" | "xfail") as name)):
                yield Exemption("xfail" if name == "xfail" else "skip", f"{file}:{node.lineno}", _reason(node, name))
            case ast.Attribute(value=ast.Attribute(attr="mark"), attr=("skip" | "xfail") as name):
                if not _is_called(node, tree):
                    yield Exemption(name, f"{file}:{node.lineno}", "")
            case _:
                continue


def _is_called(attribute: ast.Attribute, tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Call) and node.func is attribute for node in ast.walk(tree))


def _reason(call: ast.Call, name: str) -> str:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    given = named or ([] if name == "skipif" else call.args[:1])
    return ast.unparse(given[0]).strip("'\"") if given else ""


def in_settings() -> Iterator[Exemption]:
    """Imports that pyproject.toml tells a checker to ignore; the reason is the comment of the line."""
    for number, line in enumerate((ROOT / "pyproject.toml").read_text("utf-8").splitlines(), 1):
        code, _, comment = line.partition("#")
        if IGNORED_IMPORT.search(code):
            yield Exemption("ignored import", f"pyproject.toml:{number}", comment.strip())


def collect() -> list[Exemption]:
    """Every exemption of the repository, in the order of files."""
    found: list[Exemption] = []
    for file in sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        text, place = file.read_text("utf-8"), file.relative_to(ROOT)
        found += in_comments(place, text)
        if place.parts[0] == "tests":
            found += in_tests(place, ast.parse(text))
    return found + list(in_settings())


def main() -> int:
    """Print counts and places; 1 when a reason is missing."""
    found = collect()
    for kind in KINDS:
        these = [exemption for exemption in found if exemption.kind == kind]
        print(f"{kind}: {len(these)}")
        for exemption in these:
            print(f"  {exemption.place}  {exemption.reason or 'NO REASON GIVEN: write it beside'}")
    return 1 if any(not exemption.reason for exemption in found) else 0


if __name__ == "__main__":
    sys.exit(main())
