"""A delivery and its attempts: statuses, outcomes, what a deliverer is handed, and what it reports back.

A delivery is one action for one event; its row is the durable queue. Plain values without behaviour: how rows move
between statuses is ``store/claims.py`` and ``store/attempts.py``, what an outcome leads to ``channels/retry.py``.
Those made for every webhook are named tuples, which cost a tenth of a frozen dataclass.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from agentauri.models.action import ActionType


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERING = "delivering"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    DEAD = "dead"
    HELD = "held"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"


class DeliveryType(StrEnum):
    """What a delivery tells its receiver."""

    FIRED = "trigger.fired"
    RETRACTED = "trigger.retracted"
    DISABLED = "action.disabled"

    @property
    def is_notice(self) -> bool:
        """Whether it tells of something else than a firing, which is what a user's templates are written for."""
        return self is not DeliveryType.FIRED


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCESS = "success"
    HTTP = "http"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    BLOCKED = "blocked"
    REJECTED = "rejected"


class StatusCode(StrEnum):
    """Why a delivery has its status, for programs; the sentence for people stands beside it."""

    ATTEMPT_FAILED = "attempt_failed"
    ATTEMPTS_SPENT = "attempts_spent"
    FAILED_FINALLY = "failed_finally"
    LEASE_EXPIRED = "lease_expired"
    ACTION_DISABLED = "action_disabled"
    ORGANIZATION_PAUSED = "organization_paused"
    QUEUE_FULL = "queue_full"
    BREAKER_OPEN = "breaker_open"
    BREAKER_PROBE = "breaker_probe"
    ACTION_GONE = "action_gone"
    EVENT_RETRACTED = "event_retracted"
    HOLDS_AGAIN = "holds_again"
    CANCELLED_BY_USER = "cancelled_by_user"
    DISCARDED = "discarded"


class Destination(NamedTuple):
    """What caps, rates and breakers are kept for, and the lane that it belongs to (protocol P22)."""

    lane: str
    name: str


class Claimed(NamedTuple):
    """A delivery in a deliverer's hands for one attempt (protocol P21).

    ``attempt`` counts from 1 over the delivery's whole life and ``turn`` from 1 since it was queued or replayed;
    ``version`` changes with the action's configuration. ``config`` and ``secrets`` are open here: never log them.
    ``fault`` says why the delivery cannot be sent at all, such as a secret that does not open. ``probe``: its trigger's
    breaker let it through, and this attempt decides. ``is_test``: a sample that a user sends to see what arrives, and
    no delivery of the queue.
    """

    id: UUID
    organization_id: UUID
    action_id: UUID
    type: DeliveryType
    channel: ActionType
    destination: Destination
    attempt: int
    turn: int
    lease_token: UUID
    started_at: datetime
    created_at: datetime
    version: datetime
    context: dict[str, Any]
    config: dict[str, Any]
    secrets: tuple[str, ...]
    fault: str | None = None
    probe: bool = False
    is_test: bool = False


class Attempt(NamedTuple):
    """What became of one attempt.

    ``sent``: the request had gone out whole or in part, so after a failure the receiver may know the delivery all
    the same. ``retry_after`` is what the receiver asked for, in seconds. ``request`` holds no secrets.
    ``judged`` is what the channel knows better than the status tells; None: the outcome decides. ``aside``: what
    failed is not the receiver but something that was needed for it, so nothing is held against the receiver.
    ``gone_because``: why a receiver that is gone is, as a sentence for the action's owner. ``pauses_lane``: the wait
    that was asked for holds for the whole lane. ``chat_moved_to``: the chat has another number from now on.
    """

    outcome: Outcome
    duration_seconds: float
    http_status: int | None = None
    error_class: str | None = None
    error_message: str | None = None
    response_excerpt: str | None = None
    request: dict[str, Any] | None = None
    retry_after: float | None = None
    sent: bool = False
    judged: "Judgement | None" = None
    aside: bool = False
    gone_because: str | None = None
    pauses_lane: bool = False
    chat_moved_to: int | None = None


class Judgement(StrEnum):
    """What an attempt means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FINAL = "final"
    GONE = "gone"
    """Final, and the receiver wants no more: the action is to be disabled."""


class Result(NamedTuple):
    """An attempt as it is to be recorded: the judgement, and the wait before the next one in seconds (None: none)."""

    claimed: Claimed
    attempt: Attempt
    judgement: Judgement
    wait_seconds: float | None
