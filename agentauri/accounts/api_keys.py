"""API keys: how they look, so that a mistyped or invented one is refused without asking anybody.

``aur_live_`` or ``aur_test_``, 32 base62 characters (190 bits), and 6 more that are the CRC-32 of all before them.
Of a key only its SHA-256 is stored: with so many random bits a slow hash would protect nothing further. The checksum
is no secret; it keeps wrong keys away from the database, and lets scanners of published code recognise lost ones.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
SHOWN_LENGTH = 4
"""Characters behind the environment by which people tell keys apart; 166 secret bits remain."""
FORM = re.compile(rf"aur_(?:live|test)_[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")
MARK = "aur_"
MAX_NETWORKS = 50
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_BYTE}(\.{_BYTE}){{3}}"
_GROUP = "[0-9a-fA-F]{1,4}"
_V6 = "|".join(
    [
        rf"({_GROUP}:){{7}}{_GROUP}",
        rf"({_GROUP}:){{1,7}}:",
        *(rf"({_GROUP}:){{1,{7 - after}}}(:{_GROUP}){{1,{after}}}" for after in range(1, 7)),
        rf":(:{_GROUP}){{1,7}}",
        rf"::([fF]{{4}}:)?{_V4}",
        "::",
    ]
)
NETWORK = rf"^({_V4}(/(3[0-2]|[12]?[0-9]))?|({_V6})(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$"
"""An address, alone or with the length of its network, as JSON Schema can say it too."""
MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 in the clothes of IPv6. Who calls from there is known by the IPv4 address, so that is what a list holds."""
IPV4_BITS = 2**32 - 1
NETWORK_RULE = "must be an IP address or a network such as 203.0.113.0/24 or 2001:db8::/32."


class Environment(StrEnum):
    """What a key is meant for; told by its look, so that a test key in production is noticed."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: its text, shown once, and what is stored of it."""

    text: str
    prefix: str
    sha256: bytes


def make_key(environment: Environment) -> NewKey:
    """A new random key."""
    head = f"{MARK}{environment}_" + "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    text = head + checksum(head)
    return NewKey(text, text[: len(f"{MARK}{environment}_") + SHOWN_LENGTH], key_hash(text))


def checksum(head: str) -> str:
    """The CRC-32 of ``head`` as six base62 digits."""
    number, digits = zlib.crc32(head.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def is_well_formed(text: str) -> bool:
    """Whether ``text`` could be a key: form and checksum."""
    return FORM.fullmatch(text) is not None and text[-CHECKSUM_LENGTH:] == checksum(text[:-CHECKSUM_LENGTH])


def key_hash(text: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(text.encode()).digest()


def parse_network(raw: str) -> str:
    """An address or network of an allow list in its one spelling. Raises ValueError with a sentence."""
    if not re.fullmatch(NETWORK, raw):
        raise ValueError(NETWORK_RULE)
    network = ip_network(raw, strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        network = ip_network((int(network.network_address) & IPV4_BITS, network.prefixlen - MAPPED.prefixlen))
    return str(network)


Networks = tuple[IPv4Network | IPv6Network, ...]


def is_allowed(networks: Networks, address: str) -> bool:
    """Whether a key with this allow list may be used from ``address``; an empty list allows all.

    An address that nobody vouches for ("") is on no list.
    """
    if not networks:
        return True
    return bool(address) and any(ip_address(address) in network for network in networks)
