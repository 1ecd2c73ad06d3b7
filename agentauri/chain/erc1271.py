"""Asking a contract whether it signed something: EIP-1271, and EIP-6492 for one that is not deployed yet.

Pure: call data out, answers in. A contract says yes with one exact word; anything else is a no, the echo that the
identity precompile gives included. What runs in the node on behalf of an EIP-6492 signature (wallet_check.sol) is a
creation inside eth_call: nothing of it stays on the chain.
"""

import json
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path

from eth_abi.abi import encode

from agentauri.chain import abi
from agentauri.errors import DecodeError

ARTIFACT = Path(__file__).with_name("wallet_check.json")
SELECTOR = bytes.fromhex("1626ba7e")
"""isValidSignature(bytes32,bytes); the answer yes is the same four bytes."""
YES = SELECTOR + bytes(abi.WORD - len(SELECTOR))
WRAPPED_END = bytes.fromhex("6492" * 16)
"""How an EIP-6492 signature ends."""
WRAPPED_HEADS = 3 * abi.WORD


class Verdict(Enum):
    """What a chain says about a contract's signature."""

    VALID = auto()
    INVALID = auto()
    NO_CONTRACT = auto()
    """There is no code at the address, and the signature does not bring any."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An EIP-6492 signature: the call that deploys (or prepares) the wallet, and what the wallet then accepts."""

    factory: str
    factory_data: bytes
    signature: bytes


def is_wrapped(signature: bytes) -> bool:
    """Whether a signature is in the form of EIP-6492."""
    return signature.endswith(WRAPPED_END)


def unwrap(signature: bytes) -> Wrapped:
    """What an EIP-6492 signature consists of. Raises DecodeError when it is not well-formed."""
    data = signature[: -len(WRAPPED_END)]
    factory = abi.address(data, 0, WRAPPED_HEADS)
    factory_data, inner = (abi.tail(data, place * abi.WORD, WRAPPED_HEADS) for place in (1, 2))
    return Wrapped(factory, factory_data, inner)


def question(hash: bytes, signature: bytes) -> bytes:
    """Call data that asks a deployed wallet."""
    return SELECTOR + encode(["bytes32", "bytes"], [hash, signature])


def creation(wallet: str, hash: bytes, wrapped: Wrapped) -> bytes:
    """Creation code that, run by eth_call, answers as a wallet would once the factory was called."""
    types = ["address", "bytes32", "address", "bytes", "bytes"]
    arguments = [wallet, hash, wrapped.factory, wrapped.factory_data, wrapped.signature]
    return _bytecode() + encode(types, arguments)


def is_yes(answer: object) -> bool:
    """Whether the result of eth_call is the one word that means yes."""
    return unhex(answer)[: abi.WORD] == YES


def has_code(answer: object) -> bool:
    """Whether the result of eth_getCode is a contract's. Raises DecodeError."""
    return len(unhex(answer)) > 0


def unhex(answer: object) -> bytes:
    """The bytes of a node's 0x text. Raises DecodeError."""
    if not isinstance(answer, str) or not answer.startswith("0x"):
        raise DecodeError("the node answered no bytes")
    try:
        return bytes.fromhex(answer[2:])
    except ValueError as error:
        raise DecodeError("the node answered ill-formed bytes") from error


@lru_cache(maxsize=1)
def _bytecode() -> bytes:
    return bytes.fromhex(json.loads(ARTIFACT.read_text("utf-8"))["bytecode"].removeprefix("0x"))
