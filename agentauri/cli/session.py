"""As whom a command calls the API: an API key of the environment, else what ``agentauri login`` stored.

An access token is renewed shortly before it ends, or when it is refused. The refresh token works once, so it is spent
under the lock of the credentials file and its successor stored before the lock is let go: of two terminals at once,
the second finds the first one's new tokens.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from agentauri.accounts.api_keys import is_well_formed
from agentauri.cli.client import Client
from agentauri.cli.credentials import DEFAULT_API, CredentialsFile, Key, Login, Tokens, folder, parse_api
from agentauri.cli.refusals import CallFailed
from agentauri.errors import AgentAuriError, ConfigError

KEY_VARIABLE = "AGENTAURI_API_KEY"
EARLY_SECONDS = 30.0
"""So long before its end an access token is renewed."""
KEYS_OWN = "an API key acts in its own organization, whose name it cannot ask for; leave {!r} out, or give the id."
REFRESH_TRIES = 2
"""An answer that was lost is given again for a few seconds."""


class NotLoggedIn(AgentAuriError):
    """There are no credentials for this API."""

    def __init__(self, api: str) -> None:
        super().__init__(f"not logged in to {api}; run: agentauri login --api {api}")


class GivenKey:
    """An API key as credentials."""

    def __init__(self, key: str) -> None:
        self._key = key

    def headers(self) -> dict[str, str]:
        """What goes with every request."""
        return {"x-api-key": self._key}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """A key is not renewed."""
        return False


class SavedTokens:
    """The stored tokens of one API as credentials, renewed and stored again as they run out."""

    def __init__(self, file: CredentialsFile, api: str) -> None:
        self._file, self._api = file, api

    def headers(self) -> dict[str, str]:
        """What goes with every request. Raises NotLoggedIn, or CallFailed when the tokens cannot be renewed."""
        tokens = self._read()
        if tokens.expires_at - EARLY_SECONDS < time.time():
            tokens = self._replace(tokens.token)
        return _bearer(tokens)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether there are other tokens than those that were refused. Raises NotLoggedIn when there cannot be."""
        tokens = self._read()
        if _bearer(tokens).items() <= refused.items():
            self._replace(tokens.token)
        return True

    def _read(self) -> Tokens:
        found = self._file.read().logins.get(self._api)
        if not isinstance(found, Tokens):
            raise NotLoggedIn(self._api)
        return found

    def _replace(self, old: str) -> Tokens:
        """Other tokens than ``old``: those of whoever was faster, else new ones."""
        with self._file.locked():
            tokens = self._read()
            if tokens.token != old and tokens.expires_at - EARLY_SECONDS > time.time():
                return tokens
            try:
                renewed = tokens_of(self._refresh(tokens.refresh_token))
            except CallFailed as error:
                if error.status != 401:
                    raise
                self._file.remove(self._api)
                raise CallFailed(f"the login to {self._api} has ended; run: agentauri login", 401) from error
            self._file.put(self._api, renewed)
            return renewed

    def _refresh(self, token: str) -> Any:
        with Client(self._api) as client:
            for left in reversed(range(REFRESH_TRIES)):
                try:
                    return client.call("POST", "/auth/refresh", {"refresh_token": token})["data"]
                except CallFailed as error:
                    if error.status or not left:
                        raise
        raise AssertionError("the last try returns or raises")


def tokens_of(data: Mapping[str, Any]) -> Tokens:
    """What a login or refresh answered, as it is stored."""
    return Tokens(data["token"], data["refresh_token"], time.time() + float(data["expires_in"]))


def chosen_api(given: str | None) -> str:
    """The API that a command means: ``--api`` or AGENTAURI_API, else the last login's, else this machine's."""
    return parse_api(given) if given else CredentialsFile(folder()).read().current or DEFAULT_API


def find_login(api: str) -> Login | None:
    """The credentials for ``api``: the environment's key, else what is stored; None if there are none."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    return Key(check_key(key, KEY_VARIABLE)) if key else CredentialsFile(folder()).read().logins.get(api)


def check_key(text: str, source: str) -> str:
    """``text`` if it looks like a key. Raises ConfigError that does not repeat it."""
    if not is_well_formed(text):
        raise ConfigError(f"{source} holds no API key (aur_live_… or aur_test_…), or one with a typing mistake.")
    return text


@contextmanager
def open_client(given_api: str | None, organization: str | None = None) -> Iterator[Client]:
    """A client with the credentials that there are. Raises NotLoggedIn, ConfigError, or CallFailed."""
    api = chosen_api(given_api)
    login = find_login(api)
    if login is None:
        raise NotLoggedIn(api)
    credentials = GivenKey(login.key) if isinstance(login, Key) else SavedTokens(CredentialsFile(folder()), api)
    with Client(api, credentials) as client:
        if organization:
            client.organization = _organization_id(client, organization, by_key=isinstance(login, Key))
        yield client


def _organization_id(client: Client, wanted: str, *, by_key: bool) -> str:
    """The id of the user's organization of that name or id."""
    try:
        return str(UUID(wanted))
    except ValueError:
        pass  # a name
    if by_key:
        raise ConfigError(KEYS_OWN.format(wanted))
    mine = client.get("/auth/me")["organizations"]
    found = [one["id"] for one in mine if one["name"] == wanted]
    if len(found) != 1:
        several = "several of your organizations have" if found else "none of your organizations has"
        raise ConfigError(f"{several} the name {wanted!r}; give its id: agentauri whoami lists them.")
    return str(found[0])


def _bearer(tokens: Tokens) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.token}"}
