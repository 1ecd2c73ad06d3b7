"""Asking the chains' nodes whether a contract wallet accepts a signature, in bounded time and without a memory.

Each configured provider is asked in its order until one answers; it must name the right chain id first. What a
wallet's code does (revert, run out of gas, answer nonsense) is a no and not the provider's fault, and no failure is
held against a provider: who may log in must not depend on what strangers sent a moment ago.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agentauri import logs
from agentauri.chain import erc1271
from agentauri.chain.decoder import quantity
from agentauri.chain.erc1271 import Verdict, Wrapped
from agentauri.chain.providers import understood
from agentauri.chain.rpc import Rpc
from agentauri.errors import DecodeError, RpcError, RpcUnavailable

CHECK_SECONDS = 10.0
"""For one signature, all providers together."""
ANSWER_SECONDS = 5.0
MAX_ANSWER_BYTES = 2**20
"""Code of a contract is the longest answer: 48 KiB in hexadecimal digits on most chains."""
REVERT_CODES = frozenset({3, -32015})
REVERTED = re.compile(
    r"revert|out ?of ?gas|opcode|bad instruction|jump ?dest|stack ?(under|over)flow|vm execution error", re.IGNORECASE
)
"""How nodes say that the code itself failed; each has words of its own."""

log = logs.get("wallets")


class ContractWallets:
    """The providers of all chains, by chain id. Make it inside the event loop that uses it, and close it when done."""

    def __init__(self, urls: Mapping[int, Sequence[str]]) -> None:
        self._urls = urls
        self._nodes: dict[int, list[Node]] = {}

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
        for nodes in self._nodes.values():
            for node in nodes:
                await node.close()

    async def _check(self, chain_id: int, address: str, hash: bytes, signature: bytes) -> Verdict:
        try:
            wrapped = erc1271.unwrap(signature) if erc1271.is_wrapped(signature) else None
        except DecodeError:
            return Verdict.INVALID
        reasons: list[str] = []
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                for node in self._of(chain_id):
                    try:
                        return await node.check(address, hash, wrapped or signature)
                    except RpcError as error:
                        reasons.append(error.message)
        except TimeoutError:
            reasons.append(f"no answer within {CHECK_SECONDS:g} s")
        log.warning("wallet_not_checked", chain=chain_id, why=reasons)
        raise RpcUnavailable(f"no provider of chain {chain_id} can be asked ({'; '.join(reasons)})")

    def _of(self, chain_id: int) -> list["Node"]:
        if chain_id not in self._nodes:
            self._nodes[chain_id] = [Node(url, chain_id) for url in self._urls[chain_id]]
        return self._nodes[chain_id]


class Node:
    """One provider."""

    def __init__(self, url: str, chain_id: int) -> None:
        self._rpc = Rpc(url, answer_seconds=ANSWER_SECONDS, max_bytes=MAX_ANSWER_BYTES)
        self._chain_id = chain_id
        self._admitted = False

    async def check(self, address: str, hash: bytes, signature: bytes | Wrapped) -> Verdict:
        """What the contract at ``address`` says. Raises RpcError."""
        await self._admit()
        if isinstance(signature, Wrapped):
            return await self._call({"data": "0x" + erc1271.creation(address, hash, signature).hex()})
        code = await self._rpc.ask("eth_getCode", address, "latest")
        if not understood(erc1271.has_code, code):
            return Verdict.NO_CONTRACT
        return await self._call({"to": address, "data": "0x" + erc1271.question(hash, signature).hex()})

    async def close(self) -> None:
        """Close its connections."""
        await self._rpc.close()

    async def _call(self, call: dict[str, str]) -> Verdict:
        try:
            answer = await self._rpc.ask("eth_call", call, "latest")
        except RpcError as error:
            if error.code in REVERT_CODES or REVERTED.search(error.message):
                return Verdict.INVALID
            raise
        return Verdict.VALID if understood(erc1271.is_yes, answer) else Verdict.INVALID

    async def _admit(self) -> None:
        """Make sure that it serves the right chain, once."""
        if self._admitted:
            return
        found = understood(quantity, {"eth_chainId": await self._rpc.ask("eth_chainId")}, "eth_chainId")
        if found != self._chain_id:
            raise RpcError(f"{self._rpc.label} serves chain {found}, not {self._chain_id}")
        self._admitted = True
