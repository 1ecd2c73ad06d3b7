"""The client's address comes from our proxy, and from others only if they are trusted."""

import pytest
from starlette.datastructures import Headers

from agentauri.serve.peer import Peers


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"x-agentauri-peer": "198.51.100.7"}, "198.51.100.7"),
        ({"x-agentauri-peer": "::ffff:198.51.100.7"}, "198.51.100.7"),
        ({"x-agentauri-peer": "198.51.100.7", "x-forwarded-for": "1.2.3.4"}, "198.51.100.7"),
        ({"x-agentauri-peer": "10.0.0.1", "x-forwarded-for": "1.2.3.4"}, "1.2.3.4"),
        ({"x-agentauri-peer": "10.0.0.1", "x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.0.0.2"}, "1.2.3.4"),
        ({"x-agentauri-peer": "10.0.0.1", "x-forwarded-for": "6.6.6.6, nonsense"}, "10.0.0.1"),
        ({"x-agentauri-peer": "10.0.0.1"}, "10.0.0.1"),
        ({"x-agentauri-peer": "10.0.0.1", "x-forwarded-for": "10.0.0.3"}, "10.0.0.3"),
        ({"x-forwarded-for": "1.2.3.4"}, ""),
        ({"x-agentauri-peer": "10.0.0.1", "x-forwarded-for": 'fe80::1%any "text"'}, "fe80::1"),
        ({"x-agentauri-peer": "nonsense"}, ""),
    ],
)
def test_the_address_is_the_first_from_the_right_that_is_not_a_trusted_proxy(
    headers: dict[str, str], address: str
) -> None:
    assert Peers(["10.0.0.0/8"]).address(Headers(headers)) == address
