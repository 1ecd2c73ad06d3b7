"""Taking deliveries for one attempt each, and taking back those whose deliverer is gone (protocol P21–P23).

A claim is one statement: it takes only rows that are due, in lanes that the claimer still leases, and leaves their
attempt rows and leases behind, by the database's clock. So whatever happens to the claimer, its rows come back when
their leases end, with an attempt spent. Claims and attempts are committed asynchronously: losing the newest of them
with the server repeats attempts, and loses none.
"""

# all organizations: a deliverer takes what is due in its lanes, whoever it is for

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from agentauri.errors import StoreError
from agentauri.models.action import ActionType
from agentauri.models.breaker import Verdict, counts
from agentauri.models.delivery import Claimed, DeliveryType, Destination
from agentauri.store import database
from agentauri.store.action_secrets import open_config
from agentauri.store.breakers import PROBE_CODE
from agentauri.store.database import Connection
from agentauri.store.pausing import PAUSED_CODE, PAUSED_REASON
from agentauri.store.places import fits, located
from agentauri.store.vault import Vault
from agentauri.store.webhook_secrets import LIVE, context_of

if TYPE_CHECKING:
    import asyncpg

DEFAULT_TIMEOUT_SECONDS = 15.0
LEASE_MARGIN_SECONDS = 5.0
"""A row's lease outlives its attempt's deadline by this much."""
DEFAULT_ATTEMPTS = 8
EXPIRED_AT_ONCE = 500

SESSION_SQL = "SET synchronous_commit = off; SET enable_seqscan = off; SET jit = off"
"""A plan that was made while the queue was empty is kept when it is long. So sequential scans are off, and statements
find rows by ``= ANY (ids)``: joined alone, an empty table is cheapest read whole, through whichever index. What says
how many are looked for is not made to seem one: then each would be looked for among all the ids."""

DISCOVER_SQL = """
    SELECT l.lane, s.destination, s.organization_id,
        extract(epoch FROM s.next_attempt_at - statement_timestamp())::float8 AS wait,
        (a.config ->> 'rate_limit_per_second')::float8 AS rate,
        coalesce((SELECT extract(epoch FROM p.paused_until - statement_timestamp()) FROM lanes AS p
            WHERE p.lane = l.lane), 0)::float8 AS pause
    FROM unnest($1::text[]) AS l (lane) CROSS JOIN LATERAL (
        WITH RECURSIVE walk AS (
            (SELECT d.destination, d.organization_id, d.next_attempt_at, d.action_id FROM deliveries AS d
            WHERE d.lane = l.lane AND d.status IN ('pending', 'retrying')
            ORDER BY d.destination, d.next_attempt_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM walk AS w CROSS JOIN LATERAL (
                SELECT d.destination, d.organization_id, d.next_attempt_at, d.action_id FROM deliveries AS d
                WHERE d.lane = l.lane AND d.status IN ('pending', 'retrying') AND d.destination > w.destination
                ORDER BY d.destination, d.next_attempt_at LIMIT 1) AS n)
        SELECT * FROM walk) AS s
    LEFT JOIN trigger_actions AS a ON a.id = s.action_id"""

