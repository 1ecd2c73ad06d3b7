"""What the benches feed the path: triggers in bulk, and millions of events from a fixed seed, committed beforehand.

Events have the shapes that the simulator makes; a base of distinct ones is copied in and then multiplied inside
PostgreSQL over agents and blocks, because two million rows made in Python would take longer than the bench.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.engine.shard import partition_of
from agentauri.models.ids import TriggerId
from agentauri.models.trigger import ActionRef, TriggerDefinition, validate_trigger
from agentauri.store.database import Connection

SEED = 8004
CHAIN_ID = 31337
BASE_TIME = 1_790_000_000
INSERT_ROWS = 20_000
"""Rows of one multiplying INSERT: no live chain waits for the log's lock here, so they may be many."""

COLUMNS = (
    "id", "chain_id", "registry", "event_type", "agent_id", "contract", "block_number", "block_hash",
    "block_timestamp", "transaction_hash", "log_index", "data",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mix:
    """Agents that events are spread over, and how many in a hundred feedbacks have a score below 10."""

    agents: int = 10_000
    low_percent: float = 1.0
    in_turn: bool = False
    """One agent after the other in place of any: so many events meet every agent equally often."""


def feedback(dice: random.Random, number: int, mix: Mix) -> dict[str, Any]:
    """One NewFeedback as the real registry emits it; scores are below 10 as often as ``mix`` says."""
    low = dice.random() * 100 < mix.low_percent
    value = dice.randint(0, 999) if low else dice.randint(1000, 10_000)
    return {
        "client_address": "0x" + dice.randbytes(20).hex(),
        "feedback_index": dice.randint(1, 40),
        "value": str(value),
        "value_decimals": 2,
        "score": f"{value / 100:.2f}",
        "tag1": dice.choice(("quality", "refund", "speed", "uptime", "")),
        "tag2": dice.choice(("", "chat", "trade")),
        "endpoint": f"https://agent-{number % 97}.example/a2a",
        "feedback_uri": f"ipfs://bafkrei{dice.randbytes(26).hex()}",
        "feedback_hash": "0x" + dice.randbytes(32).hex(),
    }


def base_events(count: int, mix: Mix) -> list[tuple[Any, ...]]:
    """Distinct events of the fixed seed as rows of ``COLUMNS``."""
    dice = random.Random(SEED)
    moment = datetime.fromtimestamp(BASE_TIME, UTC)
    return [
        (
            UUID(bytes=dice.randbytes(16)), CHAIN_ID, "reputation", "NewFeedback", dice.randrange(mix.agents),
            "0x8004B663056A597Dffe9eCcC1965A193B7388713", number, "0x" + dice.randbytes(32).hex(), moment,
            "0x" + dice.randbytes(32).hex(), number % 300, feedback(dice, number, mix),
        )
        for number in range(count)
    ]  # fmt: skip


async def insert_events(connection: Connection, total: int, mix: Mix, *, base: int = 20_000, first: int = 0) -> None:
    """Commit ``total`` events: a base of distinct ones, and copies of it with other ids, agents and blocks.

    ``first``: how many there are already, of the same kind.
    """
    distinct = min(base, total)
    agent = "block_number + $1::bigint" if mix.in_turn else "agent_id + $1::bigint * 7919"
    await connection.execute("SELECT events_ensure_month($1)", datetime.fromtimestamp(BASE_TIME, UTC))
    await connection.execute(f"CREATE TEMP TABLE base AS SELECT {', '.join(COLUMNS)} FROM events WHERE false")
    await connection.copy_records_to_table("base", records=base_events(distinct, mix), columns=list(COLUMNS))
    names = ", ".join(COLUMNS)
    for start in range(first, first + total, INSERT_ROWS):
        count = min(INSERT_ROWS, first + total - start)
        await connection.execute(
            f"""INSERT INTO events ({names})
                SELECT md5(id::text || $1::bigint::text)::uuid, chain_id, registry, event_type,
                    ({agent}) % $2::bigint, contract, block_number + $1::bigint, block_hash,
                    block_timestamp + (block_number + $1::bigint) * interval '10 milliseconds', transaction_hash,
                    log_index, data FROM base ORDER BY block_number LIMIT $3""",
            start, mix.agents, count,
        )  # fmt: skip
    await connection.execute("DROP TABLE base")
    if not connection.is_in_transaction():
        await connection.execute("VACUUM (ANALYZE) events")


def low_score_of(agent: int) -> list[dict[str, Any]]:
    """Conditions: feedback of one agent below 10."""
    return [
        {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": agent},
        {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 10},
    ]


def definitions(organization: UUID, conditions: Sequence[list[dict[str, Any]]]) -> list[TriggerDefinition]:
    """A trigger with one webhook action for each list of conditions."""
    made = []
    for each in conditions:
        action = {"id": str(uuid4()), "action_type": "rest", "priority": 0, "enabled": True, "notify_retraction": False}
        fields = validate_trigger({"name": "bench", "conditions": each})
        made.append(TriggerDefinition.of(uuid4(), organization, fields, [ActionRef.from_json(action)]))
    return made


async def insert_triggers(
    connection: Connection, organization: UUID, made: Sequence[TriggerDefinition], url: str, lane: str
) -> None:
    """Commit the triggers, their actions and their versions in three statements."""
    partitions = [partition_of(TriggerId(one.id)) for one in made]
    ids = [one.id for one in made]
    stateful = [one.keeps_state for one in made]
    async with connection.transaction():
        await connection.execute("INSERT INTO organizations (id, name) VALUES ($1, 'bench')", organization)
        await connection.execute(
            """INSERT INTO triggers (id, organization_id, name, partition, is_stateful)
               SELECT id, $1, 'bench', partition, stateful
               FROM unnest($2::uuid[], $3::smallint[], $4::boolean[]) AS n (id, partition, stateful)""",
            organization, ids, partitions, stateful,
        )  # fmt: skip
        await connection.execute(
            """INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, config, destination, lane)
               SELECT id, trigger_id, $1, 'rest', $4, $5, $6
               FROM unnest($2::uuid[], $3::uuid[]) AS n (id, trigger_id)""",
            organization, [one.actions[0].id for one in made], ids, {"url": url}, f"{organization}|{url}", lane,
        )  # fmt: skip
        await connection.execute(
            """INSERT INTO trigger_versions
                   (trigger_id, from_seq, organization_id, partition, definition, keeps_state)
               SELECT trigger_id, 0, $1, partition, definition, stateful
               FROM unnest($2::uuid[], $3::smallint[], $4::jsonb[], $5::boolean[])
                   AS n (trigger_id, partition, definition, stateful)""",
            organization, ids, partitions, [one.to_json() for one in made], stateful,
        )  # fmt: skip
