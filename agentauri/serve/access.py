"""What credentials reach, remembered: the hot path has no query, and a revocation holds within a second.

An answer of the database is used while ``Changes`` vouches that everything about it was heard, for at most
REMEMBER_SECONDS; without that, it is asked again at each request. An answer that was on its way while something
changed is used once and not kept. Refusals are never remembered.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from uuid import UUID

from agentauri.accounts.api_keys import Networks, is_well_formed, key_hash
from agentauri.accounts.roles import MACHINE_ROLE, Caller, Role, Scope
from agentauri.accounts.tokens import LEEWAY_SECONDS, MAX_TOKEN_LENGTH, NOT_VALID, Claims, ClientClaims
from agentauri.errors import Unauthenticated
from agentauri.models.ids import OrganizationId, UserId
from agentauri.models.plan import Plan
from agentauri.serve.changes import Changes
from agentauri.serve.keys import Keys
from agentauri.store import access
from agentauri.store.database import Pool

REMEMBER_SECONDS = 60.0
ENTRIES = 10_000
TOKEN, KEY = b"token", b"key"
"""Whose memory it is: a key that is remembered is no token, where nobody would look at its allow list."""
NO_SUCH_KEY = "this API key is not valid, was revoked, or has expired."


@dataclass(frozen=True, slots=True)
class Membership:
    """What a user is in an organization."""

    organization_id: OrganizationId
    role: Role
    plan: Plan
    paused: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A user in a live session, with all memberships; ``personal`` is the organization of the user alone."""

    user_id: UserId
    session_id: UUID
    personal: OrganizationId
    memberships: dict[UUID, Membership]


@dataclass(frozen=True, slots=True)
class Machine:
    """A live API key or OAuth client; ``networks`` are those that it may be used from, none: any."""

    kind: Caller
    id: UUID
    membership: Membership
    scopes: frozenset[Scope]
    networks: Networks = ()
    requests_per_hour: int | None = None


Identity = Person | Machine


@dataclass(frozen=True, slots=True)
class _Entry:
    identity: Identity
    until: float
    """By the monotonic clock."""


class Access:
    """Turns credentials into identities, with a memory that ``Changes`` keeps true."""

    def __init__(self, pool: Pool, keys: Keys, url: str) -> None:
        self._pool, self._keys = pool, keys
        self._entries: dict[bytes, _Entry] = {}
        self._slots: dict[str, set[bytes]] = {}
        self._generation = 0
        self.changes = Changes(url, self.forget)

    async def of_token(self, token: str) -> Identity:
        """Whose access token this is. Raises Unauthenticated."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise Unauthenticated(NOT_VALID)
        slot = TOKEN + hashlib.sha256(token.encode()).digest()
        return await self._recall(slot, lambda: self._ask_token(token))

    async def of_key(self, text: str) -> Identity:
        """Whose API key this is. Raises Unauthenticated; for what has not the form of a key without any query."""
        sha256 = key_hash(text)
        return await self._recall(KEY + sha256, lambda: self._ask_key(text, sha256))

    def forget(self, change: str | None = None) -> None:
        """Ask again about whoever ``change`` concerns (``user:<id>``, …); None: about everybody."""
        self._generation += 1
        if change is None:
            self._entries.clear()
            self._slots.clear()
        else:
            for slot in self._slots.pop(change, ()):
                self._entries.pop(slot, None)

    async def _recall(self, slot: bytes, ask: Callable[[], Awaitable[tuple[Identity, float]]]) -> Identity:
        now = time.monotonic()
        entry = self._entries.get(slot)
        if entry is not None and now < entry.until and self.changes.is_current():
            return entry.identity
        generation = self._generation
        identity, seconds = await ask()
        if generation == self._generation and seconds > 0:
            self._keep(slot, _Entry(identity, now + min(REMEMBER_SECONDS, seconds)))
        return identity

    def _keep(self, slot: bytes, entry: _Entry) -> None:
        if len(self._entries) >= ENTRIES:
            self.forget()  # all at once: rare, cheap, and no bookkeeping for each use
        self._entries[slot] = entry
        for name in _concerns(entry.identity):
            self._slots.setdefault(name, set()).add(slot)

    async def _ask_token(self, token: str) -> tuple[Identity, float]:
        if self._keys.tokens.is_of_unknown_key(token):
            await self._keys.refresh_for_unknown()
        claims = self._keys.tokens.verify(token, datetime.now(UTC))
        identity = await (self._ask_client(claims) if isinstance(claims, ClientClaims) else self._ask_session(claims))
        return identity, claims.expires_at + LEEWAY_SECONDS - time.time()

    async def _ask_client(self, claims: ClientClaims) -> Identity:
        """A client reaches what its token was granted and what is still permitted to it."""
        async with self._pool.acquire() as connection:
            found = await access.find_client(connection, claims.organization_id, claims.client_id, claims.grant_id)
        if found is None:
            raise Unauthenticated(NOT_VALID)
        still = [one for one in found.permissions if one in claims.scopes]
        return _machine(Caller.CLIENT, replace(found, permissions=still))

    async def _ask_session(self, claims: Claims) -> Identity:
        async with self._pool.acquire() as connection:
            found = await access.list_session_memberships(connection, claims.session_id, claims.user_id)
        personal = next((one.organization_id for one in found if one.personal), None)
        if personal is None:
            raise Unauthenticated(NOT_VALID)
        return Person(
            claims.user_id,
            claims.session_id,
            OrganizationId(personal),
            {
                one.organization_id: _membership(one.organization_id, Role(one.role), one.plan, one.paused)
                for one in found
            },
        )

    async def _ask_key(self, text: str, sha256: bytes) -> tuple[Identity, float]:
        if not is_well_formed(text):
            raise Unauthenticated(NO_SUCH_KEY)
        async with self._pool.acquire() as connection:
            found = await access.find_key(connection, sha256)
        if found is None:
            raise Unauthenticated(NO_SUCH_KEY)
        networks = tuple(ip_network(network) for network in found.ip_allow)
        machine = _machine(Caller.KEY, found, networks, found.requests_per_hour)
        left = REMEMBER_SECONDS if found.expires_at is None else found.expires_at.timestamp() - time.time()
        return machine, left


def _machine(kind: Caller, found: access.Machine, networks: Networks = (), per_hour: int | None = None) -> Machine:
    membership = _membership(found.organization_id, MACHINE_ROLE, found.plan, found.paused)
    scopes = frozenset(Scope(one) for one in found.permissions)
    return Machine(kind, found.id, membership, scopes, networks, per_hour)


def _membership(organization_id: UUID, role: Role, plan: str, paused: bool) -> Membership:
    return Membership(OrganizationId(organization_id), role, Plan(plan), paused)


def _concerns(identity: Identity) -> list[str]:
    """The changes after which an identity has to be asked about again."""
    match identity:
        case Person():
            own = [f"user:{identity.user_id}", f"session:{identity.session_id}"]
            return own + [f"organization:{one}" for one in identity.memberships]
        case Machine():
            return [f"{identity.kind}:{identity.id}", f"organization:{identity.membership.organization_id}"]
