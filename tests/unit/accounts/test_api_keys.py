"""API keys: their form tells typing mistakes apart from keys, and an allow list is what it says."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts.api_keys import (
    BASE62,
    MAPPED,
    NETWORK,
    Environment,
    is_allowed,
    is_well_formed,
    make_key,
    parse_network,
)


@pytest.mark.parametrize("environment", Environment)
def test_new_key_has_the_form_of_keys_and_says_its_environment(environment: Environment) -> None:
    made = make_key(environment)
    assert is_well_formed(made.text)
    assert made.text.startswith(f"aur_{environment}_")
    assert made.text.startswith(made.prefix)
    assert len(made.sha256) == 32
    assert make_key(environment).text != made.text


@given(st.integers(0, 46), st.sampled_from(BASE62))
def test_one_wrong_character_is_noticed(place: int, character: str) -> None:
    text = make_key(Environment.LIVE).text
    changed = text[:place] + character + text[place + 1 :]
    assert is_well_formed(changed) == (changed == text)


@pytest.mark.parametrize("text", ["", "aur_live_", "aurr_" + "x" * 43, "aur_live_" + "0" * 38 + "\n"])
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_well_formed(text)


def test_address_or_network_comes_back_in_its_one_spelling() -> None:
    assert parse_network("203.0.113.7/24") == "203.0.113.0/24"
    assert parse_network("2001:DB8::1") == "2001:db8::1/128"
    assert parse_network("::/0") == "::/0"
    for wrong in ("", "300.1.1.1", "10.0.0.0/40", "10.0.0.0/255.0.0.0", " 10.0.0.1", "fe80::1%eth0", "1::2::3", "a.b"):
        with pytest.raises(ValueError, match="IP address"):
            parse_network(wrong)


def test_ipv4_written_as_ipv6_is_ipv4_for_so_callers_are_known() -> None:
    for text in ("::ffff:203.0.113.7", "::ffff:cb00:7107", "203.0.113.7"):
        assert parse_network(text) == "203.0.113.7/32"
    assert parse_network("::ffff:203.0.113.7/120") == "203.0.113.0/24"
    assert parse_network("::ffff:0:0/96") == "0.0.0.0/0"
    assert parse_network("::ffff:0:0/95") == "::fffe:0:0/95"


@given(address=st.ip_addresses().filter(lambda one: one not in MAPPED), data=st.data())
def test_every_address_and_network_is_read(address: IPv4Address | IPv6Address, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, address.max_prefixlen))
    assert parse_network(address.exploded) == parse_network(str(address)) == f"{address}/{address.max_prefixlen}"
    assert parse_network(f"{address}/{length}") == str(ip_network(f"{address}/{length}", strict=False))


@given(text=st.from_regex(NETWORK, fullmatch=True))
def test_what_the_pattern_lets_through_is_a_network(text: str) -> None:
    assert str(ip_network(parse_network(text))) == parse_network(text)


def test_empty_list_allows_all_and_a_list_only_its_own() -> None:
    networks = (ip_network("203.0.113.0/24"),)
    assert is_allowed((), "")
    assert is_allowed(networks, "203.0.113.9")
    assert not is_allowed(networks, "203.0.114.9")
    assert not is_allowed(networks, "2001:db8::1")
    assert not is_allowed(networks, "")
