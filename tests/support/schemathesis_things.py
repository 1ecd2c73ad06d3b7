"""Things of the fuzzed account, made anew for a request that needs one: what no generator of data can find out.

Every maker answers with the path parameters that name the thing, or with the body that some operation takes.
"""

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from eth_account import Account as Wallet

from agentauri.accounts.roles import Scope
from agentauri.serve.triggers.schemas import EXAMPLE_ACTIONS, EXAMPLE_CONDITIONS, EXAMPLE_TRIGGER
from tests.support.wallets import sign

PASSWORD = "correct-horse-battery-staple"
Headers = dict[str, str]
Ids = dict[str, str]


class Account:
    """A user of the API, by its e-mail."""

    def __init__(self, base: str, email: str) -> None:
        self.client = httpx2.Client(base_url=f"{base}/api/v1", timeout=30)
        self.email = email
        self.headers: Headers = {}
        self.user_id = self.refresh_token = ""

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
        self.headers = {"Authorization": f"Bearer {data['token']}"}
        self.user_id, self.refresh_token = data["user"]["id"], data["refresh_token"]
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
    """Makes things for ``account``; sessions and passwords are those of the account that ``losing`` gives."""

    always = frozenset(
        {"create_trigger", "change_trigger", "test_new_trigger", "test_trigger"}
        | {f"{verb}_trigger_{part}" for verb in ("create", "change") for part in ("condition", "action")}
    )
    """Operations whose bodies from here fit in every place, and chance finds hardly any that fits."""

    def __init__(self, base: str, account: Account, losing: Callable[[], Account]) -> None:
        self._base, self._account, self._losing, self._numbers = base, account, losing, count()
        self._makers: dict[str, Callable[[], Ids]] = {
            "organization_id": self._organization,
            "user_id": self._member,
            "invitation_id": self._invitation,
            **dict.fromkeys(("trigger_id", "condition_id", "action_id"), self._trigger),
            "test_id": lambda: {"test_id": account.make("/triggers/test", TRIAL)["id"]},
            "key_id": lambda: {"key_id": account.make("/api-keys", KEY)["id"]},
            "secret_id": lambda: {"secret_id": account.make("/webhook-secrets")["id"]},
            "event_id": lambda: {"event_id": account.first("/events")["id"]},
            "delivery_id": lambda: {"delivery_id": account.first("/deliveries")["id"]},
            "session_id": self._session,
            "client_id": lambda: {"client_id": account.make("/oauth/clients", KEY)["id"]},
        }
        self._bodies: dict[str, Callable[[Ids], Any]] = {
            "create_trigger": lambda _: EXAMPLE_TRIGGER,
            "change_trigger": lambda _: EXAMPLE_TRIGGER,
            "create_trigger_condition": lambda _: EXAMPLE_CONDITIONS[0],
            "change_trigger_condition": lambda _: {"value": "43"},
            "create_trigger_action": lambda _: EXAMPLE_ACTIONS[0],
            "change_trigger_action": lambda _: {"priority": 3},
            "test_new_trigger": lambda _: TRIAL,
            "test_trigger": lambda _: {"last": 3},
            "register": lambda _: {"email": self._email(), "password": PASSWORD},
            "login": lambda _: {"email": losing().email, "password": PASSWORD, "cookie": True},
            "refresh": lambda _: {"refresh_token": self.stranger().refresh_token},
            "sign_in_with_wallet": lambda _: self._signed(),
            "change_me": lambda _: {"email": self._email(), "name": "Ada", "current_password": PASSWORD},
            "change_password": lambda _: {"current_password": PASSWORD, "new_password": f"{PASSWORD}-2"},
            "delete_me": lambda _: {"password": PASSWORD},
            "accept_invitation": lambda _: {"token": self._invited()},
            "create_oauth_token": lambda _: self._grant(),
            "transfer_organization": lambda ids: {"user_id": self._join(ids["organization_id"])},
        }

    def ids_for(self, operation_id: str, parameters: set[str]) -> Ids:
        """New things, so that every one of ``parameters`` is named."""
        if operation_id == "leave_organization":
            return {"organization_id": self._joined()}
        if operation_id in STATUSES:
            return {"delivery_id": self._account.first(f"/deliveries?status={STATUSES[operation_id]}")["id"]}
        found: Ids = {}
        for name in sorted(parameters, key=lambda name: name in OUTER):
            if name not in found:
                found |= self._makers[name]()
        return {name: found[name] for name in parameters}

    def query_for(self, operation_id: str) -> Ids:
        """What the query has to name beside the path."""
        return self._makers["event_id"]() if operation_id == "explain_trigger" else {}

    def body_for(self, operation_id: str, ids: Ids) -> Any:
        """A body that the operation takes at this moment; None: any that fits its schema will do."""
        maker = self._bodies.get(operation_id)
        return None if maker is None else maker(ids)

    def return_of(self, provider: str) -> tuple[dict[str, str], dict[str, str]]:
        """The query and the cookies with which a browser comes back from a provider of logins."""
        with httpx2.Client() as browser:
            begun = browser.get(f"{self._base}/api/v1/auth/{provider}", params={"follow": "false"})
            back = browser.get(begun.json()["data"]["url"]).headers["location"]
            query = parse_qs(urlsplit(back).query)
            return {name: query[name][0] for name in ("state", "code")}, dict(begun.cookies)

    def stranger(self) -> Account:
        """Another account."""
        return Account(self._base, f"stranger{next(self._numbers)}@example.com").register()

    def _email(self) -> str:
        return f"somebody{next(self._numbers)}@example.com"

    def _signed(self) -> dict[str, str]:
        """A text to sign in with, signed by a new wallet."""
        wallet = Wallet.create()
        asked = {"address": wallet.address, "chain_id": 1}
        message = self._account.make("/auth/nonce", asked)["message"]
        return {"message": message, "signature": "0x" + sign(message, wallet).hex()}

    def _grant(self) -> dict[str, str]:
        """What a new OAuth client asks for a token with."""
        made = self._account.make("/oauth/clients", KEY)
        return {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": made["secret"]}

    def _join(self, organization_id: str) -> str:
        """A new member."""
        user_id = self.stranger().user_id
        self._account.make(f"/organizations/{organization_id}/members", {"user_id": user_id})
        return user_id

    def _joined(self) -> str:
        """An organization of somebody else, with the account in it."""
        owner = self.stranger()
        organization: str = owner.make("/organizations", {"name": "of a stranger"})["id"]
        owner.make(f"/organizations/{organization}/members", {"user_id": self._account.user_id})
        return organization

    def _invited(self) -> str:
        """The token of an invitation."""
        owner = self.stranger()
        organization = owner.make("/organizations", {"name": "of a stranger"})["id"]
        token: str = owner.make(f"/organizations/{organization}/members", {"email": self._account.email})["token"]
        return token

    def _organization(self) -> Ids:
        return {"organization_id": self._account.make("/organizations", {"name": "of the tests"})["id"]}

    def _member(self) -> Ids:
        organization = self._organization()
        return {**organization, "user_id": self._join(organization["organization_id"])}

    def _invitation(self) -> Ids:
        organization = self._organization()
        path = f"/organizations/{organization['organization_id']}/members"
        made = self._account.make(path, {"email": self._email()})
        return {**organization, "invitation_id": made["id"]}

    def _session(self) -> Ids:
        account = self._losing()
        account.enter()  # an earlier request may have ended the session before
        return {"session_id": account.first("/auth/sessions")["id"]}

    def _trigger(self) -> Ids:
        made = self._account.make("/triggers", EXAMPLE_TRIGGER)
        return {
            "trigger_id": made["id"],
            "condition_id": made["conditions"][0]["id"],
            "action_id": made["actions"][0]["id"],
        }


TRIAL = {"trigger": EXAMPLE_TRIGGER, "last": 3}
KEY = {"name": "of the tests", "permissions": list(Scope)}
STATUSES = {"replay_delivery": "dead", "cancel_delivery": "pending"}
OUTER = ("organization_id", "trigger_id")
"""Made together with what is inside of them, where that is asked for."""
