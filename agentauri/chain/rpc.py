"""JSON-RPC over HTTP with one provider: batches, bounded in time and bytes, every answer matched to its question.

An answer counts only if it is JSON of the expected form whose ids are those that were asked, once each; everything
else is an RpcError with a short excerpt. There are no retries and no fail-over here (providers.py). A provider's URL
may hold keys, so errors and logs show its host alone, and what the provider says is searched for them.
"""

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx2
import orjson

from agentauri import __version__
from agentauri.chain.complaints import error_for
from agentauri.errors import RangeTooLarge, RpcError, RpcTimeout

ANSWER_SECONDS = 20.0
CONNECT_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 2**20
"""Ten thousand logs of 1.5 KB each are 15 MB."""
MAX_RETRY_AFTER_SECONDS = 3600.0
EXCERPT_CHARACTERS = 200
KEY_CHARACTERS = 8
"""A part of a URL's path or query of at least this length may be a key."""
CONNECTIONS = 8
TOO_MANY_REQUESTS, TOO_LARGE = 429, 413
GATEWAY_TIMEOUTS = frozenset({408, 504, 522, 524})
MASK = "•••"


class Call(NamedTuple):
    """One call of a batch."""

    method: str
    params: Sequence[object] = ()


class Rpc:
    """One provider. Close it when done; make it inside the event loop that uses it."""

    def __init__(self, url: str, *, answer_seconds: float = ANSWER_SECONDS, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self.label = label_of(url)
        self._url = url
        self._keys = _keys_of(url)
        self._answer_seconds = answer_seconds
        self._max_bytes = max_bytes
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=CONNECTIONS),
            headers={"content-type": "application/json", "user-agent": f"agentauri/{__version__}"},
            trust_env=not is_local(url),
        )
        self._next_id = 0

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, method: str, *params: object) -> object:
        """The result of one call. Raises RpcError."""
        return (await self.batch([Call(method, params)]))[0]

    async def batch(self, calls: Sequence[Call]) -> list[object]:
        """The results of several calls in one request, in their order. Raises the first RpcError among them."""
        return results(await self.try_batch(calls))

    async def try_batch(self, calls: Sequence[Call]) -> list[object]:
        """``batch``, with the RpcError of a call that failed in its place. Raises RpcError when all failed at once."""
        first, self._next_id = self._next_id, self._next_id + len(calls)
        questions = [
            {"jsonrpc": "2.0", "id": first + place, "method": call.method, "params": list(call.params)}
            for place, call in enumerate(calls)
        ]
        methods = [call.method for call in calls]
        asked = "eth_getLogs" if "eth_getLogs" in methods else methods[0]
        answer = await self._post(orjson.dumps(questions if len(calls) > 1 else questions[0]), asked)
        if len(calls) == 1 and isinstance(answer, dict):
            answer = [answer]
        if not isinstance(answer, list):
            raise self._whole_error(answer, asked)
        return self._matched(answer, first, methods)

    def _matched(self, answers: list[object], first: int, methods: list[str]) -> list[object]:
        results: dict[int, object] = {}
        for answer in answers:
            place = answer["id"] - first if isinstance(answer, dict) and type(answer.get("id")) is int else -1
            if place in results or not 0 <= place < len(methods):
                if isinstance(answer, dict) and answer.get("error"):
                    raise self._whole_error(answer, methods[0])
                raise self._nonsense("an answer that was not asked for", answer)
            results[place] = self._result(answer, methods[place])
        if len(results) < len(methods):
            raise RpcError(f"{self.label} answered {len(results)} of {len(methods)} calls")
        return [results[place] for place in range(len(methods))]

    def _result(self, answer: object, method: str) -> object:
        assert isinstance(answer, dict)
        if answer.get("error") is not None:
            return self._whole_error(answer, method)
        if "result" not in answer:
            raise self._nonsense("an answer without result or error", answer)
        return answer["result"]

    def _whole_error(self, answer: object, method: str) -> RpcError:
        error = answer.get("error") if isinstance(answer, dict) else None
        if not error:
            return self._nonsense(f"something else than an answer to {method}", answer)
        if not isinstance(error, dict):
            return error_for(self.label, method, None, self.hide(str(error)))
        code = error.get("code")
        said = " ".join(str(part) for part in (error.get("message"), error.get("data")) if part)
        return error_for(self.label, method, code if isinstance(code, int) else None, self.hide(said))

    def _nonsense(self, what: str, answer: object) -> RpcError:
        return RpcError(f"{self.label} sent {what}: {self.hide(repr(answer))}")

    async def _post(self, body: bytes, method: str) -> object:
        try:
            async with asyncio.timeout(self._answer_seconds):
                async with self._client.stream("POST", self._url, content=body) as response:
                    text = await self._read(response)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise RpcTimeout(f"{self.label} did not answer {method} within {self._answer_seconds:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise RpcError(f"{self.label} cannot be reached: {type(error).__name__} {self.hide(str(error))}") from error
        try:
            answer: object = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            said = self.hide(text.decode(errors="replace"))
            refused = self._refusal(response, text, method)
            raise refused or RpcError(f"{self.label} answered no JSON: {said}") from error
        # Many providers put the reason into a JSON-RPC error under a status of 4xx.
        if response.is_success or (response.status_code != TOO_MANY_REQUESTS and _has_error(answer)):
            return answer
        raise self._refusal(response, text, method) or self._nonsense("a refusal", answer)

    async def _read(self, response: httpx2.Response) -> bytes:
        chunks, size = [], 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self._max_bytes:
                raise RangeTooLarge(f"{self.label} answered more than {self._max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _refusal(self, response: httpx2.Response, text: bytes, method: str) -> RpcError | None:
        status = response.status_code
        if response.is_success:
            return None
        said = f"{self.label} answered {method} with HTTP {status}: {self.hide(text.decode(errors='replace'))}"
        if status in GATEWAY_TIMEOUTS:
            return RpcTimeout(said, status)
        if status == TOO_LARGE:
            return RangeTooLarge(said, status)
        return RpcError(said, status, retry_after(response.headers.get("retry-after"), response.headers.get("date")))

    def hide(self, text: str) -> str:
        """An excerpt of what the provider said, without the keys of its URL."""
        for key in self._keys:
            text = text.replace(key, MASK)
        return text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS] + "…"


def results(answers: list[object]) -> list[object]:
    """The answers if none of them is an error. Raises the first RpcError."""
    for answer in answers:
        if isinstance(answer, RpcError):
            raise answer
    return answers


def label_of(url: str) -> str:
    """Host and port of a URL: what may be shown of it."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "?"
    return f"{host}:{parts.port}" if parts.port else host


def retry_after(value: str | None, now: str | None) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date (``now`` is the answer's Date header)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        wait = (parsedate_to_datetime(value) - parsedate_to_datetime(now or "")).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)


def _has_error(answer: object) -> bool:
    first = answer[0] if isinstance(answer, list) and answer else answer
    return isinstance(first, dict) and bool(first.get("error"))


def _keys_of(url: str) -> list[str]:
    parts = urlsplit(url)
    pieces = re.split(r"[/&=?]", f"{parts.path}?{parts.query}")
    keys = {piece for piece in pieces if len(piece) >= KEY_CHARACTERS} | {parts.password or "", parts.username or ""}
    return sorted(keys - {""}, key=len, reverse=True)


def is_local(url: str) -> bool:
    """Whether it is a node on this host: no proxy of the environment is meant, and nobody counts the requests."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
