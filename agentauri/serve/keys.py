"""The access-token keys of this replica: loaded, rotated, and loaded again before anybody misses one.

Keys live sealed in PostgreSQL and are made under a lock, so all replicas sign with the same; the next key is stored
30 days before it signs, and every replica looks every few minutes. A key id that is not known makes it look at once,
at most every few seconds.
"""

import asyncio
import time
from datetime import UTC, datetime

import orjson
from joserfc.jwk import OKPKey

from agentauri import logs
from agentauri.accounts.tokens import AccessTokens, SigningKey, keys_to_make, make_key
from agentauri.store import signing_keys
from agentauri.store.database import AWAY, Pool
from agentauri.store.vault import Vault

log = logs.get("keys")
REFRESH_SECONDS = 300.0
RETRY_SECONDS = 5.0


class Keys:
    """Holds ``tokens``, which is replaced whole at every refresh."""

    def __init__(self, pool: Pool, vault: Vault, *, issuer: str) -> None:
        self._pool, self._vault, self._issuer = pool, vault, issuer
        self.tokens = AccessTokens([], issuer=issuer, audience=issuer)
        self._loaded = -RETRY_SECONDS

    async def refresh(self) -> None:
        """Load the keys, making those that are missing."""
        async with self._pool.acquire() as connection, connection.transaction():
            stored = await signing_keys.list_live(connection)
            if _missing(stored):
                await signing_keys.lock(connection)
                await signing_keys.delete_expired(connection)
                for start in _missing(await signing_keys.list_live(connection)):
                    await signing_keys.insert(connection, self._seal(make_key(start)))
                stored = await signing_keys.list_live(connection)
        self.tokens = AccessTokens([self._open(row) for row in stored], issuer=self._issuer, audience=self._issuer)
        self._loaded = time.monotonic()

    async def refresh_for_unknown(self) -> bool:
        """Look again for a key that is not known here; False when that was done a moment ago."""
        if time.monotonic() - self._loaded < RETRY_SECONDS:
            return False
        await self.refresh()
        return True

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except AWAY as error:
                log.warning("keys_not_refreshed", error=repr(error))

    def _seal(self, key: SigningKey) -> signing_keys.StoredKey:
        private = orjson.dumps(key.key.as_dict(private=True))
        sealed = self._vault.seal(private, f"signing_key:{key.kid}")
        return signing_keys.StoredKey(key.kid, key.public(), sealed, key.signs_from, key.signs_until, key.expires_at)

    def _open(self, row: signing_keys.StoredKey) -> SigningKey:
        private = orjson.loads(self._vault.open(row.sealed, f"signing_key:{row.kid}"))
        key = OKPKey.import_key({**private, "kid": row.kid})
        return SigningKey(key, row.signs_from, row.signs_until, row.expires_at)


def _missing(stored: list[signing_keys.StoredKey]) -> list[datetime]:
    return keys_to_make([(row.signs_from, row.signs_until) for row in stored], datetime.now(UTC))