CLAIM_SQL = f"""
    WITH wanted AS MATERIALIZED (
        SELECT w.lane, w.destination, CASE WHEN (
                SELECT l.owner_token = $4 AND l.lease_until > statement_timestamp()
                    AND coalesce(l.paused_until <= statement_timestamp(), true)
                FROM lanes AS l WHERE l.lane = w.lane)
            THEN w.n ELSE 0 END AS n
        FROM unnest($1::text[], $2::text[], $3::int[]) AS w (lane, destination, n)),
    due AS MATERIALIZED (
        SELECT d.* FROM wanted AS w CROSS JOIN LATERAL (
            SELECT id, organization_id, action_id, lane, destination, retracted FROM deliveries
            WHERE lane = w.lane AND destination = w.destination AND status IN ('pending', 'retrying')
                AND next_attempt_at <= statement_timestamp()
            ORDER BY next_attempt_at LIMIT w.n FOR UPDATE SKIP LOCKED) AS d),
    judged AS (
        SELECT due.id, a.action_type, a.lane, a.destination, a.config, a.updated_at AS version, a.disabled_reason,
            CASE WHEN due.retracted THEN 'retracted' WHEN a.id IS NULL THEN 'gone' WHEN NOT a.enabled THEN 'hold'
                WHEN o.paused_at IS NOT NULL THEN 'pause'
                WHEN NOT ({fits("a.lane", "due.lane")} AND {fits("a.destination", "due.destination")}) THEN 'move'
                ELSE 'send'
            END AS verdict
        FROM due JOIN organizations AS o ON o.id = due.organization_id
        LEFT JOIN trigger_actions AS a ON a.id = due.action_id),
    taken AS (
        UPDATE deliveries AS d SET
            status = CASE j.verdict WHEN 'send' THEN 'delivering' WHEN 'hold' THEN 'held' WHEN 'pause' THEN 'held'
                WHEN 'move' THEN d.status ELSE 'cancelled' END,
            status_code = CASE j.verdict WHEN 'hold' THEN 'action_disabled' WHEN 'pause' THEN '{PAUSED_CODE}'
                WHEN 'gone' THEN 'action_gone' WHEN 'retracted' THEN 'event_retracted' ELSE d.status_code END,
            status_reason = CASE j.verdict
                WHEN 'hold' THEN coalesce(j.disabled_reason, 'The action is disabled.')
                WHEN 'pause' THEN '{PAUSED_REASON}'
                WHEN 'gone' THEN 'Its trigger or action was deleted.'
                WHEN 'retracted' THEN 'A reorganisation of the chain took the event back.'
                ELSE d.status_reason END,
            lane = CASE j.verdict WHEN 'move' THEN {located("j.lane", "d.context")} ELSE d.lane END,
            destination = CASE j.verdict WHEN 'move' THEN {located("j.destination", "d.context")}
                ELSE d.destination END,
            channel = coalesce(j.action_type, d.channel),
            attempt_count = d.attempt_count + (j.verdict = 'send')::int,
            lease_token = CASE j.verdict WHEN 'send' THEN $5::uuid END,
            lease_until = CASE j.verdict WHEN 'send' THEN statement_timestamp() + make_interval(
                secs => coalesce((j.config ->> 'timeout_seconds')::float8, $6) + $7) END,
            updated_at = statement_timestamp()
        FROM judged AS j WHERE d.id = ANY (ARRAY(SELECT id FROM due)) AND d.id = j.id
        RETURNING d.id, d.organization_id, d.action_id, d.type, d.channel, d.lane, d.destination, d.attempt_count,
            d.attempt_count - d.attempt_base AS turn, d.created_at, d.next_attempt_at, d.context, j.config, j.version,
            j.verdict, d.status_code IS NOT DISTINCT FROM '{PROBE_CODE}' AS probe),
    noted AS (
        INSERT INTO delivery_attempts (delivery_id, organization_id, number, started_at, lease_token)
        SELECT id, organization_id, attempt_count, statement_timestamp(), $5::uuid FROM taken WHERE verdict = 'send'),
    keys AS MATERIALIZED (
        SELECT organization_id, array_agg(sealed ORDER BY created_at DESC, id) AS sealed FROM webhook_secrets
        WHERE organization_id IN (SELECT organization_id FROM taken) AND {LIVE} GROUP BY organization_id)
    SELECT t.*, k.sealed, statement_timestamp() AS started_at
    FROM taken AS t LEFT JOIN keys AS k USING (organization_id) ORDER BY t.next_attempt_at"""

EXPIRE_SQL = f"""
    WITH expired AS MATERIALIZED (
        SELECT d.id, d.lease_token, d.action_id, d.status_code FROM deliveries AS d
        WHERE d.status = 'delivering' AND d.lease_until < statement_timestamp()
        ORDER BY d.lease_until LIMIT $1 FOR UPDATE SKIP LOCKED),
    freed AS (
        UPDATE deliveries AS d SET
            status = CASE WHEN d.retracted THEN 'cancelled'
                WHEN d.attempt_count - d.attempt_base >= coalesce(jsonb_array_length(a.config -> 'retry'), $2)
                THEN 'dead' ELSE 'retrying' END,
            status_code = CASE WHEN d.retracted THEN 'event_retracted' ELSE 'lease_expired' END,
            status_reason = CASE WHEN d.retracted THEN 'A reorganisation of the chain took the event back.'
                ELSE 'The process that was sending it went away.' END,
            lease_token = NULL, lease_until = NULL, ambiguous = true,
            next_attempt_at = statement_timestamp(), updated_at = statement_timestamp()
        FROM expired AS e LEFT JOIN trigger_actions AS a ON a.id = e.action_id
        WHERE d.id = ANY (ARRAY(SELECT id FROM expired)) AND d.id = e.id
        RETURNING d.id, d.lane, d.attempt_count, d.retracted, e.lease_token, d.trigger_id, d.created_at,
            d.attempt_count - d.attempt_base AS turn, d.status = 'dead' AS is_last,
            e.status_code IS NOT DISTINCT FROM '{PROBE_CODE}' AS probe),
    noted AS (
        UPDATE delivery_attempts AS t SET outcome = 'timeout', error_class = 'LeaseExpired',
            error_message = 'The process that was sending it went away.',
            duration_ms = extract(epoch FROM statement_timestamp() - t.started_at) * 1000
        FROM freed AS f
        WHERE t.delivery_id = ANY (ARRAY(SELECT id FROM expired)) AND t.delivery_id = f.id
            AND t.number = f.attempt_count AND t.lease_token = f.lease_token AND t.outcome IS NULL
            AND t.started_at > statement_timestamp() - interval '1 day')
    SELECT id, lane, retracted, trigger_id, created_at, turn, is_last, probe FROM freed"""


