"""What became of a call of a tool: success, a failure that is worth another try, or one that is not.

A tool that reports an error may succeed later; wrong parameters, a tool that is not there and refused credentials will
not change by themselves. Pure: reads what the wire and the SDK left behind. The receiver's words are kept short,
clean, and without the token, should it repeat it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from agentauri.channels.excerpt import MESSAGE_BYTES, clean, excerpt
from agentauri.channels.failures import classify
from agentauri.channels.retry import judge_status
from agentauri.models.action import MASK
from agentauri.models.delivery import Attempt, Judgement, Outcome

if TYPE_CHECKING:
    from agentauri.channels.mcp_wire import Wire

INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_VERSION, CONNECTION_CLOSED = -32602, -32601, -32022, -32000
FINAL_CODES = {
    INVALID_PARAMS: "InvalidParams",
    METHOD_NOT_FOUND: "MethodNotFound",
    UNSUPPORTED_VERSION: "UnsupportedVersion",
}
UNKNOWN_TOOL = re.compile(r"(mcp error -32602\b|unknown tool\b|tool \S{1,200} not found\b)", re.IGNORECASE)
"""How servers of widely used libraries say in a result what the protocol has an error for."""
CALLED = 200
REFUSED = 300


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be called: the tool and its arguments, ``headers`` for HTTP, ``meta`` for the request."""

    url: str
    tool: str
    arguments: dict[str, Any]
    headers: Mapping[str, str]
    meta: Mapping[str, Any]


@dataclass(slots=True)
class Answer:
    """What came of it. ``code`` and ``message`` are a JSON-RPC error's; ``nonsense``: the answer was not MCP."""

    protocol: str | None = None
    result: dict[str, Any] | None = None
    is_error: bool = False
    text: str = ""
    code: int | None = None
    message: str = ""
    nonsense: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of a call before its end: ``request`` as it is kept, and the token that must not come back."""

    request: dict[str, Any]
    token: str | None
    is_resolved: bool


def judged(wire: "Wire", answer: Answer, sent: Sent, took: float, seconds: float) -> Attempt:
    """The attempt that ``wire`` and ``answer`` make."""
    outcome, judgement, name, message = _reading(wire, answer, sent, seconds)
    body = bytes(wire.beginning)
    if answer.result is not None:
        body = answer.text.encode(errors="replace") or orjson.dumps(answer.result)
    request = sent.request if answer.protocol is None else {**sent.request, "protocol": answer.protocol}
    return Attempt(
        outcome=outcome,
        duration_seconds=took,
        http_status=wire.status if outcome in (Outcome.SUCCESS, Outcome.HTTP) else None,
        error_class=name or None,
        error_message=clean(_without(sent.token, message), MESSAGE_BYTES) if name else None,
        response_excerpt=_without(sent.token, excerpt(body)),
        request=request,
        retry_after=wire.retry_after,
        sent=wire.call_sent,
        judged=judgement,
    )


def _reading(wire: "Wire", answer: Answer, sent: Sent, seconds: float) -> tuple[Outcome, Judgement | None, str, str]:
    """Outcome, judgement (None: as the outcome has it), the error's name, and the sentence."""
    if answer.result is not None:
        if not answer.is_error:
            return Outcome.SUCCESS, None, "", ""
        judgement = Judgement.FINAL if UNKNOWN_TOOL.match(answer.text.strip()) else Judgement.RETRY
        said = answer.text or "it says no more"
        return Outcome.HTTP, judgement, "ToolError", f"The tool reported an error: {said}"
    status = wire.status or 0
    if status >= REFUSED:
        return _refused(status, answer, sent)
    if wire.error is not None:
        return _broken(wire.error, seconds)
    if answer.code in FINAL_CODES:
        return Outcome.REJECTED, None, FINAL_CODES[answer.code], f"The server refused the call: {answer.message}"
    if answer.code == CONNECTION_CLOSED:
        return Outcome.CONNECT, None, "ConnectionClosed", f"The server gave no result: {answer.message}"
    if answer.code is not None:
        return Outcome.HTTP, Judgement.RETRY, "ProtocolError", f"The server answered {answer.code}: {answer.message}"
    return Outcome.HTTP, Judgement.RETRY, "NotMcp", f"The server's answer is not MCP: {answer.nonsense}"


def _refused(status: int, answer: Answer, sent: Sent) -> tuple[Outcome, Judgement | None, str, str]:
    say = "; redirects are not followed." if status < 400 else "."
    message = f"The server answered {status}{say}"
    if answer.message:
        message = f"{message} It says: {answer.message}"
    judgement = judge_status(status)
    if answer.code in FINAL_CODES and judgement is Judgement.RETRY and answer.code != METHOD_NOT_FOUND:
        judgement = Judgement.FINAL
    if judgement is Judgement.GONE and sent.is_resolved:
        judgement = Judgement.FINAL  # one agent's server is gone, not what the action is for
    return Outcome.HTTP, judgement, FINAL_CODES.get(answer.code or 0, "UnexpectedStatus"), message


def _broken(error: Exception, seconds: float) -> tuple[Outcome, Judgement | None, str, str]:
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT, None, "TimeoutError", f"No result within {seconds:g} s."
    return classify(error), None, type(error).__name__, str(error) or type(error).__name__


def _without(token: str | None, text: str) -> str:
    return text.replace(token, MASK) if token else text
