"""Everything that is sealed in the database, sealed anew under the secret key of now: batch by batch, while it runs.

Each value is replaced only if it is still what was read, so whoever changes it meanwhile wins; what is done already is
passed over, so a run that was stopped is gone on with by the next. Values that live for seconds (refresh tokens in
their grace, logins under way) are left: the previous key is kept a day longer than the run.
"""

# all organizations: the secret key is the deployment's

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentauri.errors import StoreError
from agentauri.store.action_secrets import is_current, open_config, seal_config
from agentauri.store.database import Connection
from agentauri.store.vault import Vault
from agentauri.store.webhook_secrets import context_of

BATCH_ROWS = 200
NO_ACTION = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Place:
    """A table with a sealed column: its primary key, and what a row's value is sealed for."""

    name: str
    select: str
    update: str
    context: Callable[[Sequence[Any]], str]


PLACES = (
    Place(
        "webhook secrets",
        """SELECT organization_id, id, sealed FROM webhook_secrets
           WHERE (organization_id, id) > ($2, $3) AND substring(sealed FROM 2 FOR 8) <> $1
           ORDER BY organization_id, id LIMIT $4""",
        "UPDATE webhook_secrets SET sealed = $4 WHERE organization_id = $1 AND id = $2 AND sealed = $3",
        lambda key: context_of(key[0]),
    ),
    Place(
        "signing keys",
        """SELECT '' AS part, kid, sealed FROM signing_keys
           WHERE ('', kid) > ($2, $3) AND substring(sealed FROM 2 FOR 8) <> $1 ORDER BY kid LIMIT $4""",
        "UPDATE signing_keys SET sealed = $4 WHERE $1::text = '' AND kid = $2 AND sealed = $3",
        lambda key: f"signing_key:{key[1]}",
    ),
    Place(
        "kept answers",
        """SELECT caller, key, sealed FROM idempotency_keys
           WHERE (caller, key) > ($2, $3) AND substring(sealed FROM 2 FOR 8) <> $1 ORDER BY caller, key LIMIT $4""",
        "UPDATE idempotency_keys SET sealed = $4 WHERE caller = $1 AND key = $2 AND sealed = $3",
        lambda key: f"idempotency:{key[0]}",
    ),
)
"""The columns that are sealed as a whole; actions hold secrets inside their configurations."""
FIRST: dict[str, tuple[Any, Any]] = {"webhook secrets": (NO_ACTION, NO_ACTION)}

ACTIONS_SQL = """
    SELECT id, config FROM trigger_actions WHERE id > $1 ORDER BY id LIMIT $2"""
ACTION_SQL = "UPDATE trigger_actions SET config = $3 WHERE id = $1 AND config = $2"


@dataclass(slots=True)
class Tally:
    """How many values were sealed anew, and what could not be opened with any key that is set."""

    done: int = 0
    unreadable: int = 0


async def reseal(connection: Connection, vault: Vault, place: Place) -> Tally:
    """All values of one column that another key sealed. Every row is a transaction of its own."""
    tally = Tally()
    key: tuple[Any, Any] = FIRST.get(place.name, ("", ""))
    while True:
        rows = await connection.fetch(place.select, vault.key_id, *key, BATCH_ROWS)
        for row in rows:
            key = (row[0], row[1])
            try:
                plain = vault.open(row["sealed"], place.context(key))
            except StoreError:
                tally.unreadable += 1
                continue
            sealed = vault.seal(plain, place.context(key))
            done = await connection.execute(place.update, *key, row["sealed"], sealed)
            tally.done += done == "UPDATE 1"
        if len(rows) < BATCH_ROWS:
            return tally


async def reseal_actions(connection: Connection, vault: Vault) -> Tally:
    """The secrets in the configurations of actions. One that is changed meanwhile is sealed by whoever changes it."""
    tally, last = Tally(), NO_ACTION
    while True:
        rows = await connection.fetch(ACTIONS_SQL, last, BATCH_ROWS)
        for row in rows:
            last, config = row["id"], row["config"]
            if is_current(vault, config):
                continue
            try:
                fresh = seal_config(vault, last, open_config(vault, last, config))
            except (StoreError, ValueError):
                tally.unreadable += 1
                continue
            tally.done += await connection.execute(ACTION_SQL, last, config, fresh) == "UPDATE 1"
        if len(rows) < BATCH_ROWS:
            return tally
