"""Calls of an AgentAuri API from the command line: everything that can go wrong becomes one clear line.

Guarantees a time-out on every call, that credentials are renewed once when the API refuses them, that a POST which is
tried again creates nothing twice (``Idempotency-Key``), and that nobody follows a redirect with them. Knows nothing of
where credentials come from: ``session.py`` does.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2

from agentauri import __version__
from agentauri.cli.console import say
from agentauri.cli.credentials import API_PATH
from agentauri.cli.refusals import LOOPBACK, CallFailed, no_api, refusal, translated

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
SILENCE_SECONDS = 75.0
"""A stream that says nothing for so long, not even a heartbeat, is taken for broken."""
MAX_TRIES = 4
MAX_WAIT_SECONDS = 30
"""A limit that lasts longer is told, not waited for."""

Params = Mapping[str, str | int | bool | list[str]]


class Credentials(Protocol):
    """Who is calling."""

    def headers(self) -> dict[str, str]:
        """What goes with every request. Raises AgentAuriError when there is nothing (any more)."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether there are others than ``refused`` now, so that trying again is worth it."""
        ...


class Client:
    """One API, as one caller. ``organization`` is the id that requests act in; "" leaves it to the API."""

    def __init__(self, api: str, credentials: Credentials | None = None, organization: str = "") -> None:
        self.api = api
        self.organization = organization
        self._credentials = credentials
        self._http = httpx2.Client(
            base_url=api + API_PATH,
            timeout=httpx2.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
            headers={"user-agent": f"agentauri-cli/{__version__}"},
            trust_env=urlsplit(api).hostname not in LOOPBACK,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        """The ``data`` of an answer."""
        return self.call("GET", path, params=params)["data"]

    def pages(self, path: str, params: Params | None = None, *, limit: int = 100) -> Iterator[dict[str, Any]]:
        """Every entry of a counted list."""
        offset, more = 0, True
        while more:
            page = self.call("GET", path, params={**(params or {}), "limit": limit, "offset": offset})
            yield from page["data"]
            offset += limit
            more = page["pagination"]["has_more"]

    def call(self, method: str, path: str, body: object = None, *, params: Params | None = None) -> Any:
        """The JSON of an answer, None where it has none. Waits for limits of a few seconds. Raises CallFailed."""
        once = {"idempotency-key": str(uuid4())} if method == "POST" else {}
        for left in reversed(range(MAX_TRIES)):
            try:
                answer = self._send(method, path, body, params, once)
                return self._content(answer)
            except CallFailed as error:
                if not left or not _is_brief(error):
                    raise
                say(f"the API is busy; trying again in {error.retry_after} s.")
                time.sleep(error.retry_after or 1)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def stream(self, path: str, params: Params, last_id: str = "") -> Iterator[httpx2.EventSource]:
        """A stream of server-sent events, from after ``last_id`` on. Raises CallFailed when it is refused."""
        timeout = httpx2.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS, read=SILENCE_SECONDS)
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        if last_id:
            headers["last-event-id"] = last_id
        for is_renewed in (False, True):
            authorization = self._authorization()
            with (
                translated(self.api),
                self._http.stream(
                    "GET", path, params=dict(params), headers=headers | authorization, timeout=timeout
                ) as answer,
            ):
                if answer.is_success:
                    yield httpx2.EventSource(answer)
                    return
                answer.read()
                if is_renewed or not self._may_renew(answer, authorization):
                    raise refusal(self.api, answer)

    def _send(
        self, method: str, path: str, body: object, params: Params | None, more: Mapping[str, str]
    ) -> httpx2.Response:
        authorization = self._authorization()
        answer = self._request(method, path, body, params, {**more, **authorization})
        if self._may_renew(answer, authorization):
            answer = self._request(method, path, body, params, {**more, **self._authorization()})
        if not answer.is_success:
            raise refusal(self.api, answer)
        return answer

    def _request(
        self, method: str, path: str, body: object, params: Params | None, headers: Mapping[str, str]
    ) -> httpx2.Response:
        query = None if params is None else dict(params)
        with translated(self.api):
            return self._http.request(method, path, json=body, params=query, headers=headers)

    def _authorization(self) -> dict[str, str]:
        headers = {} if self._credentials is None else self._credentials.headers()
        return headers | ({"x-organization-id": self.organization} if self.organization else {})

    def _may_renew(self, answer: httpx2.Response, refused: Mapping[str, str]) -> bool:
        return answer.status_code == 401 and self._credentials is not None and self._credentials.renew(refused)

    def _content(self, answer: httpx2.Response) -> Any:
        if answer.status_code == 204:
            return None
        try:
            return answer.json()
        except ValueError:
            raise no_api(self.api, answer) from None


def _is_brief(error: CallFailed) -> bool:
    limited = error.code == "rate_limited" or error.status == 503
    return limited and error.retry_after is not None and error.retry_after <= MAX_WAIT_SECONDS
