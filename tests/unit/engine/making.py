"""Events and triggers for tests of the engine: made by hand, or drawn by hypothesis from a small, awkward world."""

import random
from typing import Any
from uuid import UUID

import orjson
from hypothesis import strategies as st

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.models.condition import Condition
from agentauri.models.condition_parsing import parse_conditions
from agentauri.models.event import Event
from agentauri.models.fields import FIELDS, Kind
from agentauri.models.operators import MEMBERSHIP, PRESENCE, TEXTUAL, Operator, operators_of
from agentauri.models.trigger import TriggerDefinition, TriggerFields, validate_trigger

ALICE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BOB = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
HASH = "0x" + "aB" * 32
BIG_AGENT = 2**256 - 1
START = 1_700_000_000
PARTITION = 7


def event(seq: int = 1, *, time: int = 0, data: dict[str, Any] | None = None, **columns: Any) -> Event:
    """A feedback event of agent 42; ``time`` is in seconds since START."""
    given: dict[str, Any] = {
        "chain_id": 84532, "registry": "reputation", "event_type": "NewFeedback", "agent_id": 42, "contract": ALICE,
        "block_number": seq, "block_hash": HASH, "transaction_hash": HASH, "log_index": 0,
    } | columns  # fmt: skip
    stored = orjson.dumps({} if data is None else data)
    return Event(id=UUID(int=seq), seq=seq, block_timestamp=START + time, data_json=stored, **given)


def score(value: object, seq: int = 1, *, time: int = 0, **columns: Any) -> Event:
    """An event whose data is a score."""
    return event(seq, time=time, data={"score": value}, **columns)


def definition(*conditions: dict[str, Any], number: int = 1, **fields: Any) -> TriggerDefinition:
    """Trigger ``number`` with these conditions."""
    raw = {"name": f"trigger {number}", "match_all": True, "conditions": list(conditions)} | fields
    return of(validate_trigger(raw), number)


def of(fields: TriggerFields, number: int = 1) -> TriggerDefinition:
    """Trigger ``number`` with these fields."""
    return TriggerDefinition.of(UUID(int=number), UUID(int=0), fields, [])


def apply(evaluator: PartitionEvaluator, trigger: TriggerDefinition, partition: int = PARTITION) -> None:
    """Apply a version as it comes from the log."""
    stored = orjson.loads(orjson.dumps(trigger.to_json()))
    assert evaluator.apply_version(trigger.id, partition, stored) is None


def evaluator(*triggers: TriggerDefinition) -> PartitionEvaluator:
    """An evaluator of these triggers."""
    made = PartitionEvaluator()
    for trigger in triggers:
        apply(made, trigger)
    return made


def ema(operator: str = "<", value: object = 70, **config: Any) -> dict[str, Any]:
    """An ema_threshold over the score."""
    config = config or {"alpha": 0.5}
    return {"condition_type": "ema_threshold", "operator": operator, "value": value, "config": config}


def rate(operator: str = ">", value: object = 2, time_window: str = "1h", **config: Any) -> dict[str, Any]:
    """A rate_limit."""
    config = {"time_window": time_window} | config
    return {"condition_type": "rate_limit", "operator": operator, "value": value, "config": config}


def aggregate(
    function: str, operator: str = ">", value: object = 0, field: str | None = "score", **config: Any
) -> dict[str, Any]:
    """A window_aggregate; over an hour unless told otherwise."""
    window = {} if "last_n" in config else {"time_window": "1h"}
    config = {"function": function} | window | config
    return {
        "condition_type": "window_aggregate", "field": field, "operator": operator, "value": value, "config": config,
    }  # fmt: skip


def change(operator: str, value: object, field: str = "score", **config: Any) -> dict[str, Any]:
    """A change."""
    return {"condition_type": "change", "field": field, "operator": operator, "value": value, "config": config}


def absence(time_window: str = "1m", **config: Any) -> dict[str, Any]:
    """An absence."""
    return {"condition_type": "absence", "config": {"time_window": time_window} | config}


def expression(text: str) -> dict[str, Any]:
    """An expression."""
    return {"condition_type": "expression", "value": text}


def below(value: object, operator: str = "<") -> dict[str, Any]:
    """A score_threshold."""
    return {"condition_type": "score_threshold", "operator": operator, "value": value}


def agent(value: object = 42) -> dict[str, Any]:
    """An agent_id_equals."""
    return {"condition_type": "agent_id_equals", "operator": "=", "value": value}


# -- drawn ------------------------------------------------------------------------------------------------------------

NUMBERS = ["0", "1", "-1", "2", "50", "50.0", "50.5", "99.77", str(2**127 - 1), str(-(2**127)), "1e2"]
TEXTS = [
    "",
    "a",
    "A",
    "starred",
    "Starred",
    "ß",
    "SS",
    "a.b",
    ALICE,
    ALICE.lower(),
    "ipfs://x",
    "NewFeedback",
    "identity",
]
HEXES = [ALICE, ALICE.lower(), BOB, "0x", "0xab"]
HASHES = [HASH, HASH.lower(), "0x" + "00" * 32]
WRONG: list[Any] = [None, True, False, 5, 50.5, 1e300, 2**63, "nonsense", [], {}, ["x"]]

