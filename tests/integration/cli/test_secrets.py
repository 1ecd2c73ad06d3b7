"""Rotation of the secret key: everything opens under the new one, whatever happens meanwhile, and nothing is lost."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agentauri.cli import secrets
from agentauri.config import Settings
from agentauri.errors import StoreError
from agentauri.store import resealing, webhook_secrets
from agentauri.store.action_secrets import open_config, seal_config
from agentauri.store.database import Connection, Pool
from agentauri.store.resealing import PLACES
from agentauri.store.vault import Vault
from tests.integration.cli.conftest import Cli
from tests.support.queue import SECRET_KEY as OLD
from tests.support.queue import Queue, make_queue

NEW = "n" * 32
HEADERS = {"Authorization": "Bearer s3cr3t"}


def settings_of(database: str, key: str = NEW, previous: tuple[str, ...] = (OLD,)) -> Settings:
    given = {"secret_key": key, "previous_secret_keys": previous, "stores": {"database_url": database}}
    return Settings.model_validate(given)


async def make(connection: Connection, count: int = 3) -> tuple[Queue, list[UUID]]:
    queue = await make_queue(connection)
    actions = [
        await queue.add_action(connection, f"http://127.0.0.1:{9000 + number}/", headers=HEADERS)
        for number in range(count)
    ]
    vault = Vault(OLD)
    await connection.execute(
        """INSERT INTO signing_keys (kid, public, sealed, signs_from, signs_until, expires_at)
           VALUES ('kid-1', '{}', $1, now(), now(), now())""",
        vault.seal(b"private", "signing_key:kid-1"),
    )
    await connection.execute(
        """INSERT INTO idempotency_keys (caller, key, request, status, media_type, sealed)
           VALUES ('me', 'k', ''::bytea, 200, 'application/json', $1)""",
        vault.seal(b"answer", "idempotency:me"),
    )
    return queue, actions


async def assert_opens_with_new_alone(connection: Connection, queue: Queue, actions: list[UUID]) -> None:
    vault = Vault(NEW)
    (sealed,) = await webhook_secrets.list_sealed(connection, queue.organization)
    assert vault.open(sealed, webhook_secrets.context_of(queue.organization)).decode() == queue.secret
    assert vault.open(await connection.fetchval("SELECT sealed FROM signing_keys"), "signing_key:kid-1") == b"private"
    assert vault.open(await connection.fetchval("SELECT sealed FROM idempotency_keys"), "idempotency:me") == b"answer"
    for action in actions:
        config = await connection.fetchval("SELECT config FROM trigger_actions WHERE id = $1", action)
        assert open_config(vault, action, config)["headers"] == HEADERS


async def test_everything_opens_with_the_new_key_alone(database: str, pool: Pool) -> None:
    async with pool.acquire() as connection:
        queue, actions = await make(connection)
        assert await asyncio.to_thread(secrets.rotate, settings_of(database))
        await assert_opens_with_new_alone(connection, queue, actions)


async def test_every_sealed_column_of_the_schema_is_known(pool: Pool) -> None:
    found = await pool.fetch(
        """SELECT table_name FROM information_schema.columns
           WHERE table_schema = 'public' AND column_name = 'sealed' ORDER BY 1"""
    )
    text = " ".join(place.select for place in PLACES)
    assert [row[0] for row in found] == ["idempotency_keys", "signing_keys", "webhook_secrets"]
    assert all(f"FROM {row[0]}" in text for row in found)


async def test_run_that_stopped_is_gone_on_with_and_what_is_done_is_passed_over(
    database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "BATCH_ROWS", 2)
    async with pool.acquire() as connection:
        queue, actions = await make(connection, 5)
        vault = Vault(NEW, [OLD])
        config = await connection.fetchval("SELECT config FROM trigger_actions WHERE id = $1", actions[0])
        fresh = seal_config(vault, actions[0], open_config(vault, actions[0], config))
        await connection.execute("UPDATE trigger_actions SET config = $2 WHERE id = $1", actions[0], fresh)
        assert (await resealing.reseal_actions(connection, vault)).done == 4
        assert (await resealing.reseal_actions(connection, vault)).done == 0
        assert await connection.fetchval("SELECT config FROM trigger_actions WHERE id = $1", actions[0]) == fresh
        assert await asyncio.to_thread(secrets.rotate, settings_of(database))
        await assert_opens_with_new_alone(connection, queue, actions)


class Late:
    """A connection before whose first write somebody else changes the action."""

    def __init__(self, connection: Connection, pool: Pool, action: UUID, config: dict[str, Any]) -> None:
        self._connection, self._pool = connection, pool
        self._change: tuple[Any, ...] | None = (action, config)

    async def fetch(self, *args: Any) -> Any:
        return await self._connection.fetch(*args)

    async def execute(self, *args: Any) -> Any:
        change, self._change = self._change, None
        if change:
            await self._pool.execute("UPDATE trigger_actions SET config = $2 WHERE id = $1", *change)
        return await self._connection.execute(*args)


async def test_change_that_comes_between_reading_and_writing_wins(pool: Pool) -> None:
    async with pool.acquire() as connection:
        _, (action,) = await make(connection, 1)
        vault = Vault(NEW, [OLD])
        changed = seal_config(Vault(OLD), action, {"url": "https://example.com/", "headers": {"Authorization": "new"}})
        late: Any = Late(connection, pool, action, changed)
        assert (await resealing.reseal_actions(late, vault)).done == 0
        assert (await resealing.reseal_actions(late, vault)).done == 1
        config = await connection.fetchval("SELECT config FROM trigger_actions WHERE id = $1", action)
        assert open_config(Vault(NEW), action, config)["headers"] == {"Authorization": "new"}


async def test_service_opens_old_and_new_while_the_rotation_is_due(pool: Pool) -> None:
    async with pool.acquire() as connection:
        queue, _ = await make(connection, 1)
        (sealed,) = await webhook_secrets.list_sealed(connection, queue.organization)
    context = webhook_secrets.context_of(queue.organization)
    assert Vault(NEW, [OLD]).open(sealed, context).decode() == queue.secret
    with pytest.raises(StoreError):
        Vault(NEW).open(sealed, context)


async def test_what_no_key_opens_is_told_and_left(database: str, pool: Pool, cli: Cli, tmp_path: Path) -> None:
    async with pool.acquire() as connection:
        await make(connection)
    (tmp_path / "agentauri.toml").write_text(
        f"secret_key = {json.dumps(NEW)}\n[stores]\ndatabase_url = {json.dumps(database)}\n"
    )
    ended = await cli("secrets", "rotate")
    assert ended.status == 1
    assert "6 cannot be opened" in ended.err
    assert NEW not in ended.err + ended.out
