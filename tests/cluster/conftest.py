"""A Ray cluster for the session, a namespace, database and Redis of its own for each test."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import ray

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
