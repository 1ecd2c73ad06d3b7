"""The embedded stores: data that stay, runs that do not meet, crashes that are cleaned up after."""

import asyncio
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import redis

from agentauri import local, local_home, processes
from agentauri.errors import StartError
from agentauri.local_postgres import Postgres
from agentauri.processes import unheard
from tests.support.waiting import until


def query(url: str, sql: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def is_zombie(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_ZOMBIE)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Deep, so that a socket in it would have too long a path."""
    return tmp_path / ("d" * 60) / ("e" * 60)


def test_data_are_there_at_the_next_start_and_sockets_are_private(data_dir: Path) -> None:
    for count in (1, 2):
        with local.claim(data_dir) as claim, local.stores(claim, durable=False) as addresses:
            query(addresses.database_url, f"CREATE TABLE kept_{count} ()")
            assert query(addresses.database_url, "SELECT count(*) FROM pg_tables WHERE tablename ~ '^kept'") == count
            with redis.Redis.from_url(addresses.redis_url) as client:
                assert client.incr("kept") == count
            sockets = local_home.runtime_folder(data_dir)
            assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert not sockets.exists()


def test_log_does_not_hold_the_values_of_refused_rows(data_dir: Path) -> None:
    with local.claim(data_dir) as claim, local.stores(claim, durable=False) as addresses:
        query(addresses.database_url, "CREATE TABLE people (email text UNIQUE)")
        insert = partial(query, addresses.database_url)
        insert("INSERT INTO people SELECT 'ada@' || 'example.com'")
        with pytest.raises(asyncpg.UniqueViolationError, match="unique constraint"):
            insert("INSERT INTO people SELECT 'ada@' || 'example.com'")
    logged = "".join(path.read_text(errors="replace") for path in data_dir.rglob("*.log"))
    assert "violates unique constraint" in logged
    assert "ada@example.com" not in logged


def test_second_run_on_the_same_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with local.claim(tmp_path):
        with pytest.raises(
            StartError, match=rf"another agentauri \(process {os.getpid()}\) runs in {tmp_path}; stop it"
        ):
            with local.claim(tmp_path):
                pass
    with local.claim(tmp_path):
        pass


def test_folder_that_cannot_be_written_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="set AGENTAURI_DATA_DIR"):
        with local.claim(tmp_path / "file" / "data"):
            pass


def test_servers_that_were_killed_come_back_with_what_was_committed(data_dir: Path) -> None:
    said: list[str] = []
    with local.claim(data_dir) as claim, local.stores(claim, durable=False, say=said.append) as addresses:
        query(addresses.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        for server in addresses.servers:
            (ours,) = (one for one in processes.running_in(server.folder) if one.ppid() == os.getpid())
            ours.send_signal(signal.SIGKILL)
            until(partial(is_zombie, ours))
        addresses.revive()
        assert query(addresses.database_url, "SELECT n FROM kept") == 7
        with redis.Redis.from_url(addresses.redis_url) as client:
            assert client.ping()
    assert [line.partition(" ended by itself")[0] for line in said] == ["embedded PostgreSQL", "embedded Valkey"]


def test_only_the_store_without_an_address_is_started(data_dir: Path) -> None:
    with local.claim(data_dir) as claim, local.stores(claim, database_url="postgresql://elsewhere") as addresses:
        assert addresses.database_url == "postgresql://elsewhere"
        assert [server.what for server in addresses.servers] == ["embedded Valkey"]


def test_broken_off_first_start_is_begun_anew(data_dir: Path) -> None:
    half = data_dir / "postgres.part"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with local.claim(data_dir) as claim, local.stores(claim, redis_url="redis://x", durable=False) as addresses:
        assert query(addresses.database_url, "SELECT 1") == 1
    assert not half.exists()


def test_process_id_that_was_recycled_stops_no_start(data_dir: Path) -> None:
    with local.claim(data_dir) as claim:
        with local.stores(claim, redis_url="redis://x", durable=False):
            pass
        stranger = psutil.Process().ppid()
        (data_dir / "postgres" / "postmaster.pid").write_text(f"{stranger}\n{data_dir}/postgres\n1\n5432\n")
        with local.stores(claim, redis_url="redis://x", durable=False) as addresses:
            assert query(addresses.database_url, "SELECT 1") == 1


def test_data_of_another_major_version_are_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with local.claim(data_dir) as claim, pytest.raises(StartError, match="made by PostgreSQL 17, installed is 18"):
        with local.stores(claim, redis_url="redis://x"):
            pass


@pytest.fixture
def state_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory that an unprivileged user can reach, as /var/lib is."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o711)
    monkeypatch.setattr(local_home, "STATE_DIRECTORY", folder / "agentauri")
    monkeypatch.setattr("agentauri.local_postgres.STATE_DIRECTORY", folder / "agentauri")
    yield folder / "agentauri"
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to be hidden from PostgreSQL")
def test_root_without_user_namespaces_moves_into_the_state_directory(data_dir: Path, state_directory: Path) -> None:
    said: list[str] = []
    home = local_home.choose(data_dir, said.append, namespaces=False)
    assert home.folder.parent == state_directory
    assert len(said) == 1
    assert f"the embedded stores live in {home.folder}, PostgreSQL as user" in said[0]
    server = Postgres(home, unheard, durable=False)
    server.start()
    try:
        assert query(server.url, "SELECT 1") == 1
        assert {process.uids().real for process in processes.running_in(server.folder)} == {home.user}
    finally:
        server.stop()
