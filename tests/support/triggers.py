"""Triggers for tests of the path: rows and versions as the API writes them, without the API."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from agentauri.engine.shard import partition_of
from agentauri.models.ids import TriggerId
from agentauri.models.trigger import ActionRef, TriggerDefinition, validate_trigger
from agentauri.store import log, trigger_starts
from agentauri.store.database import Connection

LOW_SCORE = {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 60}
EMA_LOW = {
    "condition_type": "ema_threshold", "field": "score", "operator": "<", "value": 70, "config": {"alpha": 0.5},
}  # fmt: skip
BURST = {
    "condition_type": "rate_limit", "operator": ">", "value": 3,
    "config": {"time_window": "30s", "reset_on_trigger": True},
}  # fmt: skip


async def make_organization(connection: Connection) -> UUID:
    """An organization without members."""
    sql = "INSERT INTO organizations (id, name) VALUES (gen_random_uuid(), 'Test') RETURNING id"
    identity: UUID = await connection.fetchval(sql)
    return identity


async def make_trigger(
    connection: Connection,
    organization: UUID,
    conditions: Sequence[dict[str, Any]],
    *,
    trigger_id: UUID | None = None,
    url: str = "http://127.0.0.1:9/hook",
    actions: int = 1,
    action_config: dict[str, Any] | None = None,
    after: int | None = None,
    first_block: int | None = None,
    **fields: Any,
) -> TriggerDefinition:
    """A trigger with ``actions`` webhook actions, in force from now on, or to begin ``after`` that seq."""
    identity = trigger_id or uuid4()
    checked = validate_trigger({"name": "test", "conditions": list(conditions)} | fields)
    refs = [ActionRef.from_json({
        "id": str(uuid4()), "action_type": "rest", "priority": number, "enabled": True, "notify_retraction": False,
    }) for number in range(actions)]  # fmt: skip
    definition = TriggerDefinition.of(identity, organization, checked, refs)
    partition = partition_of(TriggerId(identity))
    async with connection.transaction():
        await connection.execute(
            """INSERT INTO triggers (id, organization_id, name, partition, is_stateful) VALUES ($1, $2, 'test', $3, $4)
               ON CONFLICT (id) DO NOTHING""",
            identity, organization, partition, definition.is_stateful,
        )  # fmt: skip
        for ref in refs:
            config = {"url": url} | (action_config or {})
            await connection.execute(
                """INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, priority, config,
                   destination, lane) VALUES ($1, $2, $3, 'rest', $4, $5, $6, '127.0.0.1')""",
                ref.id, identity, organization, ref.priority, config, f"{organization}|{url}",
            )  # fmt: skip
        if after is None:
            await put_version(connection, definition)
            return definition
        await trigger_starts.begin(
            connection, trigger_id=identity, organization_id=organization, partition=partition,
            definition=definition.to_json(), after_seq=after, first_block=first_block, head=await log.head(connection),
        )  # fmt: skip
    return definition


async def put_version(connection: Connection, definition: TriggerDefinition) -> None:
    """Write ``definition`` into the log of versions."""
    await connection.execute(
        """INSERT INTO trigger_versions (trigger_id, from_seq, organization_id, partition, definition, keeps_state)
           VALUES ($1, 0, $2, $3, $4, $5)""",
        definition.id, definition.organization_id, partition_of(TriggerId(definition.id)), definition.to_json(),
        definition.keeps_state,
    )  # fmt: skip


async def end_trigger(connection: Connection, definition: TriggerDefinition) -> None:
    """Write that the trigger is off from here on."""
    await connection.execute(
        """INSERT INTO trigger_versions (trigger_id, from_seq, organization_id, partition, definition, keeps_state)
           VALUES ($1, 0, $2, $3, NULL, false)""",
        definition.id, definition.organization_id, partition_of(TriggerId(definition.id)),
    )  # fmt: skip
