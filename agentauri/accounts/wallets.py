"""Whether a wallet signed a text: by its key (EIP-191), or, for a contract, by what its chain says (EIP-1271, 6492).

A key's signature is accepted in exactly one form of its numbers: s in the lower half of the order, r and s in range;
the malleable twin is refused. What a chain says is asked through a callable, so nothing here does I/O. The numbers are
libsecp256k1's; eth-account, which the tests sign with, must not be imported: it lifts Python's recursion limit for the
whole process.

A key is the same person on every chain. A contract is not: at one address different people can own contracts on
different chains, so a contract wallet is known by its chain and address together.
"""

import re
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import assert_never

from coincurve import PublicKey
from eth_hash.auto import keccak

from agentauri.chain import abi
from agentauri.chain.erc1271 import Verdict
from agentauri.errors import Unauthenticated

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
ADDRESS_RULE = "must be 0x and 40 hexadecimal digits."
MAX_SIGNATURE_BYTES = 32 * 1024
"""An EIP-6492 signature may carry all that deploys a wallet; creation code has 48 KiB at most, and few have half."""
KEY_BYTES, COMPACT_BYTES = 65, 64
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1: r and s lie below it."""
COMPACT_S = (1 << 255) - 1
"""The bits of a compact signature's second word that are s; the one above is the parity (EIP-2098)."""
V_OFFSET = 27
SHOWN_DIGITS = 4

Check = Callable[[str, bytes, bytes], Awaitable[Verdict]]
"""(address, hash of the text, signature) → what the chain says."""


class Proof(Enum):
    """What a sign-in rests on."""

    KEY = auto()
    CONTRACT = auto()


def parse_address(raw: object) -> str:
    """The address in EIP-55 form. Raises ValueError; mixed case must be the right one, for it is a checksum."""
    text = str(raw)
    if not ADDRESS.fullmatch(text):
        raise ValueError(ADDRESS_RULE)
    address = abi.checksum(bytes.fromhex(text[2:]))
    digits = text[2:]
    if text != address and digits not in (digits.lower(), digits.upper()):
        raise ValueError("has a wrong EIP-55 checksum; one of its digits or letters is mistyped.")
    if not int(text, 16):
        raise ValueError("is the zero address, which nobody can sign for.")
    return address


def subject_of(address: str, chain_id: int, proof: Proof) -> str:
    """What an identity is known by: an address, or for a contract chain and address (CAIP-10)."""
    match proof:
        case Proof.KEY:
            return address
        case Proof.CONTRACT:
            return f"eip155:{chain_id}:{address}"
        case _:
            assert_never(proof)


def shown(address: str) -> str:
    """An address as people tell it from others: the name of an account that has no other."""
    return f"{address[: 2 + SHOWN_DIGITS]}…{address[-SHOWN_DIGITS:]}"


def message_hash(message: str) -> bytes:
    """What is signed for a text (EIP-191, version E)."""
    raw = message.encode()
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(raw) + raw)


def parse_key_signature(signature: bytes) -> bytes:
    """A key's signature as r, s and v, v being 27 or 28. Raises ValueError that says what is wrong with it."""
    r, s, v = _numbers(signature)
    if not 0 < r < ORDER or not 0 < s < ORDER:
        raise ValueError("is no signature: r and s must lie between 0 and the order of the curve.")
    if s > ORDER // 2:
        raise ValueError("is malleable: s must lie in the lower half of the curve's order (EIP-2).")
    return r.to_bytes(32) + s.to_bytes(32) + bytes([v])


def _numbers(signature: bytes) -> tuple[int, int, int]:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if len(signature) == COMPACT_BYTES:
        return r, s & COMPACT_S, V_OFFSET + (s >> 255)
    if len(signature) != KEY_BYTES:
        raise ValueError(f"has {len(signature)} bytes; that of a key has 65 (r, s, v), or 64 (EIP-2098).")
    v = signature[-1]
    if v not in (0, 1, V_OFFSET, V_OFFSET + 1):
        raise ValueError(f"has the v {v}; it must be 27 or 28, or 0 or 1.")
    return r, s, v % V_OFFSET + V_OFFSET


def is_signed_by_key(address: str, message: str, signature: bytes) -> bool:
    """Whether the key of ``address`` signed the text. Raises ValueError when it is not the signature of any key."""
    return find_signer(message, parse_key_signature(signature)) == address


def find_signer(message: str, canonical: bytes) -> str | None:
    """The address of the key that made a parsed signature of the text; None: no key can have."""
    recoverable = canonical[:-1] + bytes([canonical[-1] - V_OFFSET])
    try:
        key = PublicKey.from_signature_and_message(recoverable, message_hash(message), hasher=None)
    except ValueError:
        return None
    return abi.checksum(keccak(key.format(compressed=False)[1:])[-abi.ADDRESS_BYTES :])


async def verify(*, address: str, chain_id: int, message: str, signature: bytes, check: Check | None) -> Proof:
    """What proves that ``address`` signed the text: its key, else its contract, which ``check`` asks.

    ``check`` None: nobody can be asked on this chain. Raises Unauthenticated that says why there is no proof.
    """
    try:
        if is_signed_by_key(address, message, signature):
            return Proof.KEY
        flaw = f"the signature is not one by {address}"
    except ValueError as error:
        flaw = f"the signature {str(error).removesuffix('.')}"
    if check is None:
        raise Unauthenticated(
            f"{flaw}. A contract wallet cannot sign in on chain {chain_id}: this service has no RPC URL of that chain."
        )
    verdict = await check(address, message_hash(message), signature)
    match verdict:
        case Verdict.VALID:
            return Proof.CONTRACT
        case Verdict.INVALID:
            raise Unauthenticated(f"the contract wallet {address} on chain {chain_id} does not accept the signature.")
        case Verdict.NO_CONTRACT:
            raise Unauthenticated(f"{flaw}, and there is no contract at {address} on chain {chain_id}.")
        case _:
            assert_never(verdict)
