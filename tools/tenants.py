"""Refuses SQL that touches a tenant's table without naming the organization: `make check` runs it.

A tenant's table is one with a column organization_id in migrations/. Every statement in the code that names one must
compare or write that column. What by its nature works for all organizations at once (the path of an event,
maintenance) says so beside it, with the reason: a comment ``# all organizations: …`` above the statement, or in the
module's head for all of its statements. Exits 1 when a statement is refused.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CREATE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\)", re.DOTALL)
ALTER = re.compile(r"ALTER TABLE (\w+) ADD COLUMN organization_id")
STATEMENT = re.compile(r"\b(SELECT|UPDATE|DELETE FROM|INSERT INTO)\b")
NAMED = re.compile(r"\borganization_id\b\s*(=|<>|IN\b|IS\b)|INSERT INTO[^;]*?\([^)]*\borganization_id\b", re.DOTALL)
MARK = re.compile(r"#\s*all organizations: \S")


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with SQL in it and where it stands."""

    file: Path
    line: int
    sql: str


def tenant_tables() -> set[str]:
    """The tables of the migrations that have a column organization_id."""
    text = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "migrations").glob("*.sql")))
    made = {
        name for name, columns in CREATE.findall(text) if re.search(r"^\s+organization_id\b", columns, re.MULTILINE)
    }
    return made | set(ALTER.findall(text))


def statements(file: Path) -> Iterator[Statement]:
    """The SQL of a module: its literals, with the f-strings' own constants filled in."""
    tree = ast.parse(file.read_text("utf-8"))
    known = {
        target.id: text
        for node in tree.body
        if isinstance(node, ast.Assign) and (text := _text(node.value, {})) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        text = None if id(node) in inner else _text(node, known)
        if isinstance(node, ast.expr) and text is not None and STATEMENT.search(text):
            yield Statement(file, node.lineno, text)


def _text(node: ast.AST, known: dict[str, str]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_part(part, known) for part in parts)
        case _:
            return None


def _part(part: ast.expr, known: dict[str, str]) -> str:
    match part:
        case ast.FormattedValue(value=ast.Name(id=name)):
            return known.get(name, "?")
        case _:
            return _text(part, known) or "?"


def is_excused(statement: Statement, lines: list[str]) -> bool:
    """Whether a comment above the statement, or in the module's head, says why it is for all organizations."""
    head = next((index for index, line in enumerate(lines) if line.startswith(("import ", "from "))), 0)
    above = lines[max(0, statement.line - 4) : statement.line]
    return any(MARK.search(line) for line in lines[:head] + above)


def main() -> int:
    """Print every refused statement; 1 if there is one."""
    tables = tenant_tables()
    touches = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+({'|'.join(sorted(tables))})\b")
    checked, refused = 0, []
    for file in sorted((ROOT / "agentauri").rglob("*.py")):
        lines = file.read_text("utf-8").splitlines()
        for statement in statements(file):
            found = set(touches.findall(statement.sql))
            checked += bool(found)
            if found and not NAMED.search(statement.sql) and not is_excused(statement, lines):
                refused.append(f"{file.relative_to(ROOT)}:{statement.line}: {', '.join(sorted(found))}")
    for line in refused:
        print(f"{line} without organization_id; name it, or say why not: `# all organizations: …` above it")
    print(f"tenants: {checked} statements on {len(tables)} tables of tenants, {len(refused)} refused")
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
