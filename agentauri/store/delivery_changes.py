"""What changed about an organization's deliveries, for streams that miss nothing.

Transactions do not commit in the order of any clock or sequence, so a change is known by the transaction that made it
(``changed_xid``, migration 0008): a pass tells what one snapshot has not seen and a later one has. Guarantees that the
latest state of every delivery is told, each state at most once while the passes follow each other; states between two
passes are merged into the last. A position that a reader comes back with is safe but coarser: what was committed about
then may be told twice. One thing is not promised: a crash of PostgreSQL that takes asynchronous commits back (claims,
attempts) may give their numbers out again, and a reader from before the crash can miss what changed in that moment.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from agentauri.errors import InvalidRequest
from agentauri.store.database import Connection
from agentauri.store.deliveries import SHOWN, Delivery, delivery_of

POSITION = re.compile(r"(\d{1,19})(?:-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))?")
MAX_XID = 2**63 - 1
FIRST_ID = UUID(int=0)
UNKNOWN = "this position was not given out here; leave Last-Event-ID out to begin with what happens from now on."

SNAPSHOT_SQL = """
    SELECT s::text, pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint
    FROM (SELECT pg_current_snapshot()) AS now (s)"""

CHANGES_SQL = f"""
    SELECT {SHOWN}, changed_xid::text::bigint AS xid FROM deliveries
    WHERE organization_id = $1 AND changed_xid < pg_snapshot_xmax($3::text::pg_snapshot)
        AND changed_xid >= pg_snapshot_xmin($2::text::pg_snapshot)
        AND (changed_xid, id) > ($4::bigint::text::xid8, $5::uuid)
        AND NOT pg_visible_in_snapshot(changed_xid, $2::text::pg_snapshot)
        AND pg_visible_in_snapshot(changed_xid, $3::text::pg_snapshot)
    ORDER BY changed_xid, id LIMIT $6"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions had ended at a moment: all below ``lowest``, and some below ``beyond``."""

    text: str
    lowest: int
    beyond: int


@dataclass(frozen=True, slots=True)
class Position:
    """Every change before this one was told: in the order of transaction, then of delivery."""

    xid: int
    id: UUID = FIRST_ID

    def __str__(self) -> str:
        return str(self.xid) if self.id == FIRST_ID else f"{self.xid}-{self.id}"


@dataclass(frozen=True, slots=True)
class Change:
    """A delivery as it now is, and where to come back to once it was told."""

    delivery: Delivery
    position: Position


async def get_snapshot(connection: Connection) -> Snapshot:
    """Which transactions have ended by now."""
    row = await connection.fetchrow(SNAPSHOT_SQL)
    assert row is not None
    return Snapshot(*row)


def parse_position(text: str, now: Snapshot) -> Position:
    """The position of a reader that comes back. Raises InvalidRequest for one that cannot be of this database."""
    found = POSITION.fullmatch(text)
    if found is None or int(found[1]) > min(now.beyond, MAX_XID):
        raise InvalidRequest(UNKNOWN, [("/header/Last-Event-ID", UNKNOWN)])
    return Position(int(found[1]), FIRST_ID if found[2] is None else UUID(found[2]))


def all_before(position: Position) -> Snapshot:
    """The snapshot that has seen what lies before a position, and nothing else."""
    return Snapshot(f"{position.xid}:{position.xid}:", position.xid, position.xid)


class Pass:
    """The changes that ``since`` has not seen and ``until`` has, from ``start`` on, read page by page."""

    def __init__(self, organization_id: UUID, since: Snapshot, until: Snapshot, start: Position) -> None:
        self._organization_id, self._since, self.until = organization_id, since, until
        self._place = start

    async def read(self, connection: Connection, limit: int) -> list[Change]:
        """The next ``limit`` changes; fewer: the pass is at its end."""
        rows = await connection.fetch(
            CHANGES_SQL,
            self._organization_id,
            self._since.text,
            self.until.text,
            self._place.xid,
            self._place.id,
            limit,
        )
        found = []
        for row in rows:
            columns = dict(row)
            self._place = Position(columns.pop("xid"), row["id"])
            found.append(Change(delivery_of(columns.items()), self._safe(self._place)))
        return found

    def _safe(self, place: Position) -> Position:
        """Where to come back to: beyond the lowest transaction that had not ended, order says nothing."""
        return place if place.xid < self.until.lowest else Position(self.until.lowest)
