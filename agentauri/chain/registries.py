"""Where the ERC-8004 registries are: addresses by chain, which chains are tests, and what follows from that.

The proxies have one address a registry on all main chains and another on all test chains; any chain can be watched at
any addresses. ``watch`` turns the operator's settings of a chain into what the indexer works with, and refuses what
cannot work. No I/O: whether the contracts are really there, a node knows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from agentauri.chain import abi
from agentauri.errors import ConfigError
from agentauri.models.event import Registry

MAIN_ADDRESSES = {
    Registry.IDENTITY: "0x8004A169FB4a3325136EB29fA0ceB6D2e539a432",
    Registry.REPUTATION: "0x8004BAa17C55a88189AE136b182e5fdA19dE9b63",
}
TEST_ADDRESSES = {
    Registry.IDENTITY: "0x8004A818BFB912233c491871b3d84c89A494BD9e",
    Registry.REPUTATION: "0x8004B663056A597Dffe9eCcC1965A193B7388713",
}
MAIN_CHAINS = {
    1: "Ethereum", 8453: "Base", 42161: "Arbitrum", 10: "Optimism", 137: "Polygon", 43114: "Avalanche", 56: "BSC",
    143: "Monad", 534352: "Scroll", 100: "Gnosis", 42220: "Celo", 167000: "Taiko", 59144: "Linea", 4326: "MegaETH",
    196: "X Layer", 2741: "Abstract", 5000: "Mantle", 1868: "Soneium", 2345: "GOAT", 1088: "Metis",
}  # fmt: skip
TEST_CHAINS = {
    11155111: "Sepolia", 84532: "Base Sepolia", 421614: "Arbitrum Sepolia", 11155420: "OP Sepolia",
    80002: "Polygon Amoy", 43113: "Avalanche Fuji", 97: "BSC Testnet", 10143: "Monad Testnet",
    534351: "Scroll Sepolia", 11142220: "Celo Sepolia", 167013: "Taiko Hoodi", 59141: "Linea Sepolia",
    6343: "MegaETH Testnet", 1952: "X Layer Testnet", 11124: "Abstract Testnet", 5003: "Mantle Sepolia",
    1946: "Soneium Minato", 48816: "GOAT Testnet", 59902: "Metis Sepolia",
}  # fmt: skip
LOCAL_CHAINS = {31337: "local node", 1337: "local node"}

MAIN_CONFIRMATIONS = 2
"""Blocks that must stand on top of a block before it is indexed; chains that nobody named count as main chains."""
TEST_CONFIRMATIONS = 0

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
HTTP, WEBSOCKET = ("http", "https"), ("ws", "wss")


@dataclass(frozen=True, slots=True)
class WatchedChain:
    """A chain as its indexer knows it. ``registries``: address in small letters → registry."""

    id: int
    name: str
    rpc_urls: tuple[str, ...] = field(repr=False)
    """HTTP addresses, best first; they may hold keys, so they are never shown."""
    registries: Mapping[str, Registry]
    start_block: int = 0
    confirmations: int = 0
    poll_seconds: float = 2.0
    max_range_blocks: int = 10_000
    requests_per_second: float | None = None
    """Of each provider; a batch counts by its calls. None: a careful rate, but none at all for a node on this host."""
    websocket_urls: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class IdentityRegistry:
    """Where a chain's agents are registered, and who can be asked about them."""

    chain_id: int
    address: str
    rpc_urls: tuple[str, ...] = field(repr=False)


def chain_name(chain_id: int) -> str:
    """The name people use for a chain."""
    known = MAIN_CHAINS | TEST_CHAINS | LOCAL_CHAINS
    return known.get(chain_id, f"chain {chain_id}")


def is_test_chain(chain_id: int) -> bool:
    """Whether nothing of value is at stake there."""
    return chain_id in TEST_CHAINS or chain_id in LOCAL_CHAINS


def default_addresses(chain_id: int) -> Mapping[Registry, str]:
    """The registries that are deployed on a chain; none where the standard names no address."""
    if chain_id in MAIN_CHAINS:
        return MAIN_ADDRESSES
    return TEST_ADDRESSES if chain_id in TEST_CHAINS else {}


def default_confirmations(chain_id: int) -> int:
    """How many blocks to wait for, unless the operator says otherwise."""
    return TEST_CONFIRMATIONS if is_test_chain(chain_id) else MAIN_CONFIRMATIONS


def agent_registry_name(chain_id: int, identity: str) -> str:
    """The global name of an identity registry: with an agent's id after it, the global name of the agent."""
    return f"eip155:{chain_id}:{abi.checksum(bytes.fromhex(identity[2:]))}"


def watched_addresses(chain_id: int, given: Mapping[Registry, str | None]) -> dict[str, Registry]:
    """Address in small letters → registry. None takes the chain's default, empty leaves a registry out.

    Raises ConfigError when an address is none, is given twice, or nothing is left to watch.
    """
    defaults = default_addresses(chain_id)
    found: dict[str, Registry] = {}
    for registry in Registry:
        chosen = given.get(registry)
        address = defaults.get(registry, "") if chosen is None else chosen.strip()
        if not address:
            continue
        if not ADDRESS.fullmatch(address):
            raise ConfigError(f"chain {chain_id}: {registry} is {address!r}; give 0x and 40 hex digits, or nothing.")
        if address.lower() in found:
            raise ConfigError(f"chain {chain_id}: {registry} and {found[address.lower()]} have one address; give two.")
        found[address.lower()] = registry
    if not found:
        raise ConfigError(f"chain {chain_id} has no known registries; set identity, reputation or validation for it.")
    return found


def split_urls(chain_id: int, urls: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(HTTP, WebSocket) addresses in their order. Raises ConfigError when one is neither, or none is HTTP."""
    http: list[str] = []
    websocket: list[str] = []
    for place, url in enumerate(urls):
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in HTTP + WEBSOCKET:
            raise ConfigError(f"chain {chain_id}: rpc_urls[{place}] is no http(s) or ws(s) address.")
        (http if parts.scheme in HTTP else websocket).append(url)
    if not http:
        raise ConfigError(f"chain {chain_id}: rpc_urls has no http(s) address; a WebSocket alone is not enough.")
    return tuple(http), tuple(websocket)


def watch(
    *,
    id: int,
    name: str,
    rpc_urls: Sequence[str],
    start_block: int = 0,
    confirmations: int | None = None,
    poll_interval_ms: int = 2000,
    max_range_blocks: int = 10_000,
    requests_per_second: float | None = None,
    identity: str | None = None,
    reputation: str | None = None,
    validation: str | None = None,
) -> WatchedChain:
    """A chain from its settings, which have the same names in ``config.Chain``. Raises ConfigError."""
    http, websocket = split_urls(id, rpc_urls)
    given = {Registry.IDENTITY: identity, Registry.REPUTATION: reputation, Registry.VALIDATION: validation}
    return WatchedChain(
        id=id,
        name=name,
        rpc_urls=http,
        websocket_urls=websocket,
        registries=watched_addresses(id, given),
        start_block=start_block,
        confirmations=default_confirmations(id) if confirmations is None else confirmations,
        poll_seconds=poll_interval_ms / 1000,
        max_range_blocks=max_range_blocks,
        requests_per_second=requests_per_second,
    )
