"""How many wrong passwords are borne, and for how long a login is shut after them. Rules alone: no clock, no store.

Failures count per account and, separately, per address of a client, until a success. The fifth in a row shuts the
door; from then on each further one does, for longer at every fifth. Names that nobody has are counted like accounts,
so the lock tells nothing about who exists. A client is an IPv4 address or an IPv6 /64: whoever has one, has all of it.

An account is one subject however its owner is called, so that e-mail and user name give no second five tries.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from uuid import UUID

from agentauri.accounts.emails import login_name

ALLOWANCE = 5
"""Failures in a row up to the first lock, and from one length of a lock to the next."""
MINUTE = 60
LOCKS = (15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 120 * MINUTE, 240 * MINUTE)
"""Seconds of a lock from the 5th, 10th, 15th, 20th and 25th failure on."""
IPV6_PREFIX = 64
USER = b"user\0"
"""An account's subject is the SHA-256 of this and the user's id as text: the database can make it too."""


def lock_seconds(failures: int) -> int:
    """How long the lock is that the last of ``failures`` in a row brings; 0: none yet."""
    step = min(failures // ALLOWANCE, len(LOCKS))
    return LOCKS[step - 1] if step else 0


SCHEDULE = tuple(lock_seconds(failures) for failures in range(1, ALLOWANCE * len(LOCKS) + 1))
"""Seconds of the lock after 1, 2, 3 … failures; further ones are as the last."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom a failure counts against: hashes, so that the table of them names nobody."""

    account: bytes
    client: bytes | None
    """None: nobody vouches for the client's address."""


def of_user(user_id: UUID, ip: str) -> Subjects:
    """The subjects of a try at a known account."""
    return Subjects(account(user_id), client(ip))


def account(user_id: UUID) -> bytes:
    """The subject of an account, by whatever name it was called."""
    return hashlib.sha256(USER + str(user_id).encode()).digest()


def of_name(name: str, ip: str) -> Subjects:
    """The subjects of a try at a name that no account has."""
    return Subjects(_hash("name", login_name(name).casefold()), client(ip))


def client(ip: str) -> bytes | None:
    """The subject of a client's address in its one spelling; None for ""."""
    if not ip:
        return None
    address = ip_address(ip)
    if isinstance(address, IPv4Address):
        return _hash("ip", str(address))
    return _hash("ip", str(ip_network((int(address), IPV6_PREFIX), strict=False)))


def _hash(kind: str, value: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{value}".encode()).digest()
