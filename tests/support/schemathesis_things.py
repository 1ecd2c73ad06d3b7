"""Things of the fuzzed account, made anew for a request that needs one: what no generator of data can find out.

Every maker answers with the path parameters that name the thing, or with the body that some operation takes.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx2

from agentauri.accounts.roles import Scope
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER

PASSWORD = "correct-horse-battery-staple"
Headers = dict[str, str]
Ids = dict[str, str]


class Account:
    """A user of the API, by its e-mail."""

    def __init__(self, base: str, email: str) -> None:
        self.client = httpx2.Client(base_url=f"{base}/api/v1", timeout=30)
        self.email = email
        self.headers: Headers = {}
        self.user_id = ""

    def enter(self) -> bool:
        """Begin a new session; False: there is no such account, or not with this password."""
        answer = self.client.post("/auth/login", json={"email": self.email, "password": PASSWORD})
        return answer.is_success and self._entered(answer)

    def register(self) -> "Account":
        """Make the account."""
        answer = self.client.post("/auth/register", json={"email": self.email, "password": PASSWORD})
        answer.raise_for_status()
        self._entered(answer)
        return self

    def _entered(self, answer: httpx2.Response) -> bool:
        data = answer.json()["data"]
        self.headers, self.user_id = {"Authorization": f"Bearer {data['token']}"}, data["user"]["id"]
        return True

    def make(self, path: str, body: object = None) -> Any:
        """What a POST answers."""
        answer = self.client.post(path, json=body, headers=self.headers)
        answer.raise_for_status()
        return answer.json()["data"]

    def first(self, path: str) -> Any:
        """The first of a list."""
        answer = self.client.get(path, headers=self.headers)
        answer.raise_for_status()
        return answer.json()["data"][0]


class Things:
    """Makes things for ``account``."""

    def __init__(self, base: str, account: Account) -> None:
        self._base, self._account, self._numbers = base, account, count()
        self._makers: dict[str, Callable[[], Ids]] = {
            "organization_id": self._organization,
            "user_id": self._member,
            "invitation_id": self._invitation,
            "trigger_id": self._trigger,
            "key_id": lambda: {"key_id": account.make("/api-keys", KEY)["id"]},
            "secret_id": lambda: {"secret_id": account.make("/webhook-secrets")["id"]},
            "event_id": lambda: {"event_id": account.first("/events")["id"]},
            "delivery_id": lambda: {"delivery_id": account.first("/deliveries")["id"]},
        }
        self._bodies: dict[str, Callable[[], Any]] = {
            "create_trigger": lambda: EXAMPLE_TRIGGER,
            "change_trigger": lambda: EXAMPLE_TRIGGER,
        }

    def ids_for(self, parameters: set[str]) -> Ids:
        """New things, so that every one of ``parameters`` is named."""
        found: Ids = {}
        for name in sorted(parameters, key=lambda name: name in OUTER):
            if name not in found:
                found |= self._makers[name]()
        return {name: found[name] for name in parameters}

    def body_for(self, operation_id: str) -> Any:
        """A body that the operation takes at this moment; None: any that fits its schema will do."""
        maker = self._bodies.get(operation_id)
        return None if maker is None else maker()

    def stranger(self) -> Account:
        """Another account."""
        return Account(self._base, f"stranger{next(self._numbers)}@example.com").register()

    def _organization(self) -> Ids:
        return {"organization_id": self._account.make("/organizations", {"name": "of the tests"})["id"]}

    def _member(self) -> Ids:
        organization, user = self._organization(), self.stranger().user_id
        self._account.make(f"/organizations/{organization['organization_id']}/members", {"user_id": user})
        return {**organization, "user_id": user}

    def _invitation(self) -> Ids:
        organization, email = self._organization(), f"invited{next(self._numbers)}@example.com"
        made = self._account.make(f"/organizations/{organization['organization_id']}/members", {"email": email})
        return {**organization, "invitation_id": made["id"]}

    def _trigger(self) -> Ids:
        made = self._account.make("/triggers", EXAMPLE_TRIGGER)
        return {
            "trigger_id": made["id"],
            "condition_id": made["conditions"][0]["id"],
            "action_id": made["actions"][0]["id"],
        }


KEY = {"name": "of the tests", "permissions": list(Scope)}
OUTER = ("organization_id", "trigger_id")
"""Made together with what is inside of them, where that is asked for."""