RIGHT: dict[Kind, list[Any]] = {
    Kind.INTEGER: [*NUMBERS, 0, 1, 2, 50, 2**53 + 1],
    Kind.DECIMAL: [*NUMBERS, 0, 1, 50, 50.5, 0.1],
    Kind.TIME: [START],
    Kind.TEXT: TEXTS,
    Kind.URI: TEXTS,
    Kind.ADDRESS: HEXES,
    Kind.HASH: HASHES,
    Kind.HEX: HEXES,
    Kind.BOOLEAN: [True, False],
    Kind.HASHES: [HASHES, HASHES[:1], []],
}

NAMES = ["score", "tag1", "tag2", "tag", "feedback_uri", "client_address", "response", "value", "approved", "topics",
         "feedback_hash", "metadata_value", "validator_address"]  # fmt: skip
COLUMN_NAMES = ["chain_id", "registry", "event_type", "agent_id", "contract", "block_timestamp", "log_index"]
BY_NAME: dict[str, list[Any]] = {
    "agent_id": [0, 1, 2, 42, 2**63 - 1, BIG_AGENT],
    "event_type": ["NewFeedback", "Registered", "Transfer"],
    "chain_id": [1, 2, 3],
    "registry": ["identity", "reputation", "Reputation"],
}
BY_KIND: dict[Kind, list[Any]] = {
    Kind.ADDRESS: [ALICE, ALICE.lower(), BOB],
    Kind.HASHES: HASHES,
    Kind.TIME: [START, START + 50],
}
EXPRESSIONS = [
    "score < 60", "score >= 50.5 && tag1 == 'a'", "score < 10 || tag1.startsWith('a')", "value == '50'", "approved",
    f"client_address == '{ALICE}'", "topics.exists(t, t == feedback_hash)", "score + 1.0 > response", "agent_id == 42",
    "size(tag2) > 1 ? registry == 'identity' : chain_id == 1", "score / 0.0 > 1.0", "1 / int(score) > 0",
    "file_uri != '' && timestamp >= 1700000050", "tag1.matches('[')", "tag1.matches('^[a-z]+$')",
]  # fmt: skip
AGENTS = [0, 1, 2, 42, 2**63 - 1, BIG_AGENT]


