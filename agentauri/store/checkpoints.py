"""Checkpoints of trigger state in Redis: a verified cache that shortens a replay, never the truth (protocol P16).

Per partition: a hash of the state under a generation, and a meta hash (generation, last_seq, token, keys). A part
is added only on top of exactly what this owner wrote last; anything else, and the whole partition is written anew.
Keys carry the database's identity, so that a restored or foreign database never meets another's checkpoints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from agentauri.errors import Fenced, StartError
from agentauri.store.database import Connection
from agentauri.store.partitions import Owned

REDIS_AWAY = (RedisError, OSError)
"""What a command raises when Redis is away or refuses; the path goes on without it."""

CHUNK_KEYS = 2_000
"""State keys in one command: keeps a single Lua call below a millisecond or two."""
WRITING_SECONDS = 3_600
"""What a crash leaves of a generation that was being written goes after this long."""
KEPT_SECONDS = 30 * 86_400
"""A checkpoint that nobody adds to goes after this long: no other database, and no other timeline, will remove it."""

# Keys and values travel as one string with U+0000 after each, which neither holds: handing them over one by one costs
# more than all else that a checkpoint does.
ADD_LUA = f"""
local meta = redis.call('HMGET', KEYS[1], 'generation', 'last_seq', 'token')
if meta[3] and tonumber(meta[3]) > tonumber(ARGV[3]) then return -1 end
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] or meta[3] ~= ARGV[3] then return 0 end
for key, value in string.gmatch(ARGV[5], '(%Z+)%z(%Z+)%z') do redis.call('HSET', KEYS[2], key, value) end
for key in string.gmatch(ARGV[6], '(%Z+)%z') do redis.call('HDEL', KEYS[2], key) end
redis.call('HSET', KEYS[1], 'last_seq', ARGV[4], 'keys', redis.call('HLEN', KEYS[2]))
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {KEPT_SECONDS}) end
return 1
"""

SEAL_LUA = f"""
local meta = redis.call('HMGET', KEYS[1], 'generation', 'token')
if meta[2] and tonumber(meta[2]) > tonumber(ARGV[3]) then redis.call('UNLINK', KEYS[2]) return -1 end
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[4]) then redis.call('UNLINK', KEYS[2]) return 0 end
if meta[1] and meta[1] ~= ARGV[1] then redis.call('UNLINK', ARGV[5] .. meta[1]) end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'last_seq', ARGV[2], 'token', ARGV[3], 'keys', ARGV[4])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {KEPT_SECONDS}) end
return 1
"""

GET_LUA = r"return table.concat(redis.call('HGETALL', KEYS[1]), '\0')"
"""A hash as one string, for the same reason."""

State = dict[str, Any]
_json = orjson.dumps


@dataclass(frozen=True, slots=True)
class Meta:
    """What is said about a stored checkpoint."""

    generation: str
    last_seq: int
    token: int
    keys: int


class Checkpoints:
    """Checkpoints of one database. An instance belongs to one owner and remembers what it wrote last."""

    def __init__(self, redis: "Redis", prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._add = redis.register_script(ADD_LUA)
        self._seal = redis.register_script(SEAL_LUA)
        self._get = redis.register_script(GET_LUA)
        self._written: dict[int, tuple[str, int]] = {}
        self._serial = 0

    def _meta_key(self, partition: int) -> str:
        return f"{{{self._prefix}:p{partition:02d}}}:meta"

    def _state_key(self, partition: int, generation: str) -> str:
        return f"{{{self._prefix}:p{partition:02d}}}:state:{generation}"

    async def meta(self, partition: int) -> Meta | None:
        """What is stored of a partition, unread and unverified."""
        stored = cast("dict[bytes, bytes]", await self._redis.hgetall(self._meta_key(partition)))
        raw = {name.decode(): value for name, value in stored.items()}
        if set(raw) != {"generation", "last_seq", "token", "keys"}:
            return None
        return Meta(raw["generation"].decode(), int(raw["last_seq"]), int(raw["token"]), int(raw["keys"]))

    async def load(self, partition: int, meta: Meta) -> State | None:
        """The state that ``meta`` names; None unless it is complete."""
        raw = await self._get(keys=[self._state_key(partition, meta.generation)])
        parts: list[bytes] = raw.split(b"\0") if raw else []
        if len(parts) != 2 * meta.keys:
            return None
        values = orjson.loads(b"[" + b",".join(parts[1::2]) + b"]")
        return {key.decode(): value for key, value in zip(parts[::2], values, strict=True)}

    async def forget(self, partition: int) -> None:
        """Remove what is stored of a partition: it may never be met again by a later progress."""
        meta = await self.meta(partition)
        stale = [self._meta_key(partition)]
        if meta is not None:
            stale.append(self._state_key(partition, meta.generation))
        await self._redis.unlink(*stale)
        self._written.pop(partition, None)

    async def add(self, owned: Owned, last_seq: int, changed: Mapping[str, Any]) -> bool:
        """Add the changed keys (None: dropped) as of ``last_seq``; False: write the whole partition instead.

        Raises Fenced when a newer owner's checkpoint stands there.
        """
        written = self._written.get(owned.partition)
        if written is None or len(changed) > CHUNK_KEYS:
            return False
        generation, previous = written
        sets = [part for key, value in changed.items() if value is not None for part in (key.encode(), _json(value))]
        drops = [key.encode() for key, value in changed.items() if value is None]
        keys = [self._meta_key(owned.partition), self._state_key(owned.partition, generation)]
        args: list[str | bytes | int] = [generation, previous, owned.token, last_seq, _packed(sets), _packed(drops)]
        answer = await self._add(keys=keys, args=args)
        self._refuse_if_fenced(answer, owned)
        if answer == 1:
            self._written[owned.partition] = (generation, last_seq)
        return bool(answer == 1)

    async def write(self, owned: Owned, last_seq: int, state: Mapping[str, Any]) -> None:
        """Write a whole partition under a new generation; it counts only once all of it is there.

        Raises Fenced when a newer owner's checkpoint stands there.
        """
        self._serial += 1
        generation = f"{owned.token}.{last_seq}.{self._serial}"
        state_key = self._state_key(owned.partition, generation)
        await self._redis.unlink(state_key)
        items = list(state.items())
        for start in range(0, len(items), CHUNK_KEYS):
            part = [(key, _json(value)) for key, value in items[start : start + CHUNK_KEYS]]
            async with self._redis.pipeline(transaction=True) as both:
                both.hset(state_key, items=[one for pair in part for one in pair])
                both.expire(state_key, WRITING_SECONDS)
                await both.execute()
        prefix = self._state_key(owned.partition, "")
        answer = await self._seal(
            keys=[self._meta_key(owned.partition), state_key],
            args=[generation, last_seq, owned.token, len(state), prefix],
        )
        self._refuse_if_fenced(answer, owned)
        if answer == 1:
            self._written[owned.partition] = (generation, last_seq)

    def adopt(self, owned: Owned) -> None:
        """Nothing of ours stands there yet under this token: the next change writes the whole partition."""
        self._written.pop(owned.partition, None)

    def _refuse_if_fenced(self, answer: object, owned: Owned) -> None:
        if answer == -1:
            raise Fenced(f"partition {owned.partition} has a newer owner's checkpoint")


def _packed(parts: Sequence[bytes]) -> bytes:
    return b"".join([part + b"\0" for part in parts])


async def identity(connection: Connection) -> str:
    """Names this database for good: system identifier, timeline, database (protocol P16)."""
    sql = """SELECT s.system_identifier || '.' || c.timeline_id || '.' || d.oid
             FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_database AS d
             WHERE d.datname = current_database()"""
    found: str = await connection.fetchval(sql)
    return f"agentauri:{found}"


async def check_redis(redis: "Redis") -> None:
    """Refuse a Redis that may evict checkpoints (protocol P16). Raises StartError with the remedy, or REDIS_AWAY.

    One that does not tell (managed servers forbid CONFIG) is believed: a checkpoint that lost keys is not used.
    """
    try:
        policy = (await redis.config_get("maxmemory-policy")).get("maxmemory-policy", "noeviction")
    except ResponseError:
        return
    if policy != "noeviction":
        raise StartError(f"Redis has maxmemory-policy = {policy}; set it to noeviction (REDIS_URL).")


def connect(url: str) -> "Redis":
    """A client with time-outs on everything; it connects at its first command."""
    return Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0, health_check_interval=15)
