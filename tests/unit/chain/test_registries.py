import pickle
from typing import Any

import pytest

from agentauri.chain import registries
from agentauri.chain.registries import watch
from agentauri.config import Chain
from agentauri.errors import ConfigError
from agentauri.models.event import Registry

LOCAL: dict[str, Any] = {"id": 31337, "name": "local", "rpc_urls": ["http://127.0.0.1:8545"]}
ONE, TWO = "0x" + "11" * 20, "0x" + "Ab" * 20


def test_a_main_chain_has_the_addresses_of_main_chains() -> None:
    chain = watch(id=8453, name="base", rpc_urls=["https://one"])

    assert chain.registries == {
        "0x8004a169fb4a3325136eb29fa0ceb6d2e539a432": Registry.IDENTITY,
        "0x8004baa17c55a88189ae136b182e5fda19de9b63": Registry.REPUTATION,
    }
    assert chain.confirmations == 2


def test_a_test_chain_has_the_addresses_of_test_chains() -> None:
    chain = watch(id=84532, name="base-sepolia", rpc_urls=["https://one"], validation=ONE)

    assert chain.registries == {
        "0x8004a818bfb912233c491871b3d84c89a494bd9e": Registry.IDENTITY,
        "0x8004b663056a597dffe9eccc1965a193b7388713": Registry.REPUTATION,
        ONE: Registry.VALIDATION,
    }
    assert chain.confirmations == 0


def test_twenty_main_chains_and_nineteen_test_chains_are_known() -> None:
    assert (len(registries.MAIN_CHAINS), len(registries.TEST_CHAINS)) == (20, 19)
    assert not set(registries.MAIN_CHAINS) & set(registries.TEST_CHAINS)


def test_chains_have_names() -> None:
    assert [registries.chain_name(one) for one in (8453, 84532, 31337, 7)] == [
        "Base", "Base Sepolia", "local node", "chain 7"
    ]  # fmt: skip


def test_an_empty_address_leaves_a_registry_out() -> None:
    chain = watch(id=1, name="ethereum", rpc_urls=["https://one"], identity="")

    assert list(chain.registries.values()) == [Registry.REPUTATION]


def test_given_addresses_are_compared_in_small_letters() -> None:
    assert watch(**LOCAL, reputation=TWO).registries == {TWO.lower(): Registry.REPUTATION}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "identity, reputation or validation"),
        ({"identity": "0x12"}, "identity is '0x12'"),
        ({"identity": TWO, "reputation": TWO.lower()}, "one address"),
        ({"identity": ONE, "rpc_urls": ["ws://127.0.0.1:1"]}, "no http"),
        ({"identity": ONE, "rpc_urls": ["ftp://127.0.0.1"]}, r"rpc_urls\[0\]"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        watch(**(LOCAL | settings))


def test_websocket_addresses_are_kept_apart() -> None:
    chain = watch(id=1, name="ethereum", rpc_urls=["wss://one", "https://two"])

    assert (chain.rpc_urls, chain.websocket_urls) == (("https://two",), ("wss://one",))


def test_keys_in_addresses_are_not_shown_and_the_chain_survives_pickling() -> None:
    chain = watch(id=1, name="ethereum", rpc_urls=["https://user:secret@one/v2/key"])

    assert "secret" not in repr(chain)
    assert pickle.loads(pickle.dumps(chain)) == chain


def test_the_settings_of_a_chain_are_what_watch_takes() -> None:
    settings = Chain(name="local", id=31337, rpc_urls=("http://127.0.0.1:8545",), identity=ONE, poll_interval_ms=250)

    assert watch(**settings.model_dump()).poll_seconds == 0.25


def test_the_global_name_of_a_registry_has_its_checksum() -> None:
    name = registries.agent_registry_name(1, "0x8004a169fb4a3325136eb29fa0ceb6d2e539a432")

    assert name == "eip155:1:0x8004A169FB4a3325136EB29fA0ceB6D2e539a432"
