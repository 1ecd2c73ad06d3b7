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


def test_port_whose_holder_is_just_being_killed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        settings = config.build({"http": {"port": held.getsockname()[1]}})
        monkeypatch.setattr(ports, "_holder", lambda _: "")
        monkeypatch.setattr("agentauri.cli.ports.time.sleep", lambda _: held.close())
        ports.check(settings)


def test_port_that_nobody_is_seen_to_hold_and_nobody_lets_go_is_told(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_holder", lambda _: "")
    monkeypatch.setattr(ports, "LET_GO_SECONDS", 0.2)
    with pytest.raises(StartError, match=f"port {taken} is taken; stop that"):
        ports.check(config.build({"http": {"port": taken}}))


def test_joined_cluster_may_hold_the_ports_already(taken: int) -> None:
    settings = config.build({"http": {"port": taken}, "ray": {"address": "10.0.0.1:6379"}})
    assert list(ports.wanted(settings)) == []


def test_address_that_is_not_of_this_machine_is_told() -> None:
    reason = ports.why_not(ports.Wanted("192.0.2.77", 18_000, "AGENTAURI_HTTP__PORT"))
    assert reason is not None
    assert "192.0.2.77" in reason


def test_cluster_that_is_not_there_is_told_before_anything_is_started() -> None:
    settings = config.build({"ray": {"address": "127.0.0.1:1"}})
    with pytest.raises(StartError, match=r"no Ray cluster answers at 127.0.0.1:1 .*AGENTAURI_RAY__ADDRESS"):
        ports.check(settings)
