"""What the demo tells: three triggers, the events that meet them, and what must therefore arrive. Pure.

The expectation is worked out here by hand-sized rules, not by the engine, so that the demo can be wrong.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

AGENTS = 3
LOW_SCORE = 60
EMA_ALPHA = 0.5
EMA_BELOW = 70


@dataclass(frozen=True, slots=True)
class Feedback:
    """One feedback: the agent's place among those that were registered, a score of 100, a tag."""

    agent: int
    score: int
    tag: str


FEEDBACK = (
    Feedback(0, 92, "quality"),
    Feedback(1, 81, "speed"),
    Feedback(0, 55, "refund"),
    Feedback(2, 97, "uptime"),
    Feedback(0, 30, "refund"),
    Feedback(1, 58, "speed"),
    Feedback(0, 88, "quality"),
    Feedback(2, 64, "uptime"),
    Feedback(0, 20, "quality"),
    Feedback(1, 99, "speed"),
)

NEW_AGENT = "New agent"
LOW = f"Score below {LOW_SCORE}"
FALLING = f"Average falls below {EMA_BELOW}"

Arrival = tuple[str, int, int | None]
"""Trigger, agent, and the score of the feedback that fired it."""


def triggers(chain_id: int, url: str) -> list[dict[str, Any]]:
    """Bodies for ``POST /api/v1/triggers``: one without state, one on every match, one on a change of an average."""
    registered = {"condition_type": "event_type_equals", "field": "event_type", "operator": "=", "value": "Registered"}
    low = {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": LOW_SCORE}
    average: dict[str, Any] = {"condition_type": "ema_threshold", "field": "score", "operator": "<", "value": EMA_BELOW}
    average["config"] = {"alpha": EMA_ALPHA}
    told = {"chain_id": chain_id, "actions": [{"action_type": "rest", "config": {"url": url}}]}
    return [
        told | {"name": NEW_AGENT, "registry": "identity", "conditions": [registered]},
        told | {"name": LOW, "registry": "reputation", "conditions": [low]},
        told | {"name": FALLING, "registry": "reputation", "fire": "on_change", "conditions": [average]},
    ]


def expected(agents: list[int]) -> Counter[Arrival]:
    """What must arrive, once each; ``agents`` are the ids that the registry gave."""
    arrivals: Counter[Arrival] = Counter((NEW_AGENT, agent, None) for agent in agents)
    average: dict[int, float] = {}
    for one in FEEDBACK:
        agent, before = agents[one.agent], average.get(one.agent)
        now = one.score if before is None else EMA_ALPHA * one.score + (1 - EMA_ALPHA) * before
        average[one.agent] = now
        if one.score < LOW_SCORE:
            arrivals[LOW, agent, one.score] += 1
        if now < EMA_BELOW and (before is None or before >= EMA_BELOW):
            arrivals[FALLING, agent, one.score] += 1
    return arrivals


def arrival(body: dict[str, Any]) -> Arrival:
    """What a delivery's body says about itself."""
    event = body["data"]["event"]
    return body["data"]["trigger"]["name"], event["agent_id"], event["data"].get("score")
