"""A queue for tests: an organization with its secret, actions and deliveries, as the API and evaluators leave them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from agentauri.models.action import ActionType, destination_of, lane_of, parse_action
from agentauri.models.delivery import Claimed
from agentauri.store import claims, webhook_secrets
from agentauri.store.action_secrets import seal_config
from agentauri.store.database import Connection
from agentauri.store.firings import INSERT_SQL
from agentauri.store.vault import Vault

SECRET_KEY = "k" * 32
URL = "https://hooks.example.com/a"
LANE = "host:hooks.example.com"
"""Where deliveries to that address wait."""
EVENT = {
    "id": "6b0f1f0e-0000-4000-8000-000000000001",
    "seq": 7,
    "chain_id": 31337,
    "registry": "reputation",
    "event_type": "NewFeedback",
    "agent_id": 42,
    "contract": "0x5FC8d32690cc91D4c39d9d3abcBD16989F875707",
    "block_number": 12,
    "block_hash": "0x" + "ab" * 32,
    "block_timestamp": "2026-11-23T08:00:00Z",
    "transaction_hash": "0x" + "cd" * 32,
    "log_index": 0,
    "data": {"score": 59.5, "tag1": "quality", "tag2": "", "client_address": "0x" + "11" * 20, "value": "595"},
}


@dataclass
class Queue:
    """One organization's part of the queue."""

    organization: UUID
    secret: str
    vault: Vault = field(default_factory=lambda: Vault(SECRET_KEY))

    async def add_action(self, connection: Connection, url: str, **config: Any) -> UUID:
        """A trigger with one webhook action; returns the action's id."""
        return await self.add_action_of(connection, ActionType.REST, url=url, **config)

    async def add_action_of(self, connection: Connection, kind: ActionType, **config: Any) -> UUID:
        """A trigger with one action of this type; returns the action's id."""
        trigger, action = uuid4(), uuid4()
        spec = parse_action({"action_type": kind.value, "config": config})
        await connection.execute(
            "INSERT INTO triggers (id, organization_id, name, partition) VALUES ($1, $2, 'Low score', 0)",
            trigger,
            self.organization,
        )
        await connection.execute(
            """INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, config, destination, lane)
               VALUES ($1, $2, $3, $7, $4, $5, $6)""",
            action,
            trigger,
            self.organization,
            seal_config(self.vault, action, spec.config),
            destination_of(self.organization, kind, spec.config),
            lane_of(kind, spec.config),
            kind.value,
        )
        return action

    async def add_deliveries(
        self, connection: Connection, action: UUID, count: int = 1, event: dict[str, Any] | None = None
    ) -> list[UUID]:
        """``count`` pending deliveries of an action, due now; returns their ids."""
        trigger = await connection.fetchval("SELECT trigger_id FROM trigger_actions WHERE id = $1", action)
        ids = [uuid4() for _ in range(count)]
        context = {
            "event": event or EVENT,
            "trigger": {"id": str(trigger), "name": "Low score"},
            "computed": {"1": {"ema": 61.5}},
        }
        columns = (ids, [trigger] * count, [action] * count, [uuid4() for _ in ids], [7] * count, [context] * count)
        await connection.execute(INSERT_SQL, *columns)
        return ids


async def make_queue(connection: Connection) -> Queue:
    """A fresh organization with one webhook secret."""
    organization = uuid4()
    await connection.execute("INSERT INTO organizations (id, name) VALUES ($1, 'Test')", organization)
    vault = Vault(SECRET_KEY)
    _, secret = await webhook_secrets.create_secret(connection, vault, organization_id=organization, created_by=None)
    return Queue(organization, secret, vault)


async def claim(connection: Any, queue: Queue, token: UUID, count: int = 100) -> list[Claimed]:
    """What a deliverer gets of the lane when it asks for ``count`` of each destination."""
    wanted = [(one.destination, count) for one in await claims.discover(connection, [LANE])]
    return list((await claims.claim(connection, queue.vault, token, wanted)).deliveries)
