"""What schemathesis needs to know of this API: credentials for each request, and things that are there.

Most requests come from one account, by turns with its token and with a key of all scopes, so that routes are met by
both. What is about an account may end the session, or the account: such requests come from another account, with a
session of their own. Every second request that fits its schema gets the ids of things made for it, so that it comes
further than "there is no such thing"; those that follow a link keep what the link says.
"""

import os
import re
from collections import defaultdict
from itertools import count
from threading import local
from typing import Any

import httpx2
import schemathesis
from schemathesis.core import NotSet

from tests.support.schemathesis_things import KEY, Account, Headers, Things

BASE = os.environ["AGENTAURI_FUZZED_API"]
CALLBACKS = {"google_callback": "google", "github_callback": "github"}
PARAMETER = re.compile(r"\{([^}]+)\}")


class Callers(local):
    """Gives the headers of a caller whom the API knows at this moment; of each worker its own."""

    def __init__(self) -> None:
        self.staying = Account(BASE, os.environ["AGENTAURI_FUZZED_ACCOUNT"])
        assert self.staying.enter()
        self._key, self.losing = "", _new_account()

    def person(self) -> Headers:
        """The account that stays, with its token."""
        return self.staying.headers

    def anybody(self) -> Headers:
        """The same, by turns with its token and with a key."""
        return self.staying.headers if next(keys) % 2 else {"X-API-Key": self._living_key()}

    def somebody_to_lose(self) -> Headers:
        """A new session of an account that may have been lost by now; then of the next one."""
        if not self.losing.enter():
            self.losing = _new_account()
        return self.losing.headers

    def _living_key(self) -> str:
        """The key, or a new one: requests may have revoked it."""
        answer = self.staying.client.get("/api-keys/stats", headers={"X-API-Key": self._key})
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            self._key = self.staying.make("/api-keys", KEY)["key"]
        return self._key


keys, numbers = count(), count()
turns: defaultdict[str, Any] = defaultdict(count)
"""By operation, so that the first request of each is about something that is there."""


def _new_account() -> Account:
    return Account(BASE, f"lost{next(numbers)}@example.com").register()


callers = Callers()
things = Things(BASE, callers.staying, lambda: callers.losing)


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """Those that an operation asks for."""

    def get(self, case: Any, context: Any) -> Headers | None:
        """The headers; None for an open route."""
        path, asked = case.operation.path, case.operation.definition.raw.get("security")
        if not asked:
            return None
        if path.startswith("/api/v1/auth/"):
            return callers.somebody_to_lose()
        of_machines = any("api_key" in one for one in asked) and "{organization_id}" not in path
        of_machines &= not _is_stateful(case)  # walks are through organizations that the key is not of
        return callers.anybody() if of_machines else callers.person()

    def set(self, case: Any, data: Headers, context: Any) -> None:
        """Put them into the request."""
        case.headers = {**(case.headers or {}), **data}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let every second request that fits its schema be about things that are there, and walks not stop halfway.

    Redirections are answers of ours; where they lead is not.
    """
    kwargs["allow_redirects"] = False
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    operation_id, names = case.operation.definition.raw["operationId"], set(PARAMETER.findall(case.operation.path))
    if _is_stateful(case):
        _drop(case, "Idempotency-Key", *(["X-Organization-ID"] if names else []))
    elif next(turns[operation_id]) % 2:
        return
    elif names:
        _drop(case, "X-Organization-ID")
        case.path_parameters = things.ids_for(operation_id, names)
        case.query = {**(case.query or {}), **things.query_for(operation_id)}
    elif operation_id in CALLBACKS:
        case.query, case.cookies = things.return_of(CALLBACKS[operation_id])
    if not isinstance(case.body, NotSet) and (not _is_stateful(case) or operation_id in things.always):
        case.body = things.body_for(operation_id, case.path_parameters) or case.body


def _drop(case: Any, *names: str) -> None:
    for name in names:
        case.headers.pop(name, None)


def _is_stateful(case: Any) -> bool:
    return case.meta is not None and case.meta.phase.name.value == "stateful"
