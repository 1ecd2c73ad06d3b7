"""The ground of a bench: stores and a Ray cluster of its own in a temporary folder, gone when it ends.

Never touches the configured stores. The database is durable as in production: what is measured includes its fsync.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import ray

from agentauri import local
from agentauri.actors import environment
from agentauri.store import database, migrate
from agentauri.store.database import Pool

RAY_OBJECT_BYTES = 512 * 2**20
POOL_SIZE = 8


@contextmanager
def stores() -> Iterator[local.Addresses]:
    """PostgreSQL and Valkey in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="agentauri-bench-") as folder,
        local.claim(Path(folder)) as claim,
        local.stores(claim) as addresses,
    ):
        yield addresses


@asynccontextmanager
async def migrated(addresses: local.Addresses) -> AsyncIterator[Pool]:
    """A pool to a migrated database."""
    connection = await database.connect(addresses.database_url, name="bench")
    await migrate.migrate(connection)
    await connection.close()
    pool = await database.open_pool(addresses.database_url, size=POOL_SIZE, name="bench")
    try:
        yield pool
    finally:
        await pool.close()


@contextmanager
def cluster(cores: int = 2) -> Iterator[str]:
    """A local Ray cluster whose workers have the priority that they have in the service; yields a fresh namespace."""
    os.environ.update(environment.PRIORITY)
    ray.init(
        address="local",
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=RAY_OBJECT_BYTES,
    )
    try:
        yield f"bench-{uuid4().hex[:8]}"
    finally:
        ray.shutdown()
