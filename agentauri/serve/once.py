"""The one transaction of a request that creates or spends, done once however often the request is sent.

With an ``Idempotency-Key`` the answer is kept, sealed, in the transaction of its effect: the same request again gets
the stored answer, another one under the same key is refused, and while the first still runs so is the second.
A request that fails leaves nothing, its key included. What is slow (hashes, other servers) is done before ``perform``.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import Response

from agentauri.accounts.roles import Principal
from agentauri.errors import Conflict, IdempotencyMismatch
from agentauri.serve.caller import client_of
from agentauri.serve.context import Context
from agentauri.store import idempotency
from agentauri.store.database import Connection
from agentauri.store.idempotency import StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY = 255
RUNNING = "a request with this Idempotency-Key is still under way; ask again in a moment."
MISMATCH = "this Idempotency-Key came before with another request; use a new key for a new request."

Work = Callable[[Connection], Awaitable[Response]]
Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=MAX_KEY,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key and request again get the first answer, for 24 hours.",
    ),
]


@dataclass(frozen=True, slots=True)
class OnceRequest:
    """One request that creates or spends. ``key`` is its Idempotency-Key; None: it came without."""

    context: Context
    request: Request
    key: str | None

    async def perform(self, principal: Principal | None, work: Work) -> Response:
        """Run ``work`` in a transaction and commit it with its answer. ``principal`` None: an open route.

        Raises Conflict while the same key is under way, IdempotencyMismatch, and what ``work`` raises.
        """
        async with self.context.pool.acquire() as connection, connection.transaction():
            if self.key is None:
                return await work(connection)
            return await self._perform_once(connection, self.key, self._caller(principal), work)

    async def _perform_once(self, connection: Connection, key: str, caller: str, work: Work) -> Response:
        asked = await self._hash()
        if not await idempotency.try_lock(connection, caller, key):
            raise Conflict(RUNNING)
        found = await idempotency.find_answer(connection, caller, key)
        if found is None:
            answer = await work(connection)
            sealed = self.context.vault.seal(bytes(answer.body), f"idempotency:{caller}")
            kept = StoredAnswer(asked, answer.status_code, answer.media_type or "", sealed)
            await idempotency.keep_answer(connection, caller, key, kept)
            return answer
        if found.request != asked:
            raise IdempotencyMismatch(MISMATCH)
        body = self.context.vault.open(found.sealed, f"idempotency:{caller}")
        headers = {REPLAYED: "true", "Cache-Control": "no-store"}
        return Response(body, found.status, headers, found.media_type or None)

    def _caller(self, principal: Principal | None) -> str:
        """Whose key this is: keys of different callers, and of one caller in two organizations, do not meet."""
        if principal is None:
            return f"anonymous:{client_of(self.request).ip}"
        return f"{principal.kind}:{principal.id}:{principal.organization_id}"

    async def _hash(self) -> bytes:
        head = f"{self.request.method} {self.request.url.path}?{self.request.url.query}\n"
        return hashlib.sha256(head.encode() + await self.request.body()).digest()


async def _once(request: Request, key: Key = None) -> OnceRequest:
    return OnceRequest(request.app.state.context, request, key)


Once = Annotated[OnceRequest, Depends(_once)]
"""A route's parameter for its one transaction."""
