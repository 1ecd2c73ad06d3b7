"""A Ray cluster for the session, a namespace of its own for each test; a place for a whole service."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import ray

from agentauri import processes
from tests.support.up import Place, place

RAY_OBJECT_BYTES = 256 * 2**20


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local cluster; actors of different tests are told apart by their namespace."""
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=RAY_OBJECT_BYTES,
    )
    yield
    ray.shutdown()


@pytest.fixture
def namespace(ray_cluster: None) -> str:
    """A fresh namespace."""
    return f"test-{uuid4().hex[:8]}"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    """A place whose processes are ended whatever a test does."""
    found = place(tmp_path)
    yield found
    for folder in (found.folder, found.runtime / "ray", found.data_dir / "postgres", found.data_dir / "valkey"):
        processes.end(processes.running_in(folder))
