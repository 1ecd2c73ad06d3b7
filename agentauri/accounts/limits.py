"""Which rate limits apply to a request: by who is calling, and for what sensitive routes they call.

Anonymous callers share the quota of their address, signed-in users and OAuth clients that of their organization; an
API key with a limit of its own has that instead. Routes that guess at secrets or make nonces have stricter limits,
by address and by account. Addresses are counted as a whole IPv6 /64, accounts as a digest. Pure; nothing is counted
here: ``store/rate_limits.py`` does.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from uuid import UUID

from agentauri.accounts.roles import Principal
from agentauri.models.plan import Plan
from agentauri.models.rate import Bucket

HOUR = 3_600_000
"""Milliseconds of every quota's window."""
REFILL = 60_000
"""Milliseconds in which a spent burst comes back."""
BURST_SHARE = 10
"""A burst is this fraction of an hour's quota …"""
LEAST_BURST = 20
"""… but as much as a page needs at once, for quotas that allow it."""
GUARDED_BURST = 10
"""The same for guarded routes: twice the failures after which an account is locked, so that the lock speaks first."""
IPV6_SITE_BITS = 64
"""What one customer gets at the least."""
UNKNOWN = "unknown"
"""The subject of whoever has no known address; they share one quota."""
DIGEST_BYTES = 16


class Policy(StrEnum):
    """Why a limit applies; the label of its metric. CREDENTIALS: an address whose tokens or keys were wrong, or that
    asked for what is not there or cannot be read."""

    ANONYMOUS = "anonymous"
    ORGANIZATION = "organization"
    KEY = "key"
    CREDENTIALS = "credentials"
    LOGIN = "login"
    REGISTRATION = "registration"
    REFRESH = "refresh"
    EXCHANGE = "exchange"
    NONCE = "nonce"
    MAIL = "mail"
    TOKEN = "token"
    TRIAL = "trial"

    @property
    def is_guarded(self) -> bool:
        """Whether the route protects secrets: refused, not let through, while nobody can count."""
        return self not in OPEN


OPEN = frozenset({Policy.ANONYMOUS, Policy.ORGANIZATION, Policy.KEY, Policy.CREDENTIALS, Policy.TRIAL})
"""Requests that go on while Redis is away; among them those whose wrong credentials are refused in any case."""

PER_ACCOUNT = {
    Policy.LOGIN: 20,
    Policy.REFRESH: 30,
    Policy.EXCHANGE: 20,
    Policy.NONCE: 20,
    Policy.MAIL: 5,
    Policy.TOKEN: 60,
}
"""Requests an hour for one account (an e-mail, a wallet, a session), from wherever they come."""


TRIALS = 60
"""Tests of actions an hour that an organization may send: each is a request to a place of its choice."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request asks of which buckets; either all of them give, or none."""

    policy: Policy
    buckets: tuple[Bucket, ...]
    slot: str
    """The hash tag of the keys: buckets that are asked together lie on one node of a cluster."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests an hour, and how many of them at once."""

    limit: int
    burst: int

    @classmethod
    def of(cls, limit: int, least_burst: int = LEAST_BURST) -> "Quota":
        """The quota of ``limit`` requests an hour with the burst that suits it."""
        return cls(limit, min(limit, max(least_burst, limit // BURST_SHARE)))

    def bucket(self, subject: str, cost: int = 1) -> Bucket:
        """The bucket of one subject, for a request that counts ``cost``."""
        return Bucket(subject, self.limit, HOUR, max(self.burst, cost), REFILL, cost)


class Limits:
    """The limits of a deployment: requests an hour by plan, and by address for every policy that has one."""

    def __init__(self, plans: Mapping[Plan, int], addresses: Mapping[Policy, int]) -> None:
        self._plans = {plan: Quota.of(plans[plan]) for plan in Plan}
        self._addresses = {
            policy: Quota.of(limit, GUARDED_BURST if policy.is_guarded else LEAST_BURST)
            for policy, limit in addresses.items()
        }
        self._accounts = {policy: Quota.of(limit, GUARDED_BURST) for policy, limit in PER_ACCOUNT.items()}

    def anonymous(self, ip: str, cost: int = 1) -> Demand:
        """A request without credentials, from ``ip`` ("" when it is not known)."""
        subject = f"ip:{site(ip)}"
        return Demand(Policy.ANONYMOUS, (self._addresses[Policy.ANONYMOUS].bucket(subject, cost),), subject)

    def organization(self, id: UUID, plan: Plan, cost: int = 1) -> Demand:
        """A request of a user, a key or a client of an organization."""
        subject = f"org:{id}"
        return Demand(Policy.ORGANIZATION, (self._plans[plan].bucket(subject, cost),), subject)

    def key(self, id: UUID, requests_per_hour: int, cost: int = 1) -> Demand:
        """A request of an API key that has a limit of its own."""
        subject = f"key:{id}"
        return Demand(Policy.KEY, (Quota.of(requests_per_hour).bucket(subject, cost),), subject)

    def caller(self, principal: Principal, cost: int = 1) -> Demand:
        """A request with credentials: against the key's own limit if it has one, else against the organization's."""
        if principal.requests_per_hour is not None:
            return self.key(principal.id, principal.requests_per_hour, cost)
        return self.organization(principal.organization_id, principal.plan, cost)

    def trial(self, organization_id: UUID) -> Demand:
        """A test of an action, beside the request that asks for it."""
        subject = f"trial:org:{organization_id}"
        return Demand(Policy.TRIAL, (Quota.of(TRIALS).bucket(subject),), subject)

    def guarded(self, policy: Policy, ip: str, account: str | None = None) -> Demand:
        """A request to an open route; ``account`` is what it names, in whatever form it was sent."""
        if policy is Policy.ANONYMOUS:
            return self.anonymous(ip)
        quota = self._addresses[policy]
        buckets = [quota.bucket(f"{policy}:ip:{site(ip)}")]
        if account is not None and policy in self._accounts:
            buckets.append(self._accounts[policy].bucket(f"{policy}:account:{digest(account)}"))
        return Demand(policy, tuple(buckets), policy)


def site(ip: str) -> str:
    """What of an address is counted as one caller: IPv4 whole, of IPv6 the /64."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    host_bits = 128 - IPV6_SITE_BITS
    return f"{IPv6Address(int(address) >> host_bits << host_bits)}/{IPV6_SITE_BITS}"


def digest(account: str) -> str:
    """An account's name that neither tells who it is nor is longer than others; case and outer blanks do not count."""
    name = account.strip().casefold().encode("utf-8", "surrogatepass")  # JSON can carry half a character
    return hashlib.blake2b(name, digest_size=DIGEST_BYTES).hexdigest()
