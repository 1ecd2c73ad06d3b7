"""The deny lists against an independent statement of them, and addresses that carry others inside."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.addresses import DENIED_V4, Policy, policy_of
from agentauri.errors import Blocked, ConfigError

OPEN = Policy()
V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
NEAR_EDGES = st.sampled_from(DENIED_V4).flatmap(
    lambda network: st.sampled_from([int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1]).map(
        lambda value: IPv4Address(value % 2**32)
    )
)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "168.63.129.16", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:808:808::80ff:fffe",
        "2001:0:a00:1::f7f7:f7f7", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
        "fe80::1%eth0", "localhost", "2130706433", "0x7f.1", "127.1", "",
    ],
)  # fmt: skip
def test_address_that_is_not_public_is_blocked(address: str) -> None:
    with pytest.raises(Blocked):
        OPEN.check(address, 443)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "168.63.129.17",
        "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:0:808:808::f7f7:f7f7",
    ],
)  # fmt: skip
def test_public_address_passes(address: str) -> None:
    OPEN.check(address, 443)


@pytest.mark.parametrize("port", [80, 443, 1024, 65535])
def test_port_that_may_be_reached(port: int) -> None:
    OPEN.check("1.1.1.1", port)


@pytest.mark.parametrize("port", [0, 22, 25, 81, 1023])
def test_port_that_may_not_be_reached(port: int) -> None:
    with pytest.raises(Blocked):
        OPEN.check("1.1.1.1", port)


@given(V4 | NEAR_EDGES)
def test_no_denied_address_is_permitted_in_any_disguise(address: IPv4Address) -> None:
    value = int(address)
    denied = any(address in IPv4Network(str(network)) for network in DENIED_V4)
    disguises: list[IPv4Address | IPv6Address] = [
        address,
        IPv6Address(0xFFFF << 32 | value),
        IPv6Address(0x64FF9B << 96 | value),
        IPv6Address(0x2002 << 112 | value << 80 | 1),
        IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | value ^ 0xFFFFFFFF),
        IPv6Address(0x20010000 << 96 | value << 64 | 0x08080808 ^ 0xFFFFFFFF),
    ]
    verdicts = {OPEN.permits(one) for one in disguises}
    assert len(verdicts) == 1
    assert not (denied and verdicts == {True})


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_allowed_networks_only_ever_add(address: IPv6Address) -> None:
    assert policy_of(["::/1", "127.0.0.0/8"]).permits(address) >= OPEN.permits(address)


def test_allowed_network_is_let_through_alone() -> None:
    policy = policy_of(["127.0.0.0/8", "::1/128"])
    policy.check("127.0.0.1", 8080)
    policy.check("::1", 8080)
    policy.check("::ffff:127.0.0.1", 8080)
    for address in ("10.0.0.1", "::", "0.0.0.0"):
        with pytest.raises(Blocked):
            policy.check(address, 8080)


@pytest.mark.parametrize(
    ("ports", "let_through", "refused"),
    [(range(8000, 9001), (80, 443, 8000, 9000), (7999, 9001)), (range(0), (80, 443), (1024, 65535))],
)
def test_high_ports_are_those_that_the_operator_names(
    ports: range, let_through: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    policy = policy_of(["127.0.0.0/8"], ports)
    for port in let_through:
        policy.check("127.0.0.1", port)
    for port in refused:
        with pytest.raises(Blocked, match=f"port {port} may not be reached; use 80, 443"):
            policy.check("127.0.0.1", port)


def test_network_that_is_none_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="allowed_networks"):
        policy_of(["127.0.0.1/8"])