@dataclass(frozen=True, slots=True)
class Due:
    """A destination where something waits: for how many seconds still, and at which rate it may be served.

    ``pause_seconds``: for so long its lane's server asked to be left alone; not positive: it may be asked.
    """

    destination: Destination
    organization_id: UUID
    wait_seconds: float
    rate: float | None
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim came to: deliveries to attempt now, and lanes to which rows were moved instead."""

    deliveries: tuple[Claimed, ...]
    moved_to: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expired:
    """What expired leases gave back: the lanes to look at, rows whose event is retracted (P24), and failed attempts."""

    count: int
    lanes: frozenset[str]
    retracted: tuple[UUID, ...]
    verdicts: tuple[Verdict, ...] = ()


async def connect(url: str, *, name: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection for claims and attempts alone: its commits are asynchronous. Raises StartError."""
    connection = await database.connect(url, name=name)
    return await database.prepared(connection, lambda one: one.execute(SESSION_SQL))


async def discover(connection: Connection, lanes: Sequence[str]) -> list[Due]:
    """Every destination of ``lanes`` with open rows; costs one index probe each, however many rows wait."""
    rows = await connection.fetch(DISCOVER_SQL, list(lanes))
    return [
        Due(
            Destination(row["lane"], row["destination"]), row["organization_id"], row["wait"], row["rate"], row["pause"]
        )
        for row in rows
    ]


async def claim(
    connection: Connection, vault: Vault, owner_token: UUID, wanted: Sequence[tuple[Destination, int]]
) -> Claim:
    """Take up to so many due deliveries of each destination, in lanes that ``owner_token`` leases.

    Rows of deleted or disabled actions and of paused organizations are settled instead of returned: nothing is sent
    of them, however they came to wait. One whose secrets do not open has a fault.
    """
    token = uuid4()
    rows = await connection.fetch(
        CLAIM_SQL,
        [destination.lane for destination, _ in wanted],
        [destination.name for destination, _ in wanted],
        [count for _, count in wanted],
        owner_token,
        token,
        DEFAULT_TIMEOUT_SECONDS,
        LEASE_MARGIN_SECONDS,
    )
    sent = tuple(_claimed(vault, token, row) for row in rows if row["verdict"] == "send")
    return Claim(sent, frozenset(row["lane"] for row in rows if row["verdict"] == "move"))


def _claimed(vault: Vault, token: UUID, row: "asyncpg.Record") -> Claimed:
    organization_id = row["organization_id"]
    config: dict[str, Any] = {}
    secrets: tuple[str, ...] = ()
    fault = None
    try:
        config = open_config(vault, row["action_id"], row["config"])
        context = context_of(organization_id)
        secrets = tuple(vault.open(sealed, context).decode() for sealed in row["sealed"] or ())
    except (StoreError, ValueError) as error:
        fault = str(error)
    return Claimed(
        id=row["id"],
        organization_id=organization_id,
        action_id=row["action_id"],
        type=DeliveryType(row["type"]),
        channel=ActionType(row["channel"]),
        destination=Destination(row["lane"], row["destination"]),
        attempt=row["attempt_count"],
        turn=row["turn"],
        lease_token=token,
        started_at=row["started_at"],
        created_at=row["created_at"],
        version=row["version"],
        context=row["context"],
        config=config,
        secrets=secrets,
        fault=fault,
        probe=row["probe"],
    )


async def expire(connection: Connection) -> Expired:
    """Make rows whose lease ended due again, or dead when their attempts are spent; several may do so at once.

    The caller gives the retracted ones their notices, and tells the breakers, in the same transaction.
    """
    rows = await connection.fetch(EXPIRE_SQL, EXPIRED_AT_ONCE, DEFAULT_ATTEMPTS)
    retracted = tuple(row["id"] for row in rows if row["retracted"])
    verdicts = tuple(
        Verdict(
            row["trigger_id"],
            succeeded=False,
            counts=counts(turn=row["turn"], is_last=row["is_last"]),
            probe_made_at=row["created_at"] if row["probe"] else None,
        )
        for row in rows
    )
    heard = tuple(one for one in verdicts if one.is_heard)
    return Expired(len(rows), frozenset(row["lane"] for row in rows), retracted, heard)
