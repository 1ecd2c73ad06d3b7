"""Pages of the origins in the settings may call the API, others may not; errors can be read by pages too."""

import pytest

from tests.integration.serve.conftest import Api

ORIGIN = "http://localhost:3000"


async def test_preflight_of_a_known_origin_is_answered(api: Api) -> None:
    answer = await api.client.options(
        "/api/v1/triggers",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "x-api-key, idempotency-key, x-organization-id, x-request-id",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("origin", ["http://localhost:3001", "https://localhost:3000", "null", "http://evil.example"])
async def test_other_origins_are_told_nothing(api: Api, origin: str) -> None:
    answer = await api.client.get("/api/v1/health/live", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = await api.client.options("/api/v1/triggers", headers=preflight)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [("/triggers", b"", 401), ("/nowhere", b"", 404), ("/auth/login", b"x" * (2**20 + 1), 413)],
)
async def test_errors_can_be_read_by_pages(api: Api, path: str, content: bytes, status: int) -> None:
    answer = await api.client.post(f"/api/v1{path}", headers={"Origin": ORIGIN}, content=content)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
