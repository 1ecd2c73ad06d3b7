"""What can go wrong with a call, as one clear line each: nobody there, no answer, a refusal, another program."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2

from agentauri.cli.printable import printable
from agentauri.errors import AgentAuriError

MAX_FINDINGS = 10
MAX_MESSAGE = 2000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROBLEM = "application/problem+json"
AGAIN = "try again in"
"""The API's own sentences say for how long, in the unit that suits; others get the number of Retry-After."""


class CallFailed(AgentAuriError):
    """A call that was refused or not answered; ``status`` is that of the answer, 0 without one."""

    def __init__(self, message: str, status: int = 0, code: str = "", retry_after: int | None = None) -> None:
        super().__init__(message, status, code, retry_after)
        self.status, self.code, self.retry_after = status, code, retry_after


@contextmanager
def translated(api: str) -> Iterator[None]:
    """Errors of the connection as ours."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        remedy = "; start the service there with: agentauri up" if urlsplit(api).hostname in LOOPBACK else "."
        raise CallFailed(f"nothing answers at {api} ({printable(error) or type(error).__name__}){remedy}") from error
    except httpx2.TimeoutException as error:
        raise CallFailed(f"the API at {api} did not answer in time.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CallFailed(f"the connection to {api} failed ({printable(error) or type(error).__name__}).") from error


def no_api(api: str, answer: httpx2.Response) -> CallFailed:
    """What answers there is another program."""
    text = f"what answers at {api} is no AgentAuri API (status {answer.status_code}, no JSON); check --api."
    return CallFailed(text, answer.status_code)


def refusal(api: str, answer: httpx2.Response) -> CallFailed:
    """What an answer says went wrong, in one line."""
    status = answer.status_code
    if not answer.headers.get("content-type", "").startswith(PROBLEM):
        if status >= 500:
            return CallFailed(f"the API at {api} is not up (status {status}); see: agentauri status", status)
        return no_api(api, answer)
    try:
        problem = answer.json()
        code, text = str(problem["error"]), _sentence(problem)
    except (ValueError, KeyError, TypeError):
        return no_api(api, answer)
    retry_after = answer.headers.get("retry-after", "")
    wait = int(retry_after) if retry_after.isdecimal() else None
    if status == 401:
        text = f"{text.rstrip('.')}; run: agentauri login"
    elif wait is not None and AGAIN not in text:
        text = f"{text.rstrip('.')}; try again in {wait} s."
    elif status >= 500:
        text = f"{text} (request {problem.get('request_id')})"
    return CallFailed(printable(text, MAX_MESSAGE), status, code, wait)


def _sentence(problem: Mapping[str, Any]) -> str:
    """The problem's own sentence, or all its findings where there are several."""
    findings = [f"{one['pointer']} {one['detail']}".strip().rstrip(".") for one in problem.get("errors") or ()]
    if len(findings) < 2:
        return str(problem["detail"])
    shown = "; ".join(findings[:MAX_FINDINGS])
    more = f"; and {len(findings) - MAX_FINDINGS} more" if len(findings) > MAX_FINDINGS else ""
    return f"{problem['title']}: {shown}{more}."
