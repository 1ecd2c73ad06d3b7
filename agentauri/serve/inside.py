"""Keeps off the network what Serve opens in each replica for calls by other deployments and by its own proxy.

It listens on every address of the machine, on any port, and unpickles what it is sent; only the cluster's token stands
before that. On a cluster of our own, which is one machine, it listens on loopback. On one that we join, other nodes may
have to reach it, and the network is its owner's business.
A Ray of another form stops the replica: better no API than one that listens where nobody looks.
"""

from typing import Any

from ray.serve._private import replica

ANYWHERE, INSIDE = "[::]:0", "127.0.0.1:0"
REPLICA: Any = replica


def stay_inside() -> None:
    """Have the server of this replica, which Serve starts after the constructor, listen on loopback."""
    listen = REPLICA.add_port_to_grpc_server

    def listen_inside(server: Any, address: str) -> int:
        if address not in (ANYWHERE, INSIDE):
            raise RuntimeError(f"Serve wants to listen on {address}, not {ANYWHERE}; this Ray is too new.")
        port: int = listen(server, INSIDE)
        return port

    REPLICA.add_port_to_grpc_server = listen_inside
