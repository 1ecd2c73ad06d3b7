"""``bench engine``: the evaluator alone on one core, from rows as the listener sends them to firings.

A case has a process of its own, so that one's memory says nothing about another's. Events come from a fixed seed with
their whole JSON, and each has at least one candidate trigger. A case fails unless the firings of a sample of its
triggers are exactly those of the reference evaluator; the sample's share of events goes into the parameters.
"""

import gc
import json
import multiprocessing
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psutil

from agentauri.bench import load
from agentauri.bench.report import Case, Progress, Report
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.reference import ReferenceEvaluator
from agentauri.engine.shard import partition_of
from agentauri.errors import AgentAuriError
from agentauri.models.condition_parsing import parse_conditions
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition

RUNS = 5
EVENTS = 100_000
PAGE_EVENTS = 1_000
EVENTS_PER_SECOND = 50
"""Of block time."""

INDEXED_BAR = 100_000
MILLION_BAR = 60_000
BYTES_BAR = 1_536
UNINDEXED_BAR = 60_000
GROWTH_BAR = 2.0

SMALL, INDEXED, MILLION = 10_000, 100_000, 1_000_000
UNINDEXED = 10_000
MATCHES_AN_EVENT = 9
MEAN_DISTANCE = 50
"""Of a score from an end of its scale of 0 to 100."""
SAMPLED_TRIGGERS = 200
SAMPLED_EVENTS = 25
ORGANIZATIONS = 1_000

Conditions = list[dict[str, Any]]


class Wrong(AgentAuriError):
    """The evaluator's firings are not those of the reference."""


@dataclass
class Measured:
    """What one process found out."""

    rates: list[float] = field(default_factory=list)
    bytes_per_trigger: float = 0.0
    firings: int = 0
    checked: int = 0
    load_seconds: float = 0.0


def naming_an_agent(number: int, dice: random.Random, _: int) -> Conditions:
    """Conditions on one agent; every tenth trigger keeps an average or a rate."""
    conditions: Conditions = [{"condition_type": "agent_id_equals", "operator": "=", "value": number}]
    threshold = f"{dice.randrange(10_000) / 100:.2f}"
    if number % 10:
        conditions.append({"condition_type": "score_threshold", "operator": "<", "value": threshold})
    elif number % 20:
        conditions.append(
            {"condition_type": "rate_limit", "operator": ">", "value": 3, "config": {"time_window": "1m"}}
        )
    else:
        average = {"condition_type": "ema_threshold", "operator": "<", "value": threshold}
        conditions.append(average | {"config": {"window_size": 10}})
    return conditions


def on_every_agent(number: int, dice: random.Random, count: int) -> Conditions:
    """A score threshold on a scale so wide that an event crosses about MATCHES_AN_EVENT of ``count``."""
    beyond = dice.random() * MEAN_DISTANCE * count / MATCHES_AN_EVENT
    operator, value = ("<", 100 - beyond) if number % 2 else (">", beyond)
    return [{"condition_type": "score_threshold", "operator": operator, "value": f"{value:.6f}"}]


SHAPES: dict[str, Callable[[int, random.Random, int], Conditions]] = {
    "naming_an_agent": naming_an_agent,
    "on_every_agent": on_every_agent,
}


def definitions(shape: str, count: int) -> Iterable[dict[str, Any]]:
    """``count`` triggers of a fixed seed as the log of versions holds them."""
    dice, make = random.Random(load.SEED), SHAPES[shape]
    organizations = [str(UUID(bytes=dice.randbytes(16))) for _ in range(ORGANIZATIONS)]
    for number in range(count):
        conditions = make(number, dice, count)
        for condition in conditions:
            condition["id"] = str(UUID(bytes=dice.randbytes(16)))
        yield {
            "id": str(UUID(bytes=dice.randbytes(16))),
            "organization_id": organizations[number % ORGANIZATIONS],
            "name": f"trigger {number}",
            "chain_id": load.CHAIN_ID if number % 3 else None,
            "registry": "reputation" if number % 2 else None,
            "fire": "every",
            "cooldown_seconds": 0,
            "match_all": False,
            "conditions": [condition.wire() for condition in parse_conditions(conditions)],
            "actions": [
                {"id": str(UUID(bytes=dice.randbytes(16))), "action_type": "rest", "priority": 0, "enabled": True,
                 "notify_retraction": False},
            ],
        }  # fmt: skip


def pages(agents: int, count: int) -> list[bytes]:
    """``count`` events over that many agents, in pages of rows as they leave PostgreSQL."""
    dice, mix = random.Random(load.SEED), load.Mix(agents=agents, low_percent=10.0)
    rows: list[bytes] = []
    for seq in range(1, count + 1):
        data = json.dumps(load.feedback(dice, seq, mix)).replace("\\", "\\\\")
        columns = (
            seq, UUID(bytes=dice.randbytes(16)), load.CHAIN_ID, "reputation", "NewFeedback", dice.randrange(agents),
            "0x8004B663056A597Dffe9eCcC1965A193B7388713", seq // 100, "0x" + dice.randbytes(32).hex(),
            load.BASE_TIME + seq // EVENTS_PER_SECOND, "0x" + dice.randbytes(32).hex(), seq % 100, data,
        )  # fmt: skip
        rows.append("\t".join(map(str, columns)).encode())
    return [b"\n".join(rows[start : start + PAGE_EVENTS]) for start in range(0, count, PAGE_EVENTS)]


