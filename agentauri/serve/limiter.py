"""Lets requests through or refuses them by their rate limits, and says so in the answer's headers.

Guarantees an answer within a fraction of a second whatever Redis does: while it is away this process counts alone,
and guarded routes are closed in enforce mode, because nobody then counts the guesses at a secret. ``shadow`` mode
decides and counts the same, and refuses nothing.
"""

import hmac
import time
from collections import Counter
from typing import Literal

from starlette.types import Scope

from agentauri import logs, metrics
from agentauri.accounts.limits import Demand, Limits, Policy
from agentauri.accounts.meter import Meter
from agentauri.config import Settings
from agentauri.errors import RateLimited, Unavailable
from agentauri.models.plan import Plan
from agentauri.models.rate import Decision
from agentauri.serve.problems import RATE_HEADERS
from agentauri.store.rate_limits import RateLimits
from agentauri.store.script_line import REDIS_AWAY

log = logs.get("api")
MONITORING_HEADER = b"x-monitoring-token"
PATIENCE_SECONDS = 0.25
"""How long a request waits for Redis: long enough for a busy machine, whose answers would else be thrown away."""
GUARDED_PATIENCE_SECONDS = 1.0
"""How long one does that would be refused without it."""
AWAY_SECONDS = 1.0
"""How long Redis is not asked after it failed: one request a second finds out whether it is back."""
GATHER_SECONDS = 1.0
"""Counts for the metrics gather so long: a Ray metric takes 15 microseconds, a third of a decision."""
REFUSED = "too many requests; try again in {} seconds. The RateLimit headers tell what is left."
CLOSED = "attempts cannot be counted at this moment, so none is let through; try again in a few seconds."

Header = tuple[bytes, bytes]


class Limiter:
    """The rate limits of one replica; ``limits`` makes the demands that ``admit`` takes."""

    def __init__(
        self, limits: Limits, store: RateLimits, *, mode: Literal["shadow", "enforce"], monitoring_token: str = ""
    ) -> None:
        self.limits = limits
        self._store, self._meter = store, Meter()
        self._enforces = mode == "enforce"
        self._token = monitoring_token.encode()
        self._away_until = 0.0
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._gather_until = 0.0

    @classmethod
    def of(cls, settings: Settings, store: RateLimits) -> "Limiter":
        """The limiter that the settings ask for."""
        rates = settings.rate_limits
        plans = {plan: getattr(rates, plan) for plan in Plan}
        addresses = {policy: getattr(rates, policy) for policy in Policy if hasattr(rates, policy)}
        token = rates.monitoring_token.get_secret_value()
        return cls(Limits(plans, addresses), store, mode=settings.rate_limit_mode(), monitoring_token=token)

    async def close(self) -> None:
        """Close the connection to Redis."""
        self.report()
        await self._store.close()

    async def admit(self, scope: Scope, demand: Demand) -> None:
        """Count one request, and leave the answer's headers in ``scope``.

        Raises RateLimited, or for guarded routes Unavailable, in enforce mode.
        """
        if self._token and self._is_monitoring(scope):
            self._note(demand, "exempt")
            return
        decision = await self._decide(demand)
        scope[RATE_HEADERS] = headers(decision)
        if decision.admitted:
            self._note(demand, "admitted")
        elif self._enforces:
            self._note(demand, "refused")
            seconds = decision.retry_after()
            raise RateLimited(REFUSED.format(seconds), seconds)
        else:
            self._note(demand, "shadowed")

    def report(self) -> None:
        """Hand what has gathered to the metrics."""
        for (policy, outcome), count in self._outcomes.items():
            metrics.rate_decisions(count, policy=policy, outcome=outcome)
        for policy, count in self._fallbacks.items():
            metrics.rate_fallbacks(count, policy=policy)
        self._outcomes.clear()
        self._fallbacks.clear()

    def _note(self, demand: Demand, outcome: str) -> None:
        self._outcomes[demand.policy, outcome] += 1
        if time.monotonic() >= self._gather_until:
            self._gather_until = time.monotonic() + GATHER_SECONDS
            self.report()

    async def _decide(self, demand: Demand) -> Decision:
        closes = self._enforces and demand.policy.is_guarded
        if closes or time.monotonic() >= self._away_until:
            patience = GUARDED_PATIENCE_SECONDS if closes else PATIENCE_SECONDS
            try:
                return await self._store.decide(demand.buckets, slot=demand.slot, seconds=patience)
            except REDIS_AWAY as error:
                self._step_aside(error)
        self._fallbacks[demand.policy] += 1
        if closes:
            self._note(demand, "closed")
            raise Unavailable(CLOSED)
        return self._meter.decide(demand.buckets, time.time_ns() // 1_000)

    def _step_aside(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._away_until:  # of those that failed together, one speaks
            log.warning("rate_limits_without_redis", error=repr(error))
        self._away_until = now + AWAY_SECONDS

    def _is_monitoring(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == MONITORING_HEADER]
        return len(sent) == 1 and hmac.compare_digest(sent[0], self._token)


def headers(decision: Decision) -> list[Header]:
    """The answer's headers: the IETF's two (draft-ietf-httpapi-ratelimit-headers-11), and the older three.

    Of several buckets the tightest speaks. ``t`` and the resets tell when there will be more than now: windows slide.
    """
    tightest = decision.tightest()
    bucket, remaining = tightest.bucket, tightest.remaining()
    more, soon = -(-tightest.window_reset() // 1000), -(-tightest.burst_reset() // 1000)
    policy = f'"hour";q={bucket.limit};w={bucket.window // 1000}, "burst";q={bucket.burst};w={bucket.refill // 1000}'
    left = f'"hour";r={remaining};t={more}, "burst";r={tightest.burst_remaining()};t={soon}'
    return [
        (b"ratelimit-policy", policy.encode()),
        (b"ratelimit", left.encode()),
        (b"x-ratelimit-limit", b"%d" % bucket.limit),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % (-(-tightest.now // 1000) + more)),
    ]
