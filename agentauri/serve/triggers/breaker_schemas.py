"""What the circuit breaker of a trigger looks like on the wire."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from agentauri.models.breaker import (
    MAX_FAILURE_THRESHOLD,
    MAX_HALF_OPEN_CALLS,
    MAX_RECOVERY_SECONDS,
    MIN_RECOVERY_SECONDS,
    BreakerState,
)
from agentauri.serve.schemas import Body, Schema

EXAMPLE: dict[str, Any] = {"config": {"failure_threshold": 5, "recovery_timeout_seconds": 600}}


class BreakerConfig(Schema):
    """When a breaker opens, and what it does then."""

    failure_threshold: int = Field(description="Consecutive failed deliveries with which it opens.")
    recovery_timeout_seconds: int = Field(description="How long it stays open before it lets anything through.")
    half_open_max_calls: int = Field(description="How many deliveries it then lets through at once to see.")


class CircuitBreaker(Schema):
    """What stops a trigger from sending while its deliveries fail; its state and firing go on meanwhile.

    Counted are consecutive deliveries that failed finally or three times over. While it is open, new deliveries are
    `suppressed`; half open, a few go through, and the first attempt of each decides.
    """

    state: BreakerState
    failure_count: int
    opened_at: datetime | None
    last_failure_at: datetime | None
    config: BreakerConfig


class BreakerConfigChange(Body):
    """Settings of a breaker to be changed."""

    failure_threshold: int = Field(10, ge=1, le=MAX_FAILURE_THRESHOLD, strict=True)
    recovery_timeout_seconds: int = Field(3600, ge=MIN_RECOVERY_SECONDS, le=MAX_RECOVERY_SECONDS, strict=True)
    half_open_max_calls: int = Field(1, ge=1, le=MAX_HALF_OPEN_CALLS, strict=True)


class BreakerChange(BreakerConfigChange):
    """Settings to be changed, by themselves or within `config`, as the answer has them; what stands there counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    config: BreakerConfigChange = Field(default_factory=BreakerConfigChange)

    def sent(self) -> dict[str, Any]:
        """The settings that were sent."""
        sent = self.model_dump(exclude_unset=True)
        nested: dict[str, Any] = sent.pop("config", {})
        return sent | nested


class CircuitBreakerAnswer(Schema):
    """The circuit breaker of one trigger."""

    data: CircuitBreaker
