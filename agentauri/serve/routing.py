"""Routes that see at a path's beginning that it is not theirs.

A hundred routes are tried in turn for each request, and that twice: Serve looks for the route's name, the application
for the route. Comparing two beginnings is several times as fast as trying a regular expression.
"""

from functools import cached_property

from fastapi.routing import APIRoute
from starlette import routing
from starlette.routing import Match
from starlette.types import Scope


class PlainRoute(routing.Route):
    """Starlette's route. The application stands at the root, so a path comes as it was declared."""

    @cached_property
    def beginning(self) -> str:
        """What every path of this route begins with."""
        return self.path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for this route, and what it then knows of it."""
        if not scope["path"].startswith(self.beginning):
            return Match.NONE, {}
        return super().matches(scope)


class Route(PlainRoute, APIRoute):
    """FastAPI's route."""
