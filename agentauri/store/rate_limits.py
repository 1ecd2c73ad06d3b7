"""Rate limits in Redis: one Lua call decides about a request, over every bucket that applies to it.

All buckets are checked before any is spent, so a request that is refused takes nothing. The script's arithmetic is
that of ``models/rate.py`` in whole numbers below 2**53, on Redis's own clock, which all replicas share; a clock that
steps back stands still. A key lives as long as it can matter: until its window has wholly passed.
"""

from collections.abc import Sequence

from agentauri.models.rate import Bucket, Decision, Standing, Usage
from agentauri.store.script_line import Part, ScriptLine, open_line

DECIDE_LUA = """
local now, states, refused, answer = tonumber(ARGV[1]), {}, 0, {}
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
for i, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  local s = {at = now, start = 0, count = 0, before = 0, debt = 0}
  if stored then s.at, s.start, s.count, s.before, s.debt = struct.unpack('<ddddd', stored) end
  if s.at > now then now = s.at end
  states[i] = s
end
local ms = math.floor(now / 1000)
for i, s in ipairs(states) do
  local a = 5 * i - 3
  local limit, window, burst = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local refill, cost = ARGV[a + 3] * 1000, tonumber(ARGV[a + 4])
  local elapsed = ms % window
  local start = ms - elapsed
  if s.start ~= start then
    s.before = s.start == start - window and s.count or 0
    s.count, s.start = 0, start
  end
  s.debt = math.max(0, s.debt - (now - s.at) * burst)
  if s.before * (window - elapsed) + (s.count + cost) * window > limit * window
    or s.debt + cost * refill > burst * refill then refused = i end
  s.cost, s.refill, s.left = cost, refill, 2 * window - elapsed
end
for i, s in ipairs(states) do
  if refused == 0 then
    s.count, s.debt = s.count + s.cost, s.debt + s.cost * s.refill
    redis.call('SET', KEYS[i], struct.pack('<ddddd', now, s.start, s.count, s.before, s.debt), 'PX', s.left)
  end
  answer[i] = string.format(' %.0f %.0f %.0f', s.count, s.before, s.debt)
end
return redis.status_reply(string.format('%d %.0f', refused, ms) .. table.concat(answer))
"""
"""Whoever changes what is stored gives the keys another name: old and new replicas run side by side for a while."""


class RateLimits:
    """The buckets of one deployment. ``prefix`` tells deployments that share a Redis apart."""

    def __init__(self, line: ScriptLine, prefix: str) -> None:
        self._line, self._prefix = line, prefix

    @classmethod
    def open(cls, url: str, prefix: str) -> "RateLimits":
        """Those in the Redis at ``url``; it connects at the first decision."""
        return cls(open_line(url, DECIDE_LUA), prefix)

    async def decide(self, buckets: Sequence[Bucket], *, slot: str, seconds: float, now: int | None = None) -> Decision:
        """Decide about one request within ``seconds``. Raises REDIS_AWAY.

        ``slot`` is the hash tag that puts the keys of one call on one node of a cluster: a bucket has to come with
        the same one always. ``now`` (microseconds since 1970) is for tests; without it Redis's clock counts.
        """
        tag = f"{{{self._prefix}:rate:{slot}}}:"
        arguments: list[Part] = ["" if now is None else now]
        for bucket in buckets:
            arguments += bucket[1:]
        answer = await self._line.run([tag + bucket.subject for bucket in buckets], arguments, seconds)
        refused, at, *usages = map(int, answer.split())
        standings = tuple(
            Standing(bucket, Usage(*usages[3 * place : 3 * place + 3]), at) for place, bucket in enumerate(buckets)
        )
        return Decision(refused == 0, standings)

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()
