"""ERC-8004 events that never happened, as real ones look: agents, clients, feedback of every kind, URIs, validations.

The same seed and first block give the same events, so a run can be repeated. What it tells hangs together: feedback
indexes count up per agent and client, revocations and responses name feedback that was given, validation responses
name requests. Pure: the time comes in. It makes decoded logs; nothing here writes or sleeps.
"""

import base64
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

import orjson

from agentauri.chain.abi import checksum
from agentauri.chain.decoder import exact_score
from agentauri.models.event import Registry
from agentauri.models.log import DecodedLog

AGENTS = 256
CLIENTS = 64
ZIPF = 1.1
"""How unevenly events fall on agents: the busiest gets about a sixth, half of them next to nothing."""
EVENTS_A_BLOCK = 40
REMEMBERED = 4096
"""Feedback and requests that later events may name; older ones are let go."""
NO_HASH = "0x" + "00" * 32
NOBODY = "0x" + "00" * 20
INLINE_PERCENT = 10
"""URIs in a hundred that carry their file with them, as data: URIs."""

CONTRACTS: Mapping[Registry, str] = {
    registry: checksum(sha256(f"simulated {registry}".encode()).digest()[:20]) for registry in Registry
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a tag measures: whole values lie in [low, high] and stand for value / 10^decimals."""

    tag: str
    low: int
    high: int
    decimals: int
    share: int


MEASURES = (
    Measure("starred", 0, 100, 0, 45),
    Measure("uptime", 9000, 10_000, 2, 15),
    Measure("responseTime", 20, 4000, 0, 14),
    Measure("reachable", 0, 1, 0, 10),
    Measure("successRate", 60, 100, 0, 6),
    Measure("tradingYield", -800, 2500, 1, 5),
    Measure("revenues", 0, 5_000_000_000, 2, 3),
    Measure("", 0, 100, 0, 2),
)
PERIODS = ("", "", "day", "week", "month", "chat", "交易", "🚀")


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback that was given: agent, client, and its index between the two."""

    agent: int
    client: str
    index: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a place in a block."""

    registry: Registry
    event_type: str
    agent: int | None
    data: dict[str, object]


class Simulator:
    """An endless stream of events from ``seed``; ``first_block`` is the number of its first block."""

    def __init__(self, seed: int, first_block: int) -> None:
        self._dice = random.Random(seed)
        self._name = f"{seed}:{first_block}"
        self._block, self._index, self._time = first_block - 1, 0, -1
        self._waiting: deque[Draft] = deque()
        weights = [1 / (rank + 1) ** ZIPF for rank in range(AGENTS)]
        self._agents = list(accumulate(weights))
        self._owners = [self._address() for _ in range(AGENTS)]
        self._quality = [self._dice.betavariate(6, 2) for _ in range(AGENTS)]
        self._clients = [self._address() for _ in range(CLIENTS)]
        self._given: dict[tuple[int, str], int] = {}
        self._feedback: deque[Feedback] = deque(maxlen=REMEMBERED)
        self._requests: deque[tuple[int, str, str]] = deque(maxlen=REMEMBERED)
        self._kinds: list[Callable[[], list[Draft]]] = []
        shares = []
        for share, kind in (
            (62, self._new_feedback), (8, self._response), (3, self._revocation), (7, self._request),
            (8, self._validation), (5, self._uri_change), (4, self._metadata), (2, self._transfer), (1, self._operator),
        ):  # fmt: skip
            self._kinds.append(kind)
            shares.append(share)
        self._shares = list(accumulate(shares))

    def take(self, count: int, now: int) -> list[DecodedLog]:
        """The next ``count`` events, in blocks of time ``now`` (seconds since 1970)."""
        while len(self._waiting) < count:
            self._waiting += self._dice.choices(self._kinds, cum_weights=self._shares)[0]()
        return [self._placed(self._waiting.popleft(), now) for _ in range(count)]

    def _placed(self, draft: Draft, now: int) -> DecodedLog:
        if self._index == EVENTS_A_BLOCK or now != self._time:
            self._block, self._index, self._time = self._block + 1, 0, now
        log = DecodedLog(
            draft.registry,
            draft.event_type,
            draft.agent,
            CONTRACTS[draft.registry],
            self._block,
            self._hash(f"block {self._block}"),
            now,
            self._hash(f"transaction {self._block} {self._index // 2}"),
            self._index,
            draft.data,
        )
        self._index += 1
        return log

    # -- the events -------------------------------------------------------------------------------------------------

    def _new_feedback(self) -> list[Draft]:
        agent, client = self._agent(), self._dice.choice(self._clients)
        index = self._given[agent, client] = self._given.get((agent, client), 0) + 1
        self._feedback.append(Feedback(agent, client, index))
        measure = self._dice.choices(MEASURES, weights=[one.share for one in MEASURES])[0]
        spread = min(1.0, max(0.0, self._dice.gauss(self._quality[agent], 0.15)))
        value = measure.low + round(spread * (measure.high - measure.low))
        has_file = self._dice.random() < 0.4
        data = {
            "client_address": client,
            "feedback_index": index,
            "value": str(value),
            "value_decimals": measure.decimals,
            "score": exact_score(value, measure.decimals),
            "tag1": measure.tag,
            "tag2": self._dice.choice(PERIODS),
            "endpoint": f"https://agent-{agent}.example/a2a" if self._dice.random() < 0.5 else "",
            "feedback_uri": self._uri("feedback", agent) if has_file else "",
            "feedback_hash": self._random_hash() if has_file else NO_HASH,
        }
        return [Draft(Registry.REPUTATION, "NewFeedback", agent, data)]

    def _response(self) -> list[Draft]:
        if not self._feedback:
            return self._new_feedback()
        about = self._dice.choice(self._feedback)
        data: dict[str, object] = {
            "client_address": about.client,
            "responder": self._owners[about.agent],
            "feedback_index": about.index,
            "response_uri": self._uri("response", about.agent),
            "response_hash": self._random_hash(),
        }
        return [Draft(Registry.REPUTATION, "ResponseAppended", about.agent, data)]

    def _revocation(self) -> list[Draft]:
        if not self._feedback:
            return self._new_feedback()
        about = self._dice.choice(self._feedback)
        data: dict[str, object] = {"client_address": about.client, "feedback_index": about.index}
        return [Draft(Registry.REPUTATION, "FeedbackRevoked", about.agent, data)]

    def _request(self) -> list[Draft]:
        agent, validator, name = self._agent(), self._dice.choice(self._clients), self._random_hash()
        self._requests.append((agent, validator, name))
        data: dict[str, object] = {
            "validator_address": validator,
            "request_hash": name,
            "request_uri": self._uri("request", agent),
        }
        return [Draft(Registry.VALIDATION, "ValidationRequest", agent, data)]

    def _validation(self) -> list[Draft]:
        if not self._requests:
            return self._request()
        agent, validator, name = self._dice.choice(self._requests)
        data: dict[str, object] = {
            "validator_address": validator,
            "request_hash": name,
            "response": round(100 * min(1.0, max(0.0, self._dice.gauss(self._quality[agent], 0.2)))),
            "response_uri": self._uri("validation", agent),
            "response_hash": self._random_hash(),
            "tag": self._dice.choice(("", "soft-finality", "hard-finality", "tee", "zk")),
        }
        return [Draft(Registry.VALIDATION, "ValidationResponse", agent, data)]

    def _uri_change(self) -> list[Draft]:
        agent = self._agent()
        data: dict[str, object] = {"updated_by": self._owners[agent], "agent_uri": self._uri("agent", agent)}
        return [Draft(Registry.IDENTITY, "URIUpdated", agent, data), _metadata_update(agent)]

    def _metadata(self) -> list[Draft]:
        agent = self._agent()
        key, text = self._dice.choice(
            (("version", f"1.{self._dice.randrange(30)}"), ("region", "eu"), ("model", "µ-3"))
        )
        return [_metadata_set(agent, key, text.encode())]

    def _transfer(self) -> list[Draft]:
        """A transfer clears the agent's wallet, as the contract does."""
        agent, before = self._agent(), self._owners
        old, before[agent] = before[agent], self._address()
        moved: dict[str, object] = {"from_address": old, "to_address": before[agent]}
        return [Draft(Registry.IDENTITY, "Transfer", agent, moved), _metadata_set(agent, "agentWallet", b"")]

    def _operator(self) -> list[Draft]:
        data: dict[str, object] = {
            "owner": self._owners[self._agent()],
            "operator": self._address(),
            "approved": self._dice.random() < 0.5,
        }
        return [Draft(Registry.IDENTITY, "ApprovalForAll", None, data)]

    # -- their parts ------------------------------------------------------------------------------------------------

    def _agent(self) -> int:
        return self._dice.choices(range(AGENTS), cum_weights=self._agents)[0]

    def _address(self) -> str:
        return checksum(self._dice.randbytes(20))

    def _random_hash(self) -> str:
        return "0x" + self._dice.randbytes(32).hex()

    def _hash(self, what: str) -> str:
        return "0x" + sha256(f"{self._name} {what}".encode()).hexdigest()

    def _uri(self, what: str, agent: int) -> str:
        if self._dice.randrange(100) < INLINE_PERCENT:
            file = orjson.dumps({"type": what, "agentId": agent, "note": "simulated " * self._dice.randint(1, 60)})
            return f"data:application/json;base64,{base64.b64encode(file).decode()}"
        if self._dice.random() < 0.5:
            return "ipfs://bafkrei" + base64.b32encode(self._dice.randbytes(32)).decode().lower().rstrip("=")
        return f"https://agent-{agent}.example/{what}/{self._dice.randrange(10**6)}.json"


def _metadata_set(agent: int, key: str, value: bytes) -> Draft:
    data: dict[str, object] = {
        "metadata_key": key,
        "metadata_value": "0x" + value.hex(),
        "metadata_text": value.decode(),
    }
    return Draft(Registry.IDENTITY, "MetadataSet", agent, data)


def _metadata_update(agent: int) -> Draft:
    return Draft(Registry.IDENTITY, "MetadataUpdate", agent, {})