def _load(evaluator: PartitionEvaluator, shape: str, count: int) -> float:
    """Put the triggers in; returns the seconds that the evaluator took for it."""
    seconds = 0.0
    for raw in definitions(shape, count):
        trigger_id = UUID(raw["id"])
        began = time.perf_counter()
        failure = evaluator.apply_version(trigger_id, partition_of(trigger_id), raw)
        seconds += time.perf_counter() - began
        if failure is not None:
            raise Wrong(failure.error)
    return seconds


def measure(shape: str, count: int, runs: int = RUNS, events: int = EVENTS) -> Measured:
    """Load ``count`` triggers, run the events through them ``runs`` times, and check a sample. Raises Wrong.

    The first pass is checked and not timed; it also makes the state that counts towards the bytes of a trigger.
    """
    measured, evaluator, process = Measured(), PartitionEvaluator(), psutil.Process()
    log = pages(count, events)
    gc.collect()
    gc.disable()  # a service freezes what lives long; loading would walk it all again and again
    before = process.memory_info().rss
    measured.load_seconds = _load(evaluator, shape, count)
    gc.enable()
    gc.collect()
    gc.freeze()
    measured.checked = _check(evaluator, shape, count, log)
    gc.collect()
    measured.bytes_per_trigger = (process.memory_info().rss - before) / count
    for _ in range(runs):
        began, measured.firings = time.perf_counter(), 0
        for rows in log:
            for event in parse_rows(rows):
                measured.firings += len(evaluator.evaluate(event))
            evaluator.take_changes()
        measured.rates.append(events / (time.perf_counter() - began))
    return measured


def _check(evaluator: PartitionEvaluator, shape: str, count: int, log: Sequence[bytes]) -> int:
    """Hold the first pass to the reference; returns how many of its firings were compared."""
    whole = shape == "on_every_agent"
    first = [event.agent_id for event in parse_rows(log[0])][:SAMPLED_TRIGGERS]
    chosen = set(range(count)) if whole else set(first)
    reference = ReferenceEvaluator()
    for number, raw in enumerate(definitions(shape, count)):
        if number in chosen:
            definition = TriggerDefinition.from_json(raw)
            reference.apply_version(definition.id, definition)
    agents = None if whole else chosen
    compared = 0
    for place, event in enumerate(event for rows in log for event in parse_rows(rows)):
        found = {(one.trigger_id, one.cooled_down) for one in evaluator.evaluate(event)}
        if whole and place >= SAMPLED_EVENTS:
            continue
        found = {one for one in found if one[0] in reference.definitions}
        expected = {
            (match.trigger, match.silent)
            for match in (reference.evaluate(event) if agents is None or event.agent_id in agents else [])
        }
        if found != expected:
            raise Wrong(f"event {event.seq} fires {len(found)} sampled triggers, the reference {len(expected)}")
        compared += len(found)
    evaluator.take_changes()
    return compared


def _apart(shape: str, count: int, runs: int = RUNS) -> Measured:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, shape, count, runs).result()


def _parameters(count: int, measured: Measured) -> dict[str, Any]:
    return {
        "triggers": count,
        "events": EVENTS,
        "firings": measured.firings,
        "firings_checked": measured.checked,
        "load_seconds": round(measured.load_seconds, 1),
    }


def run(say: Progress) -> Report:
    """Measure the evaluator. Raises Wrong when its firings are not the reference's."""
    found: dict[str, Measured] = {}
    for name, shape, count in (
        ("small", "naming_an_agent", SMALL),
        ("indexed", "naming_an_agent", INDEXED),
        ("million", "naming_an_agent", MILLION),
        ("unindexed", "on_every_agent", UNINDEXED),
    ):
        say(f"{count:,} triggers {shape.replace('_', ' ')}")
        found[name] = _apart(shape, count)
        say(f"{count:,} triggers: {max(found[name].rates):,.0f} events/s at best")
    small, indexed, million, unindexed = (found[name] for name in ("small", "indexed", "million", "unindexed"))
    growth = [few / many for few, many in zip(small.rates, million.rates, strict=True)]
    matches = round(unindexed.firings / EVENTS, 1)
    memory = [million.bytes_per_trigger]
    many = _parameters(MILLION, million)
    cases = [
        Case("indexed_100k", "events/s", indexed.rates, INDEXED_BAR, parameters=_parameters(INDEXED, indexed)),
        Case("indexed_1m", "events/s", million.rates, MILLION_BAR, parameters=many),
        Case("indexed_1m_bytes_per_trigger", "bytes", memory, BYTES_BAR, lower_is_better=True, parameters=many),
        Case(
            "unindexed_10k", "events/s", unindexed.rates, UNINDEXED_BAR,
            parameters=_parameters(UNINDEXED, unindexed) | {"matches_an_event": matches},
        ),
        Case("growth_10k_1m", "times", growth, GROWTH_BAR, lower_is_better=True, parameters={"events": EVENTS}),
    ]  # fmt: skip
    return Report("engine", cases)
