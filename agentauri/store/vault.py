"""Secrets at rest: AES-256-GCM under keys derived from the deployment's one secret key.

A sealed value names the key that sealed it, so that a rotated secret key is noticed, and is bound to its context
(``webhook_secret:<organization>``): moved to another row it does not open. The part of a context before the first
colon is its purpose, and each purpose has a key of its own. Nothing here hides how long a secret is.
"""

import hashlib
from collections.abc import Sequence
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agentauri.errors import ConfigError, StoreError

FORMAT = b"\x01"
KEY_ID_BYTES = 8
NONCE_BYTES = 12
KEY_BYTES = 32
MIN_SECRET_KEY_LENGTH = 32


def key_id(secret_key: str) -> bytes:
    """The public name of a secret key; tells nothing about it."""
    return hashlib.sha256(b"agentauri key id\0" + secret_key.encode()).digest()[:KEY_ID_BYTES]


class Vault:
    """Seals with ``secret_key``; opens also what ``previous`` keys sealed, so that a rotation needs no stop."""

    def __init__(self, secret_key: str, previous: Sequence[str] = ()) -> None:
        if len(secret_key) < MIN_SECRET_KEY_LENGTH:
            raise ConfigError(
                f"secret_key must have at least {MIN_SECRET_KEY_LENGTH} characters; `openssl rand -hex 32` makes one."
            )
        self._current = key_id(secret_key)
        self._secrets = {key_id(key): key.encode() for key in (*previous, secret_key)}
        self._ciphers: dict[tuple[bytes, str], AESGCM] = {}

    @property
    def key_id(self) -> bytes:
        """The name of the key that seals now."""
        return self._current

    def is_current(self, sealed: bytes) -> bool:
        """Whether the key that seals now sealed this, too."""
        return sealed.startswith(FORMAT + self._current)

    def seal(self, data: bytes, context: str) -> bytes:
        """Encrypt ``data`` so that it opens under the same context alone."""
        nonce = token_bytes(NONCE_BYTES)
        sealed = self._cipher(self._current, context).encrypt(nonce, data, context.encode())
        return FORMAT + self._current + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt. Raises StoreError when the key is not known here, or the value is damaged or of another context."""
        head = len(FORMAT) + KEY_ID_BYTES
        name, nonce, rest = sealed[len(FORMAT) : head], sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :]
        if not sealed.startswith(FORMAT) or name not in self._secrets:
            raise StoreError(
                "a stored secret was sealed with another secret_key; set the secret_key that was used then."
            )
        try:
            return self._cipher(name, context).decrypt(nonce, rest, context.encode())
        except InvalidTag as error:
            raise StoreError(f"a stored secret of {context} is damaged or belongs elsewhere.") from error

    def _cipher(self, key: bytes, context: str) -> AESGCM:
        purpose = context.partition(":")[0]
        cipher = self._ciphers.get((key, purpose))
        if cipher is None:
            derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"agentauri " + purpose.encode())
            cipher = self._ciphers[key, purpose] = AESGCM(derived.derive(self._secrets[key]))
        return cipher
