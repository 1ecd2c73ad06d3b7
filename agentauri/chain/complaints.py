"""What a provider's error means: too large a range, too many requests, or simply a failure.

Every provider words these in its own way and reuses the same codes, so the words decide. Pure: from a code and a text
to one of our errors. A message that is not recognised is a plain RpcError; the price of that is a fail-over instead
of a smaller range, and the price of the opposite mistake a smaller range instead of a fail-over.
"""

import re

from agentauri.errors import RangeTooLarge, RpcError, RpcTimeout

RATE_CODES = frozenset({429, -32007, -32016, -32029})
RATE = re.compile(
    r"rate.?limit|too many (requests|connections)|requests? (count|per)|compute units|throughput|quota|credits",
    re.IGNORECASE,
)
NOT_THERE = re.compile(
    r"beyond|in the future|not (yet )?(available|found|indexed)|unknown block|missing|pruned|invalid block range",
    re.IGNORECASE,
)
"""The blocks are not there at all: a smaller range would not be either."""
TIMED_OUT = re.compile(r"time[sd]?.?out|took too long|deadline|execution aborted|cancell?ed", re.IGNORECASE)
SUBJECT = re.compile(r"range|result|logs|block|response|answer|size|query", re.IGNORECASE)
EXCESS = re.compile(
    r"too (many|large|wide|big|long)|exceed|more than|limit|max|up to|at most|bigger|larger|greater|over\b|narrow",
    re.IGNORECASE,
)


def error_for(label: str, method: str, code: int | None, message: str, retry_after: float | None = None) -> RpcError:
    """The error that an answer to ``method`` stands for. ``label`` names the provider; times are in seconds."""
    said = f"{label} answered {method} with error {code}: {message}"
    if code in RATE_CODES or RATE.search(message):
        return RpcError(said, code, retry_after)
    if method == "eth_getLogs" and not NOT_THERE.search(message):
        if TIMED_OUT.search(message):
            return RpcTimeout(said, code)
        if SUBJECT.search(message) and EXCESS.search(message):
            return RangeTooLarge(said, code)
    return RpcError(said, code, retry_after)
