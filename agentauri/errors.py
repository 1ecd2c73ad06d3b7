"""Every error that AgentAuri raises on purpose, in one tree.

    AgentAuriError
    ├── ConfigError              a setting is missing, unknown or unsafe; the message names it and the remedy
    ├── StartError               the service or one of its parts cannot start here; the message has the remedy
    ├── RequestError             a caller's mistake, or a limit; becomes a problem+json answer
    │   ├── InvalidRequest       400, carries (pointer, detail) pairs
    │   ├── Unauthenticated      401
    │   ├── PayloadTooLarge      413
    │   ├── UnsupportedMediaType 415
    │   ├── Forbidden            403
    │   ├── NotFound             404
    │   ├── Conflict             409
    │   ├── LimitReached         403
    │   ├── IdempotencyMismatch  422
    │   ├── AccountLocked        429
    │   ├── RateLimited          429
    │   └── Unavailable          503
    ├── OAuthRefused             a token request is refused, in the words of RFC 6749
    ├── ChainError
    │   ├── DecodeError          a log does not fit the layout of its topic
    │   ├── RpcError             a provider's JSON-RPC error, or nonsense in its answer
    │   │   ├── RangeTooLarge    the provider wants a smaller block range
    │   │   └── RpcTimeout       the provider did not answer in time
    │   ├── RpcUnavailable       no provider of the chain can be used now
    │   └── RangeNotWhole        a range's logs cannot be shown to be whole and of one fork
    ├── StoreError
    │   ├── MigrationError       a migration is missing, changed or fails
    │   └── Fenced               somebody else owns the row that was to be written
    └── ChannelError
        ├── TemplateError        a template does not parse, names something unknown, or grows too large
        ├── MailFailed           a mail cannot be written, or its server did not take it
        ├── Blocked              the outbound guard refuses a destination
        └── Unobtainable         a file that a delivery needs cannot be had, or is not what it should be

Each passes all its arguments to ``super().__init__``, so that it survives pickling between Ray processes.
"""

from collections.abc import Sequence


class AgentAuriError(Exception):
    """Base of every error raised on purpose."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)

    @property
    def message(self) -> str:
        """The sentence for people: the first argument."""
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(AgentAuriError):
    """A setting is missing, unknown or unsafe."""


class StartError(AgentAuriError):
    """The service cannot start here; the message says what to do."""


class RequestError(AgentAuriError):
    """A request that is refused; ``code`` and ``status`` are those of the HTTP answer."""

    code = "invalid_request"
    status = 400


class InvalidRequest(RequestError):
    """Input that does not fit. ``problems`` are (JSON pointer, detail) pairs, most specific first."""

    def __init__(self, message: str, problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, tuple(problems))
        self.problems = tuple(problems)


class Unauthenticated(RequestError):
    """No valid credentials."""

    code, status = "unauthenticated", 401


class Forbidden(RequestError):
    """The caller's role or scopes do not reach."""

    code, status = "forbidden", 403


class NotFound(RequestError):
    """No such thing for this caller; another organization's things are not found either."""

    code, status = "not_found", 404


class PayloadTooLarge(RequestError):
    """The body is larger than is read."""

    code, status = "payload_too_large", 413


class UnsupportedMediaType(RequestError):
    """The body is of a kind that is not understood here."""

    code, status = "unsupported_media_type", 415


class Conflict(RequestError):
    """The request contradicts what is stored."""

    code, status = "conflict", 409


class LimitReached(RequestError):
    """A limit of the organization's plan, named in the message."""

    code, status = "limit_reached", 403


class AccountLocked(RequestError):
    """Too many failed logins; ``retry_after`` is in seconds."""

    code, status = "account_locked", 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class RateLimited(RequestError):
    """Too many requests; ``retry_after`` is in seconds."""

    code, status = "rate_limited", 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class IdempotencyMismatch(RequestError):
    """An Idempotency-Key that came before with another request."""

    code, status = "idempotency_mismatch", 422


class Unavailable(RequestError):
    """A part that the request needs is away."""

    code, status = "unavailable", 503


class OAuthRefused(AgentAuriError):
    """A token request is refused: ``error`` is RFC 6749's name for it, the message its description, in ASCII."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error, description)
        self.error, self.description = error, description

    @property
    def message(self) -> str:
        """The sentence for people."""
        return self.description


class ChainError(AgentAuriError):
    """Something about a chain or its providers."""


class DecodeError(ChainError):
    """A log does not fit the layout that its first topic names."""


class RpcError(ChainError):
    """A provider answered an error, or something that is no answer."""

    def __init__(self, message: str, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, code, retry_after)
        self.code = code
        self.retry_after = retry_after


class RangeTooLarge(RpcError):
    """The provider will answer only for a smaller block range."""


class RpcTimeout(RpcError):
    """The provider did not answer in time; a smaller question may help."""


class RpcUnavailable(ChainError):
    """No provider of the chain can be used at this moment."""


class RangeNotWhole(ChainError):
    """The logs of a range could not be shown to be whole and of one fork (protocol P7a, P9)."""


class StoreError(AgentAuriError):
    """Something about the database or Redis."""


class MigrationError(StoreError):
    """A migration is missing, was changed after it ran, or fails."""


class Fenced(StoreError):
    """The row belongs to another owner now; drop what is in memory and load again (protocol P8, P13)."""


class ChannelError(AgentAuriError):
    """Something about sending."""


class TemplateError(ChannelError):
    """A template does not parse, names something unknown, or its result is too large."""


class MailFailed(ChannelError):
    """A mail cannot be written, or the mail server did not take it."""


class Blocked(ChannelError):
    """The outbound guard refuses the destination."""


class Unobtainable(ChannelError):
    """A file that a delivery needs cannot be had, or is not what it should be.

    ``is_final``: asking again would not help. ``status`` is that of the HTTP answer, if there was one, and
    ``retry_after`` the seconds that it asks for.
    """

    def __init__(
        self, message: str, is_final: bool = True, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, is_final, status, retry_after)
        self.is_final = is_final
        self.status = status
        self.retry_after = retry_after
