"""Routes that compare beginnings first match what FastAPI's own would."""

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match

from agentauri.serve.routing import Route

DECLARED = ("/things", "/things/{thing_id}", "/things/{thing_id}/parts", "/{name}")
ASKED = ("/things", "/things/", "/things/1", "/things/1/parts", "/thing", "/other", "/", "", "/things\n")


async def nothing() -> None:
    """An endpoint."""


@pytest.mark.parametrize("path", DECLARED)
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_match_is_fastapis_own(path: str, asked: str, method: str) -> None:
    scope = {"type": "http", "path": asked, "method": method}
    found, expected = Route(path, nothing).matches(scope), APIRoute(path, nothing).matches(scope)
    assert found[0] is expected[0]
    assert found[1].get("path_params") == expected[1].get("path_params")
    assert ("endpoint" in found[1]) == (found[0] is not Match.NONE)
