"""The environment of a local cluster: private, short paths, ports of its own."""

import socket
import stat
from pathlib import Path

from agentauri.actors import environment

NODE_ID = 56
SOCKET_PATH = 97
"""What HAProxy takes for the path of a unix socket, its own suffix while it binds included."""


def test_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = environment.keep_token(tmp_path / "token")
    first = file.read_text()
    assert environment.keep_token(file).read_text() == first
    assert len(first) == 2 * environment.TOKEN_BYTES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_sockets_of_a_node_stay_short_enough(tmp_path: Path) -> None:
    folder = Path("/tmp/auri-0123abcd/ray")
    found = environment.variables(folder, token=tmp_path / "token", haproxy=tmp_path / "haproxy")
    for name in ("RAY_SERVE_HAPROXY_SOCKET_PATH", "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH"):
        path = Path(found[name])
        assert len(str(path.parent / ("n" * NODE_ID) / path.name) + ".4194304.tmp") <= SOCKET_PATH


def test_second_cluster_takes_other_ports_for_its_replicas(tmp_path: Path) -> None:
    first = environment.variables(tmp_path, token=tmp_path / "token", haproxy=tmp_path / "haproxy")
    with socket.socket() as held:
        held.bind(("127.0.0.1", int(first["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"])))
        second = environment.variables(tmp_path, token=tmp_path / "token", haproxy=tmp_path / "haproxy")
    ports = [int(one["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"]) for one in (first, second)]
    assert abs(ports[1] - ports[0]) >= environment.PORT_SPAN


def test_without_haproxy_serve_stands_in_front_itself(tmp_path: Path) -> None:
    found = environment.variables(tmp_path, token=tmp_path / "token", haproxy=None)
    assert not any("HAPROXY" in name for name in found)
    assert found["RAY_AUTH_MODE"] == "token"
