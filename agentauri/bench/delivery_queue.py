"""What ``bench delivery`` delivers: ten organizations with their secrets, webhook actions, and rows that fall due.

Rows have the size and shape of real ones: the event is one that the simulator's registry emits.
"""

# all organizations: a bench has ten

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import orjson

from agentauri.bench import load
from agentauri.bench.path import Wrong
from agentauri.channels.signatures import hmac_signer
from agentauri.models.action import ActionType, destination_of, lane_of, parse_action
from agentauri.models.event import Event
from agentauri.store import webhook_secrets
from agentauri.store.database import Connection
from agentauri.store.vault import Vault

ORGANIZATIONS = 10

ADD_SQL = """
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane,
        status, next_attempt_at, context)
    SELECT gen_random_uuid(), a.organization_id, a.trigger_id, a.id, gen_random_uuid(), n, a.action_type,
        a.destination, a.lane, 'pending', now() + make_interval(secs => $3), $4
    FROM generate_series(1, $2::int) AS n CROSS JOIN trigger_actions AS a WHERE a.id = ANY($1::uuid[])"""


@dataclass(slots=True)
class Hooks:
    """Actions whose receivers answer, and those of each run whose receivers hang; the secrets of all."""

    answering: list[UUID] = field(default_factory=list)
    hanging: list[list[UUID]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


async def make_hooks(
    connection: Connection, secret_key: str, answering: Sequence[str], hanging: Sequence[Sequence[str]]
) -> Hooks:
    """An action for each URL, its organization one of ten in turn, so that each has some of both kinds."""
    hooks, organizations, vault = Hooks(), [uuid4() for _ in range(ORGANIZATIONS)], Vault(secret_key)
    for one in organizations:
        await connection.execute("INSERT INTO organizations (id, name) VALUES ($1, 'bench')", one)
        _, secret = await webhook_secrets.create_secret(connection, vault, organization_id=one, created_by=None)
        hooks.secrets.append(secret)
    turns = cycle(organizations)
    hooks.answering = [await _make_action(connection, next(turns), url) for url in answering]
    for urls in hanging:
        hooks.hanging.append([await _make_action(connection, next(turns), url) for url in urls])
    return hooks


async def _make_action(connection: Connection, organization: UUID, url: str) -> UUID:
    trigger, action = uuid4(), uuid4()
    config = parse_action({"action_type": "rest", "config": {"url": url}}).config
    await connection.execute(
        "INSERT INTO triggers (id, organization_id, name, partition) VALUES ($1, $2, 'bench', 0)", trigger, organization
    )
    await connection.execute(
        """INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, config, destination, lane)
           VALUES ($1, $2, $3, 'rest', $4, $5, $6)""",
        action, trigger, organization, config, destination_of(organization, ActionType.REST, config),
        lane_of(ActionType.REST, config),
    )  # fmt: skip
    return action


async def add_deliveries(connection: Connection, actions: Sequence[UUID], each: int, seconds: float) -> None:
    """``each`` rows of every action, due ``seconds`` from now."""
    await connection.execute(ADD_SQL, list(actions), each, seconds, _context(), timeout=120)


def _context() -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(load.COLUMNS, load.base_events(1, load.Mix())[0], strict=True))
    row |= {"seq": 1, "block_timestamp": load.BASE_TIME, "data_json": orjson.dumps(row.pop("data"))}
    event = Event(**row)
    return {"event": event.public(), "trigger": {"id": str(uuid4()), "name": "Low score"}, "computed": {}}


def verify(requests: Sequence[str], hooks: Hooks) -> None:
    """Check the signatures of whole requests. Raises Wrong."""
    signers = [hmac_signer(secret) for secret in hooks.secrets]
    for request in requests:
        head, _, body = request.partition("\r\n\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
        if headers["webhook-signature"] not in {sign(signed) for sign in signers}:
            raise Wrong(f"a signature is wrong: {head}")
    if not requests:
        raise Wrong("no request was sampled")
