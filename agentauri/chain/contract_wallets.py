"""Asking the chains' nodes whether a contract wallet accepts a signature, in bounded time and without a memory.

What a wallet's code does (revert, run out of gas, answer nonsense) is a no and not the provider's fault, and no
failure is held against a provider (``asking.py``): who may log in must not depend on what strangers sent a moment ago.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from agentauri import logs
from agentauri.chain import erc1271
from agentauri.chain.asking import Node, Nodes
from agentauri.chain.erc1271 import Verdict, Wrapped
from agentauri.errors import DecodeError, RpcUnavailable

CHECK_SECONDS = 10.0
"""For one signature, all providers together."""
ANSWER_SECONDS = 5.0
MAX_ANSWER_BYTES = 2**20
"""Code of a contract is the longest answer: 48 KiB in hexadecimal digits on most chains."""

log = logs.get("wallets")


class ContractWallets:
    """The providers of all chains, by chain id. Make it inside the event loop that uses it, and close it when done."""

    def __init__(self, urls: Mapping[int, Sequence[str]]) -> None:
        self._urls = urls
        self._nodes = Nodes(urls, answer_seconds=ANSWER_SECONDS, max_bytes=MAX_ANSWER_BYTES)

    def checker(self, chain_id: int) -> Callable[[str, bytes, bytes], Awaitable[Verdict]] | None:
        """What asks the chain about (address, hash, signature); None when it has no provider here.

        It raises RpcUnavailable when none of the providers gives an answer.
        """
        if not self._urls.get(chain_id):
            return None

        async def check(address: str, hash: bytes, signature: bytes) -> Verdict:
            return await self._check(chain_id, address, hash, signature)

        return check

    async def close(self) -> None:
        """Close all connections."""
        await self._nodes.close()

    async def _check(self, chain_id: int, address: str, hash: bytes, signature: bytes) -> Verdict:
        try:
            wrapped = erc1271.unwrap(signature) if erc1271.is_wrapped(signature) else None
        except DecodeError:
            return Verdict.INVALID

        async def ask(node: Node) -> Verdict:
            return await _ask(node, address, hash, wrapped or signature)

        try:
            return await self._nodes.first(chain_id, ask, CHECK_SECONDS)
        except RpcUnavailable as error:
            log.warning("wallet_not_checked", chain=chain_id, why=error.message)
            raise


async def _ask(node: Node, address: str, hash: bytes, signature: bytes | Wrapped) -> Verdict:
    """What the contract at ``address`` says. Raises RpcError."""
    if isinstance(signature, Wrapped):
        call = {"data": "0x" + erc1271.creation(address, hash, signature).hex()}
    elif await node.ask(erc1271.has_code, "eth_getCode", address, "latest"):
        call = {"to": address, "data": "0x" + erc1271.question(hash, signature).hex()}
    else:
        return Verdict.NO_CONTRACT
    return Verdict.VALID if await node.run(erc1271.is_yes, call) else Verdict.INVALID
