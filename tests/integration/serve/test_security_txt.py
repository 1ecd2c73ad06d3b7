"""Whom to tell of a security hole."""

from datetime import UTC, datetime

from tests.integration.serve.conftest import Api


async def test_security_txt_names_a_contact_and_expires_within_a_year(api: Api) -> None:
    answer = await api.client.get("/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert lines["Contact"] == "http://127.0.0.1:8000"
    left = datetime.fromisoformat(lines["Expires"]) - datetime.now(UTC)
    assert 0 < left.days < 365
