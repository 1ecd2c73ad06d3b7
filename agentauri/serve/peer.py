"""Where a request comes from: the address that our HAProxy states, or what a trusted proxy says about it.

HAProxy's launcher overwrites ``X-AgentAuri-Peer`` with the address it sees, so no client can set it. Only when that
peer is a trusted proxy is ``X-Forwarded-For`` read, from the right, up to the first address that is not trusted.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers

HEADER = "x-agentauri-peer"
FORWARDED = "x-forwarded-for"
UNKNOWN = ""
PEERS = 1_024
"""Those whose address is not read again."""


class Peers:
    """Finds client addresses; ``trusted`` are networks of proxies in CIDR form. Raises ValueError on others."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = [ip_network(network, strict=False) for network in trusted]

    def address(self, headers: Headers) -> str:
        """The client's address in its one spelling; "" when nobody vouches for one."""
        peer = _parse_peer(headers.get(HEADER, ""))
        if peer is None:
            return UNKNOWN
        hops = ",".join(headers.getlist(FORWARDED)).split(",")
        while self._is_trusted(peer) and hops:
            before = _parse(hops.pop())
            if before is None:
                break
            peer = before
        return str(peer)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])  # a zone is any text, and of the proxy's own machine
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


_parse_peer = lru_cache(PEERS)(_parse)
