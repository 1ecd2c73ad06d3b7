"""The 64 partitions of triggers: ownership by token, progress by compare-and-set (protocol P13, P14)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg

from agentauri.errors import Fenced
from agentauri.store.database import Connection

TAKE_SQL = """
    UPDATE partitions SET owner = $2, owner_token = owner_token + 1, updated_at = now()
    WHERE partition = ANY($1::smallint[]) RETURNING partition, owner_token, last_seq"""

FENCED = "AUF01"
"""SQLSTATE with which ``partitions_advance`` ends a statement."""


@dataclass(slots=True)
class Owned:
    """A partition in its owner's hands: the token that proves it, and how far it is.

    ``stored_seq`` is how far the database knows it to be: below ``last_seq`` only for events that came to nothing.
    """

    partition: int
    token: int
    last_seq: int
    stored_seq: int = -1

    def __post_init__(self) -> None:
        if self.stored_seq < 0:
            self.stored_seq = self.last_seq


async def take(connection: Connection, partitions: Sequence[int], owner: str) -> list[Owned]:
    """Become the owner of ``partitions``; whoever owned them before is fenced from here on."""
    rows = await connection.fetch(TAKE_SQL, list(partitions), owner)
    return sorted((Owned(*row) for row in rows), key=lambda owned: owned.partition)


Columns = tuple[list[int], list[int], list[int], int]


def advance_columns(owned: Sequence[Owned], last_seq: int) -> Columns:
    """Arguments of the SQL function ``partitions_advance``."""
    return [one.partition for one in owned], [one.token for one in owned], [one.stored_seq for one in owned], last_seq


@contextmanager
def fencing() -> Iterator[None]:
    """Raises Fenced where a statement found a partition in another's hands, or not where it was."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate == FENCED:
            raise Fenced(str(error)) from error
        raise


async def advance(connection: Connection, owned: Sequence[Owned], last_seq: int) -> None:
    """Move progress to ``last_seq``. Raises Fenced, and moves nothing, unless every row is still ours."""
    with fencing():
        await connection.execute("SELECT partitions_advance($1, $2, $3, $4)", *advance_columns(owned, last_seq))


async def check_ours(connection: Connection, owned: Sequence[Owned]) -> None:
    """Raise Fenced unless the database has every partition as we know it: ours, and where we left it."""
    sql = """SELECT count(*) FROM partitions AS p
             JOIN unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS mine (partition, token, seq)
             ON p.partition = mine.partition AND p.owner_token = mine.token AND p.last_seq = mine.seq"""
    ids, tokens, stored, _ = advance_columns(owned, 0)
    if await connection.fetchval(sql, ids, tokens, stored) != len(owned):
        raise Fenced("the database is not as it was left; was it restored?")


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
