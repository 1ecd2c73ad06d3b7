"""The 64 partitions of triggers: ownership by token, progress by compare-and-set (protocol P13, P14)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentauri.errors import Fenced
from agentauri.store.database import Connection

TAKE_SQL = """
    UPDATE partitions SET owner = $2, owner_token = owner_token + 1, updated_at = now()
    WHERE partition = ANY($1::smallint[]) RETURNING partition, owner_token, last_seq"""

ADVANCE_SQL = """
    UPDATE partitions AS p SET last_seq = $4, updated_at = now()
    FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS mine (partition, token, previous)
    WHERE p.partition = mine.partition AND p.owner_token = mine.token AND p.last_seq = mine.previous"""


@dataclass(slots=True)
class Owned:
    """A partition in its owner's hands: the token that proves it, and how far it is."""

    partition: int
    token: int
    last_seq: int


async def take(connection: Connection, partitions: Sequence[int], owner: str) -> list[Owned]:
    """Become the owner of ``partitions``; whoever owned them before is fenced from here on."""
    rows = await connection.fetch(TAKE_SQL, list(partitions), owner)
    return sorted((Owned(*row) for row in rows), key=lambda owned: owned.partition)


async def advance(connection: Connection, owned: Sequence[Owned], last_seq: int) -> None:
    """Move progress to ``last_seq`` in the caller's transaction. Raises Fenced unless every row is still ours."""
    answer = await connection.execute(
        ADVANCE_SQL,
        [one.partition for one in owned],
        [one.token for one in owned],
        [one.last_seq for one in owned],
        last_seq,
    )
    if answer != f"UPDATE {len(owned)}":
        raise Fenced(f"{answer.removeprefix('UPDATE ')} of {len(owned)} partitions are still ours")


async def progress(connection: Connection) -> Mapping[int, int]:
    """How far every partition is."""
    return {row[0]: row[1] for row in await connection.fetch("SELECT partition, last_seq FROM partitions")}


async def reached(connection: Connection, owned: Sequence[Owned], last_seq: int) -> bool:
    """Whether every partition is still ours and stands at ``last_seq``: a commit whose answer was lost."""
    sql = """SELECT count(*) FROM partitions AS p JOIN unnest($1::smallint[], $2::bigint[]) AS mine (partition, token)
             ON p.partition = mine.partition AND p.owner_token = mine.token WHERE p.last_seq = $3"""
    tokens = [one.token for one in owned]
    found: int = await connection.fetchval(sql, [one.partition for one in owned], tokens, last_seq)
    return found == len(owned)
