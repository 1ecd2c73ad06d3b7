"""Contract wallets on a local node, for tests: deployed ones, and one that is known by its address alone.

``wallets.sol`` is their source, ``wallets.json`` what the pinned compiler makes of it (tools/contracts.py).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct

from agentauri.accounts.wallets import parse_address
from agentauri.chain.erc1271 import WRAPPED_END
from agentauri.chain.rpc import Rpc
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import accounts, receipts

ARTIFACT: dict[str, Any] = json.loads(Path(__file__).with_name("wallets.json").read_text("utf-8"))
OWNER = Account.from_key("0x" + "21" * 32)
STRANGER = Account.from_key("0x" + "22" * 32)
SALT = bytes(range(32))
GAS = hex(3_000_000)


def sign(message: str, account: Any = OWNER) -> bytes:
    """What a key signs for a text."""
    return bytes(account.sign_message(encode_defunct(text=message)).signature)


async def send(node: Anvil, data: bytes, to: str | None = None) -> str:
    """Mine a transaction of the node's first account; without ``to`` it is a creation, whose address comes back."""
    rpc = Rpc(node.url)
    try:
        transaction = {"from": (await accounts(rpc))[0], "data": "0x" + data.hex(), "gas": GAS}
        sent = await rpc.ask("eth_sendTransaction", transaction if to is None else {**transaction, "to": to})
        (receipt,) = await receipts(rpc, [str(sent)])
    finally:
        await rpc.close()
    return parse_address(receipt["contractAddress"]) if to is None else to


async def deploy(node: Anvil, name: str, arguments: bytes = b"") -> str:
    """The address of a new contract of ``wallets.sol``."""
    code = bytes.fromhex(ARTIFACT[name]["bytecode"][2:])
    return await send(node, code + arguments)


async def deploy_owned(node: Anvil, owner: str = OWNER.address) -> str:
    """The address of a wallet that accepts the signatures of ``owner``."""
    return await deploy(node, "OwnedWallet", encode(["address"], [owner]))


@dataclass(frozen=True)
class Counterfactual:
    """A wallet of ``owner`` that is not deployed: where it will be, and the call that deploys it."""

    factory: str
    deployment: bytes
    address: str

    def wrap(self, signature: bytes) -> bytes:
        """The signature in the form of EIP-6492."""
        return encode(["address", "bytes", "bytes"], [self.factory, self.deployment, signature]) + WRAPPED_END


async def counterfactual(node: Anvil, owner: str = OWNER.address) -> Counterfactual:
    """A wallet that a factory on the node could deploy."""
    factory = await deploy(node, "WalletFactory")
    arguments = encode(["address", "bytes32"], [owner, SALT])
    question = {"to": factory, "data": "0x" + (_selector("addressOf(address,bytes32)") + arguments).hex()}
    answer = node.call("eth_call", question, "latest")
    address = parse_address("0x" + answer[-40:])
    return Counterfactual(factory, _selector("deploy(address,bytes32)") + arguments, address)


def _selector(signature: str) -> bytes:
    return bytes.fromhex(ARTIFACT["WalletFactory"]["selectors"][signature])
