"""The lint of tenants' SQL sees what it is there to see."""

from pathlib import Path

import pytest

from tools import tenants


def judged(tmp_path: Path, text: str) -> list[bool]:
    """Of each statement, whether it would pass."""
    file = tmp_path / "module.py"
    file.write_text(text)
    lines = text.splitlines()
    return [bool(tenants.NAMED.search(one.sql)) or tenants.is_excused(one, lines) for one in tenants.statements(file)]


def test_tables_with_an_organization_are_found_in_the_migrations() -> None:
    assert {"triggers", "deliveries", "api_keys", "members", "webhook_secrets"} <= tenants.tenant_tables()
    assert "users" not in tenants.tenant_tables()


@pytest.mark.parametrize(
    ("sql", "passes"),
    [
        ("SELECT name FROM triggers WHERE id = $1", False),
        ("SELECT organization_id FROM triggers WHERE id = $1", False),
        ("SELECT name FROM triggers WHERE organization_id = $1", True),
        ("UPDATE triggers SET name = $2 WHERE id = $1", False),
        ("DELETE FROM triggers WHERE id = $1 AND organization_id = $2", True),
        ("INSERT INTO triggers (id, organization_id) VALUES ($1, $2)", True),
        ("INSERT INTO triggers (id) VALUES ($1)", False),
    ],
)
def test_statement_has_to_name_the_organization(tmp_path: Path, sql: str, passes: bool) -> None:
    assert judged(tmp_path, f'SQL = """{sql}"""\n') == [passes]


def test_constants_in_f_strings_are_filled_in(tmp_path: Path) -> None:
    text = 'WHERE = "organization_id = $1"\nSQL = f"SELECT name FROM triggers WHERE {WHERE}"\n'
    assert judged(tmp_path, text) == [True]


def test_reason_above_a_statement_or_in_the_head_excuses_it(tmp_path: Path) -> None:
    sql = 'SQL = "SELECT name FROM triggers"\n'
    assert judged(tmp_path, f"import os\n# all organizations: maintenance\n{sql}") == [True]
    assert judged(tmp_path, f"# all organizations: maintenance\nimport os\n\n\n\n\n\n{sql}") == [True]
    assert judged(tmp_path, f"import os\n# all organizations:\n{sql}") == [False]
