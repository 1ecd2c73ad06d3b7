"""Who somebody is at a login provider: what Google and GitHub say of an account, in one shape."""

from dataclasses import dataclass
from enum import StrEnum

MAX_SUBJECT_LENGTH = 255
MAX_NAME_LENGTH = 255
MAX_EMAIL_LENGTH = 1024
"""What is longer than an address may be is refused where its form is checked; cut here it would be another one."""


class Provider(StrEnum):
    """A provider of social login."""

    GOOGLE = "google"
    GITHUB = "github"

    @property
    def brand(self) -> str:
        """Its name as it writes it itself."""
        return {Provider.GOOGLE: "Google", Provider.GITHUB: "GitHub"}[self]


@dataclass(frozen=True, slots=True)
class Profile:
    """An account of a provider. ``subject`` alone says who it is: it never changes and is never given twice.

    ``email_verified``: the provider says that the account's owner reads that address.
    """

    provider: Provider
    subject: str
    email: str | None
    email_verified: bool
    name: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that has begun: what only the browser and this server know of it until it comes back."""

    state: str
    verifier: str
    nonce: str
