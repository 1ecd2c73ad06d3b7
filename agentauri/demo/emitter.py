"""Calling the emitter contract on a local node: deploy it, and make it emit registry events one by one or in bulk.

Transactions are sent with eth_sendTransaction from an account that the node has unlocked (anvil's are), about a
thousand a second one by one, more by ``send_in_one``. Only for local chains: it signs nothing and pays any gas.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from eth_abi.abi import encode

from agentauri.chain.rpc import Call, Rpc
from agentauri.errors import RpcError

ARTIFACT = Path(__file__).with_name("emitter.json")
BATCH_CALLS = 100
"""Receipts in one request."""
GAS = 29_000_000
"""Gas limit of one transaction, just below that of anvil's blocks."""
SINGLE_GAS = 2_000_000
RECEIPT_POLL_SECONDS = 0.05
RECEIPT_SECONDS = 30.0


@lru_cache(maxsize=1)
def _artifact() -> tuple[str, dict[str, str]]:
    """Bytecode, and selector by signature."""
    found = json.loads(ARTIFACT.read_text("utf-8"))
    return found["bytecode"], found["selectors"]


def call_data(signature: str, *arguments: object) -> bytes:
    """What a transaction carries to call a function, as ``giveFeedback(uint256,…)``. Raises KeyError for another."""
    selector = _artifact()[1][signature]
    types = signature[signature.index("(") + 1 : -1]
    return bytes.fromhex(selector) + encode(types.split(",") if types else [], arguments)


def register(agent_uri: str) -> bytes:
    """Call data that registers the next agent."""
    return call_data("register(string)", agent_uri)


def give_feedback(
    agent_id: int,
    value: int,
    decimals: int = 0,
    tag1: str = "",
    tag2: str = "",
    endpoint: str = "",
    uri: str = "",
    hash: bytes = bytes(32),
) -> bytes:
    """Call data that gives feedback as the sender."""
    signature = "giveFeedback(uint256,int128,uint8,string,string,string,string,bytes32)"
    return call_data(signature, agent_id, value, decimals, tag1, tag2, endpoint, uri, hash)


def validation_response(agent_id: int, request_hash: bytes, response: int, uri: str = "", tag: str = "") -> bytes:
    """Call data that answers a validation request as the sender."""
    signature = "validationResponse(uint256,bytes32,uint8,string,bytes32,string)"
    return call_data(signature, agent_id, request_hash, response, uri, bytes(32), tag)


def raw_log(topics: Sequence[bytes], data: bytes) -> bytes:
    """Call data that emits any log."""
    return call_data("raw(bytes32[],bytes)", list(topics), data)


class Emitter:
    """One deployed contract and the account that calls it."""

    def __init__(self, rpc: Rpc, address: str, sender: str) -> None:
        self.address = address
        self._rpc = rpc
        self._sender = sender

    @classmethod
    async def deploy(cls, rpc: Rpc, sender: str | None = None) -> "Emitter":
        """Deploy the contract from ``sender``, else from the node's first account. Raises RpcError."""
        account = sender or (await accounts(rpc))[0]
        transaction = {"from": account, "data": _artifact()[0], "gas": hex(GAS)}
        sent = await rpc.ask("eth_sendTransaction", transaction)
        (receipt,) = await receipts(rpc, [str(sent)])
        return cls(rpc, str(receipt["contractAddress"]), account)

    def as_sender(self, sender: str) -> "Emitter":
        """The same contract, called by another account."""
        return Emitter(self._rpc, self.address, sender)

    async def send(self, calls: Sequence[bytes]) -> list[str]:
        """One transaction a call, in their order; returns their hashes once all are mined. Raises RpcError.

        One ``send`` at a time for an account: the node counts its nonces by what is mined.
        """
        counted = await self._rpc.ask("eth_getTransactionCount", self._sender, "pending")
        first = int(str(counted), 16)
        # Not as one batch: anvil works a batch's calls off at once, and then leaves some waiting for their nonces.
        sent = [
            str(await self._rpc.ask("eth_sendTransaction", self._transaction(data, SINGLE_GAS, nonce)))
            for nonce, data in enumerate(calls, first)
        ]
        await receipts(self._rpc, sent)
        return sent

    async def send_in_one(self, calls: Sequence[bytes]) -> str:
        """All calls in one transaction, so that one block has all their logs; returns its hash once it is mined.

        About a thousand feedbacks fit into the gas of a block. Raises RpcError.
        """
        data = call_data("many(bytes[])", list(calls))
        sent = str(await self._rpc.ask("eth_sendTransaction", self._transaction(data, GAS)))
        await receipts(self._rpc, [sent])
        return sent

    def _transaction(self, data: bytes, gas: int, nonce: int | None = None) -> dict[str, str]:
        found = {"from": self._sender, "to": self.address, "data": "0x" + data.hex(), "gas": hex(gas)}
        return found if nonce is None else {**found, "nonce": hex(nonce)}


async def accounts(rpc: Rpc) -> list[str]:
    """The node's unlocked accounts. Raises RpcError."""
    found = await rpc.ask("eth_accounts")
    if not isinstance(found, list) or not found:
        raise RpcError(f"{rpc.label} has no unlocked account; is it a development node?")
    return [str(one) for one in found]


async def receipts(rpc: Rpc, hashes: Sequence[str]) -> list[dict[str, object]]:
    """The receipts of transactions, once all are mined. Raises RpcError when one failed or none came in time."""
    found: list[dict[str, object]] = []
    try:
        async with asyncio.timeout(RECEIPT_SECONDS):
            for start in range(0, len(hashes), BATCH_CALLS):
                found += await _mined(rpc, hashes[start : start + BATCH_CALLS])
    except TimeoutError as error:
        raise RpcError(f"{rpc.label} did not mine {len(hashes)} transactions in {RECEIPT_SECONDS:g} s") from error
    failed = [receipt["transactionHash"] for receipt in found if receipt.get("status") != "0x1"]
    if failed:
        raise RpcError(f"{len(failed)} transactions failed, the first is {failed[0]}")
    return found


async def _mined(rpc: Rpc, hashes: Sequence[str]) -> list[dict[str, object]]:
    while True:
        answers = await rpc.batch([Call("eth_getTransactionReceipt", (one,)) for one in hashes])
        mined = [answer for answer in answers if isinstance(answer, dict)]
        if len(mined) == len(hashes):
            return mined
        await asyncio.sleep(RECEIPT_POLL_SECONDS)
