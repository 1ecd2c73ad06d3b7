"""Social login's own secrets, and the rule by which an account of a provider meets one of ours.

The one-time code is what a browser carries to its front end: 256 bits, five minutes, once, stored as SHA-256. A front
end that sent a challenge must show its verifier with the code (as in RFC 7636), so that a code which somebody else
slipped into its address is of no use: that is how it keeps login CSRF out.
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from hmac import compare_digest

from agentauri.accounts.emails import parse_email
from agentauri.models.social import Attempt, Profile

CODE_PREFIX = "aurc_"
RANDOM_BYTES = 32
CODE_LIFETIME = timedelta(minutes=5)
ATTEMPT_LIFETIME = timedelta(minutes=10)
"""How long somebody may take at the provider."""


def make_attempt() -> Attempt:
    """The secrets of a new login."""
    return Attempt(*(secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3)))


def make_code() -> tuple[str, bytes]:
    """A new one-time code, and what is stored of it."""
    code = CODE_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return code, hash_of(code)


def hash_of(secret: str) -> bytes:
    """What is stored of a secret that is random by itself."""
    return hashlib.sha256(secret.encode()).digest()


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return urlsafe_b64encode(hash_of(verifier)).decode().rstrip("=")


def is_answered(challenge: str | None, verifier: str | None) -> bool:
    """Whether the verifier is the one behind the challenge; without a challenge none is needed, nor taken."""
    if challenge is None or verifier is None:
        return challenge is verifier
    return compare_digest(challenge, challenge_of(verifier))


def email_of(profile: Profile) -> str | None:
    """The profile's address in our form; None when there is none that could be one."""
    try:
        return None if profile.email is None else parse_email(profile.email)
    except ValueError:
        return None


def may_attach(profile: Profile, *, verified_here: bool) -> bool:
    """Whether an account of ours with the same e-mail is taken for the same person: when both sides verified it.

    One side alone proves nothing: anybody can register here with another's address, or write one into a profile there.
    """
    return profile.email_verified and verified_here
