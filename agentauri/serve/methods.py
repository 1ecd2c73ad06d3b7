"""A path that is written out knows its own methods alone: PATCH /api-keys/stats is no change of a key named "stats".

Routes are tried in turn, and one with a parameter takes every text in its place. So that a method which only that
other route knows is refused with 405 and not taken for a request about a thing, the written-out path answers it.
HEAD is no method of a route: ``frame.Frame`` answers it with what GET does, but for the body.
"""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute

from agentauri.serve.routing import PlainRoute

STREAM = "/stream"


def has_head(path: str) -> bool:
    """Whether HEAD is answered where GET is. A stream has no end, so nothing can be told of it without opening it."""
    return not path.endswith(STREAM)


async def _not_allowed(_request: Request) -> Response:
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


def with_refusals(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """``routes`` with those that refuse, each before the first one whose parameter would take its path."""
    known: dict[str, set[str]] = {}
    for ours in routes:
        if isinstance(ours, APIRoute):
            known.setdefault(ours.path, set()).update(ours.methods or ())
    made: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, APIRoute) and "{" in route.path:
            made += [
                PlainRoute(path, _not_allowed, methods=sorted(methods), include_in_schema=False)
                for path, methods in _taken(route, known)
            ]
        made.append(route)
    return made


def _taken(route: APIRoute, known: dict[str, set[str]]) -> list[tuple[str, set[str]]]:
    """Other paths that ``route`` would match, with those of its methods that they do not know."""
    own = route.methods or set()
    return [
        (path, own - methods)
        for path, methods in known.items()
        if path != route.path and route.path_regex.fullmatch(path) and not own <= methods
    ]
