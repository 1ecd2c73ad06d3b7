"""What schemathesis needs to know of this API: credentials for each request.

Most requests come from one account, by turns with its token and with a key of all scopes, so that routes are met by
both. What is about a person's account may end the session, or the account: such requests come from another account,
with a session of their own.
"""

import os
from itertools import count
from threading import Lock
from typing import Any

import httpx2
import schemathesis

from agentauri.accounts.roles import Scope

BASE = os.environ["AGENTAURI_FUZZED_API"]
STAYING = os.environ["AGENTAURI_FUZZED_ACCOUNT"]
PASSWORD = "correct-horse-battery-staple"

Headers = dict[str, str]


class Callers:
    """Gives the headers of a caller whom the API knows at this moment."""

    def __init__(self) -> None:
        self._client = httpx2.Client(base_url=f"{BASE}/api/v1", timeout=30)
        self._lock, self._turns, self._numbers = Lock(), count(), count()
        self._staying, self._key, self._lost = self._log_in(STAYING), "", ""

    def somebody(self) -> Headers:
        """The account that stays, by turns with its token and with a key."""
        with self._lock:
            return self._staying if next(self._turns) % 2 else {"X-API-Key": self._living_key()}

    def somebody_to_lose(self) -> Headers:
        """A new session of an account that may have been lost by now; then of the next one."""
        with self._lock:
            found = self._log_in(self._lost) if self._lost else {}
            if not found:
                self._lost = f"lost{next(self._numbers)}@example.com"
                self._client.post("/auth/register", json=_account(self._lost)).raise_for_status()
                found = self._log_in(self._lost)
            return found

    def _living_key(self) -> str:
        """The key, or a new one: requests may have revoked it."""
        answer = self._client.get("/api-keys/stats", headers={"X-API-Key": self._key})
        if answer.status_code == 401:
            wanted = {"name": "of the tests", "permissions": list(Scope)}
            answer = self._client.post("/api-keys", json=wanted, headers=self._staying)
            answer.raise_for_status()
            self._key = answer.json()["data"]["key"]
        return self._key

    def _log_in(self, email: str) -> Headers:
        answer = self._client.post("/auth/login", json=_account(email))
        return {"Authorization": f"Bearer {answer.json()['data']['token']}"} if answer.is_success else {}


def _account(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD}


callers = Callers()


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """Those that an operation asks for."""

    def get(self, case: Any, context: Any) -> Headers | None:
        asked = case.operation.definition.raw.get("security")
        if not asked:
            return None
        return callers.somebody() if any("api_key" in one for one in asked) else callers.somebody_to_lose()

    def set(self, case: Any, data: Headers, context: Any) -> None:
        case.headers = {**(case.headers or {}), **data}
