"""Who hears of actions that the system disabled: a fallback action at once, people by mail, once an hour an action.

A row is written by the database itself in the transaction that disables (migration 0014), so none is lost with a
process. The fallback's delivery takes the row's id, so telling twice changes nothing; who mails leases the row first,
and a replica that dies lets another one try again.
"""

# all organizations: what the system disables, it tells, whoever it belongs to

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.store.database import Connection
from agentauri.store.pausing import PAUSED_CODE, PAUSED_REASON

TOLD_AT_ONCE = 500
LEASE = "5 minutes"
BETWEEN_MAILS = "1 hour"
GIVEN_UP = "3 days"
"""Mails that could not be sent for so long are not sent any more: the answer of the API says it all the time."""
KEPT_DAYS = 30
MAX_RECIPIENTS = 20

TELL_SQL = f"""
    WITH open AS MATERIALIZED (
        SELECT n.* FROM disabled_actions AS n WHERE n.told_at IS NULL
        ORDER BY n.created_at LIMIT {TOLD_AT_ONCE} FOR UPDATE SKIP LOCKED),
    told AS (
        UPDATE disabled_actions AS n SET told_at = statement_timestamp() FROM open WHERE n.id = open.id)
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, type, channel, destination,
        lane, status, status_code, status_reason, context)
    SELECT n.id, n.organization_id, n.trigger_id, f.id, n.id, 0, 'action.disabled', f.action_type, f.destination,
        f.lane, CASE WHEN o.paused_at IS NULL THEN 'pending' ELSE 'held' END,
        CASE WHEN o.paused_at IS NOT NULL THEN '{PAUSED_CODE}' END,
        CASE WHEN o.paused_at IS NOT NULL THEN '{PAUSED_REASON}' END,
        jsonb_build_object('event', '{{}}'::jsonb, 'reason', n.reason,
            'trigger', jsonb_build_object('id', t.id, 'name', t.name),
            'action', jsonb_build_object('id', a.id, 'action_type', a.action_type, 'disabled_at',
                to_char(n.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
    FROM open AS n JOIN organizations AS o ON o.id = n.organization_id
    JOIN triggers AS t ON t.id = n.trigger_id JOIN trigger_actions AS a ON a.id = n.action_id
    JOIN trigger_actions AS f ON f.id::text = a.config ->> 'fallback_action_id' AND f.trigger_id = a.trigger_id
    WHERE f.enabled AND f.id <> a.id
    ON CONFLICT (id) DO NOTHING RETURNING lane"""

LEASE_SQL = f"""
    WITH ripe AS (
        SELECT DISTINCT ON (n.action_id) n.id FROM disabled_actions AS n
        WHERE n.settled_at IS NULL AND NOT EXISTS (
            SELECT FROM disabled_actions AS m WHERE m.action_id = n.action_id
                AND (m.mailed_at > statement_timestamp() - interval '{BETWEEN_MAILS}'
                    OR m.mailing_until > statement_timestamp()))
        ORDER BY n.action_id, n.created_at DESC LIMIT $1)
    UPDATE disabled_actions AS n SET mailing_until = statement_timestamp() + interval '{LEASE}'
    FROM ripe JOIN disabled_actions AS r ON r.id = ripe.id
    JOIN triggers AS t ON t.id = r.trigger_id JOIN trigger_actions AS a ON a.id = r.action_id
    JOIN organizations AS o ON o.id = r.organization_id
    WHERE n.id = ripe.id AND (n.mailing_until IS NULL OR n.mailing_until <= statement_timestamp())
    RETURNING n.id, n.action_id, n.trigger_id, n.reason, n.created_at, a.action_type, t.name AS trigger_name,
        o.name AS organization_name, NOT a.enabled AND a.disabled_by = 'system' AS is_disabled,
        ARRAY(SELECT u.email FROM members AS m JOIN users AS u ON u.id = m.user_id
            WHERE m.organization_id = o.id AND m.role IN ('owner', 'admin') AND u.email IS NOT NULL
                AND u.email_verified_at IS NOT NULL AND u.disabled_at IS NULL
            ORDER BY m.created_at, u.id LIMIT {MAX_RECIPIENTS}) AS emails"""

SETTLE_SQL = """
    UPDATE disabled_actions SET settled_at = statement_timestamp(), mailing_until = NULL,
        mailed_at = CASE WHEN id = $2 AND $4 THEN statement_timestamp() END
    WHERE action_id = $1 AND created_at <= $3 AND settled_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Disabled:
    """An action that was disabled, leased for its mails. ``is_disabled``: it still is."""

    id: UUID
    action_id: UUID
    trigger_id: UUID
    reason: str
    created_at: datetime
    action_type: str
    trigger_name: str
    organization_name: str
    is_disabled: bool
    emails: Sequence[str]


async def tell(connection: Connection) -> frozenset[str]:
    """Queue the deliveries of fallback actions that are not queued yet; returns the lanes to ring."""
    return frozenset(row["lane"] for row in await connection.fetch(TELL_SQL))


async def lease(connection: Connection, limit: int) -> list[Disabled]:
    """The newest of each action whose admins may be told now, leased for a while."""
    return [Disabled(*row) for row in await connection.fetch(LEASE_SQL, limit)]


async def settle(connection: Connection, one: Disabled, *, mailed: bool) -> None:
    """Nothing more is to be said of this, nor of what happened to the action before it."""
    await connection.execute(SETTLE_SQL, one.action_id, one.id, one.created_at, mailed)


async def prune(connection: Connection, limit: int) -> int:
    """Give up on old mails and delete what is long over; returns how many rows."""
    await connection.execute(
        f"""UPDATE disabled_actions SET settled_at = now()
            WHERE settled_at IS NULL AND created_at < now() - interval '{GIVEN_UP}'"""
    )
    done = await connection.execute(
        """DELETE FROM disabled_actions WHERE id IN (
               SELECT id FROM disabled_actions WHERE created_at < now() - make_interval(days => $1) LIMIT $2)""",
        KEPT_DAYS,
        limit,
    )
    return int(done.split()[-1])