class World(random.Random):
    """Draws from the small world: one seed, one world. Shrinking a seed helps nobody, but a run takes milliseconds."""

    def flip(self) -> bool:
        """True or false."""
        return self.random() < 0.5

    def data(self) -> dict[str, Any]:
        """Some fields, mostly of the right kind."""
        names = self.sample(NAMES, self.randint(0, 6))
        return {name: self.choice(RIGHT[FIELDS[name].kind] * 2 + WRONG) for name in names}

    def event(self, seq: int = 1) -> Event:
        """An event of a few chains, agents and fields; block time goes back now and then."""
        data, number = self.data(), self.choice([*AGENTS, None])
        if number == BIG_AGENT:
            data["agent_id"], number = str(BIG_AGENT), None
        return event(
            seq,
            time=self.randint(0, 100),
            data=data,
            chain_id=self.choice([1, 2]),
            registry=self.choice(["identity", "reputation"]),
            event_type=self.choice(["NewFeedback", "Registered"]),
            agent_id=number,
            contract=self.choice([ALICE, BOB, ""]),
        )

    def log(self, most: int = 40) -> list[Event]:
        """A stretch of the log."""
        return [self.event(seq) for seq in range(1, self.randint(1, most) + 1)]

    def value(self, name: str, operator: Operator) -> Any:
        """A value that the field takes with that operator."""
        kind = FIELDS[name].kind
        if operator in TEXTUAL and kind is not Kind.HASHES:
            return self.choice(["a", "A", "s.", "0x", ALICE[:8], "[a-z]+$", "ss", "^Star"])
        fitting = BY_NAME.get(name) or BY_KIND.get(kind) or RIGHT[kind]
        fitting = [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in fitting]
        if operator in MEMBERSHIP:
            return self.choices(fitting, k=self.randint(1, 3))
        return self.choice(fitting)

    def expression(self) -> dict[str, Any]:
        """A text of CEL."""
        return expression(self.choice(EXPRESSIONS))

    def match(self) -> dict[str, Any]:
        """A field_match on any field with any of its operators."""
        name = self.choice(NAMES + COLUMN_NAMES)
        operator = self.choice(sorted(operators_of(FIELDS[name].kind)))
        out: dict[str, Any] = {"condition_type": "field_match", "field": name, "operator": operator.value}
        if operator not in PRESENCE:
            out["value"] = self.value(name, operator)
        if self.flip():
            out["config"] = {"ignore_case": self.flip()}
        return out

    def stateless(self, depth: int = 0) -> dict[str, Any]:
        """A comparison or a group."""
        if depth == 2 or self.random() < 0.7:
            return self.match() if self.random() < 0.8 else self.expression()
        parts = [self.stateless(depth + 1) for _ in range(self.randint(1, 3))]
        return {"condition_type": "group", "config": {"mode": self.choice(["all", "any", "none"]), "conditions": parts}}

    def stateful(self, group_by: object) -> dict[str, Any]:
        """An average, a rate, an aggregate or a change over that group."""
        operator = self.choice(["<", "<=", ">", ">=", "=", "!="])
        match self.randint(0, 3):
            case 0:
                config = {"alpha": self.choice([0.2, 0.5, 1]), "min_samples": self.choice([1, 2])}
                made = ema(operator, self.choice([1, 30, 50, 50.5]), **config, group_by=group_by)
                return made | {"field": self.choice(["score", "response", "agent_id"])}
            case 1:
                resets = self.flip()
                return rate(
                    operator, self.randint(0, 3), self.choice(["10s", "1m"]), reset_on_trigger=resets, group_by=group_by
                )
            case 2:
                return self.aggregate(operator, group_by)
        made = change(self.choice([operator, "crosses_above", "crosses_below"]), self.choice([-1, 0, 50, "0.5", 100]))
        mode = {"mode": self.choice(["delta", "percent"])} if self.flip() else {}
        return made | {"field": self.choice(["score", "value"]), "config": mode | {"group_by": group_by}}

    def aggregate(self, operator: str, group_by: object) -> dict[str, Any]:
        """A window_aggregate of any function."""
        function = self.choice(["count", "sum", "avg", "min", "max", "stddev", "distinct", "p50", "p95", "p99"])
        fields: list[str | None] = ["score", "response", "value"]
        if function in ("count", "distinct"):
            fields += [None if function == "count" else "topics", "tag1", "client_address"]
        window: dict[str, Any] = (
            {"last_n": self.randint(1, 4)} if self.flip() else {"time_window": self.choice(["10s", "1m"])}
        )
        least = {"min_samples": self.choice([1, window.get("last_n", 2)])} if self.flip() else {}
        value = self.choice([1, 2, 30, 50, "50.5"])
        return aggregate(function, operator, value, self.choice(fields), **window, **least, group_by=group_by)

    def trigger(self, number: int) -> TriggerDefinition:
        """Any trigger; every other one is stateful."""
        conditions = [self.stateless() for _ in range(self.choice([0, 1, 1, 2]))]
        fields: dict[str, Any] = {
            "chain_id": self.choice([None, None, 1, 2]),
            "registry": self.choice([None, None, "identity", "reputation"]),
            "cooldown_seconds": self.choice([0, 0, 20]),
        }
        if self.flip():
            group_by = self.choice(["agent_id", "none", "chain_id", ["tag1", "chain_id"]])
            fields["fire"] = self.choice(["every", "on_change"])
            if self.random() < 0.2:
                conditions.append(absence(self.choice(["1s", "10s", "1m"]), group_by=group_by))
            else:
                conditions += [self.stateful(group_by) for _ in range(self.randint(1, 2))]
        self.shuffle(conditions)
        return definition(*conditions, number=number, **fields)

    def remembering(self, number: int) -> TriggerDefinition:
        """A trigger that most events touch, and that remembers them."""
        group_by = self.choice(["agent_id", "none", "tag1", ["tag1", "chain_id"]])
        conditions = [below(self.choice([30, 60, 90]))] if self.flip() else []
        if self.random() < 0.3:
            conditions.append(absence(self.choice(["5s", "20s", "1m"]), group_by=group_by))
        else:
            conditions += [self.stateful(group_by) for _ in range(self.choice([1, 1, 2]))]
        fields = {"fire": self.choice(["every", "every", "on_change"]), "cooldown_seconds": self.choice([0, 0, 20])}
        return definition(*conditions, number=number, chain_id=self.choice([None, None, 1, 2]), **fields)

    def watch(self, number: int) -> TriggerDefinition:
        """A trigger that waits for silence."""
        wait = absence(self.choice(["5s", "20s", "1m"]), group_by=self.choice(["agent_id", "none"]))
        return definition(wait, number=number, cooldown_seconds=self.choice([0, 20, 100]))

    def crowd(self, most: int = 30) -> list[TriggerDefinition]:
        """Several triggers."""
        return [self.trigger(number) for number in range(1, self.randint(1, most) + 1)]


WORLDS = st.integers(0, 2**32).map(World)
"""Hypothesis draws the seed."""


def parsed(*conditions: dict[str, Any]) -> tuple[Condition, ...]:
    """The conditions, validated."""
    return parse_conditions(list(conditions))
