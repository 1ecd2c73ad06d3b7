"""Ports that are taken: named with their holder and the setting that moves them."""

import os
import socket
from collections.abc import Iterator

import pytest

from agentauri import config
from agentauri.cli import ports
from agentauri.errors import StartError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_taken_port_names_its_holder_and_the_setting(taken: int) -> None:
    settings = config.build({"http": {"port": taken}})
    with pytest.raises(StartError) as caught:
        ports.check(settings)
    assert f"port {taken} is taken" in caught.value.message
    assert f"(process {os.getpid()})" in caught.value.message
    assert "AGENTAURI_HTTP__PORT" in caught.value.message


def test_dashboard_of_a_joined_cluster_needs_no_port(taken: int) -> None:
    free = config.build({"ray": {"dashboard_port": taken, "address": "10.0.0.1:6379"}})
    assert [one.variable for one in ports.wanted(free)] == ["AGENTAURI_HTTP__PORT"]


def test_address_that_is_not_of_this_machine_is_told() -> None:
    reason = ports.why_not(ports.Wanted("192.0.2.77", 18_000, "AGENTAURI_HTTP__PORT"))
    assert reason is not None
    assert "192.0.2.77" in reason
