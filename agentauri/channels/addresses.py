"""Which IP addresses outbound requests may reach: public ones, and networks that the operator named.

The standard library's ``is_global`` differs between Python versions, so everything that must not be reached is
listed here, and an address that carries another one inside is judged by the inner one. Pure; the guard around
connections is ``guard.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from agentauri.errors import Blocked, ConfigError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

DENIED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
)  # fmt: skip
DENIED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "3fff::/20",
        "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
MAPPED = IPv6Network("::ffff:0:0/96")
COMPATIBLE = IPv6Network("::/96")
TRANSLATED = IPv6Network("64:ff9b::/96")
SIX_TO_FOUR = IPv6Network("2002::/16")
TEREDO = IPv6Network("2001::/32")

LOW_PORTS = (80, 443)
HIGH_PORTS = range(1024, 65536)


@dataclass(frozen=True, slots=True)
class Policy:
    """What outbound connections may reach. ``allowed`` networks are let through beside public addresses."""

    allowed: tuple[Network, ...] = ()
    high_ports: range = HIGH_PORTS

    def check(self, address: str, port: int) -> None:
        """Raises Blocked, with a sentence that says what is refused, unless both may be reached."""
        if port not in LOW_PORTS and port not in self.high_ports:
            high = f", or {self.high_ports[0]} to {self.high_ports[-1]}" if self.high_ports else ""
            raise Blocked(f"port {port} may not be reached; use 80, 443{high}.")
        if not self.permits(parse_address(address)):
            raise Blocked(f"{address} is not a public address; the outbound guard refuses it.")

    def permits(self, address: Address) -> bool:
        """Whether the address, and every address inside it, is public or in an allowed network."""
        inner = inner_addresses(address)
        if inner:
            return all(self.permits(one) for one in inner)
        return any(address in network for network in self.allowed) or is_public(address)


def policy_of(networks: Iterable[str], high_ports: range = HIGH_PORTS) -> Policy:
    """The policy that lets ``networks`` through beside public ones. Raises ConfigError on one that is none."""
    try:
        return Policy(tuple(ip_network(network) for network in networks), high_ports)
    except ValueError as error:
        raise ConfigError(f"outbound.allowed_networks: {error}; write such as 127.0.0.0/8.") from error


def parse_address(text: str) -> Address:
    """An address as sockets name it. Raises Blocked on anything else, a scope id included."""
    try:
        if "%" in text:
            raise ValueError("a scope id")
        return ip_address(text)
    except ValueError as error:
        raise Blocked(f"{text} is not an IP address; the outbound guard refuses it.") from error


def inner_addresses(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address leads to or goes through; () where it carries none."""
    if isinstance(address, IPv4Address):
        return ()
    value = int(address)
    last = IPv4Address(value & 0xFFFFFFFF)
    if address in MAPPED or address in TRANSLATED or (address in COMPATIBLE and value > 1):
        return (last,)
    if address in SIX_TO_FOUR:
        return (IPv4Address(value >> 80 & 0xFFFFFFFF),)
    if address in TEREDO:
        return (IPv4Address(value >> 64 & 0xFFFFFFFF), IPv4Address(int(last) ^ 0xFFFFFFFF))
    return ()


def is_public(address: Address) -> bool:
    """Whether an address without an inner one is on no deny list and globally routable as this Python knows."""
    denied: tuple[Network, ...] = DENIED_V4 if isinstance(address, IPv4Address) else DENIED_V6
    return not any(address in network for network in denied) and address.is_global
