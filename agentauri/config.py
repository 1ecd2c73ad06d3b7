"""Every setting, where it comes from, and which values production refuses.

A setting comes from the environment (``AGENTAURI_…``, nested with ``__``; ``DATABASE_URL`` and ``REDIS_URL`` too),
else from ``agentauri.toml``, else its default here. Unknown keys are errors that name the nearest known one.
Only whoever builds a process from settings imports this module; the plain core takes values as arguments.
"""

import os
import re
import secrets
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator

from agentauri import config_sources
from agentauri.config_limits import Limits
from agentauri.config_rates import RateLimits
from agentauri.config_section import Section
from agentauri.errors import ConfigError

FILE = Path("agentauri.toml")
SECRET_KEY_BYTES = 32
MIN_SECRET_KEY_LENGTH = 32
ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def _check_network(text: str) -> str:
    ip_network(text)
    return text


def _check_origin(text: str) -> str:
    """Exactly what a browser sends: another spelling would match nothing, and "null" is every sandboxed page."""
    origin = text.rstrip("/").lower()
    if text != "*" and not ORIGIN.fullmatch(origin):
        raise ValueError('has to be an origin such as "https://app.example.com", without a path')
    return origin


def _check_url(*schemes: str, may_be_empty: bool = False) -> AfterValidator:
    def check(text: str) -> str:
        if may_be_empty and not text:
            return text
        if urlsplit(text).scheme not in schemes or not urlsplit(text).hostname:
            raise ValueError(f"has to be an {' or '.join(f'{scheme}://' for scheme in schemes)} address")
        return text.rstrip("/")

    return AfterValidator(check)


def _check_scheme(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if value.get_secret_value() and urlsplit(value.get_secret_value()).scheme not in schemes:
            raise ValueError(f"has to start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(check)


Origin = Annotated[str, AfterValidator(_check_origin)]
Network = Annotated[str, AfterValidator(_check_network)]
HttpUrl = Annotated[str, _check_url("http", "https")]
RpcUrl = Annotated[str, _check_url("http", "https", "ws", "wss")]
Port = Annotated[int, Field(ge=1, le=65535)]
HighPort = Annotated[int, Field(ge=1024, le=65535)]
Address = Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{40})?$")]


class Http(Section):
    """Where the API listens, and whom it trusts."""

    host: str = "127.0.0.1"
    """Address that the API listens on."""
    port: Port = 8000
    """Port that the API listens on."""
    cors_origins: tuple[Origin, ...] = ("http://localhost:3000",)
    """Origins whose pages may call the API from a browser; exact, no wildcards in production."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of reverse proxies whose X-Forwarded-For is believed."""


class Stores(Section):
    """PostgreSQL and Redis."""

    database_url: Annotated[SecretStr, _check_scheme("postgresql", "postgres")] = SecretStr("")
    """PostgreSQL 15 or newer; empty: an embedded one in data_dir. DATABASE_URL works too."""
    redis_url: Annotated[SecretStr, _check_scheme("redis", "rediss", "unix")] = SecretStr("")
    """Redis 7, Valkey 8 or newer; empty: an embedded one in data_dir. REDIS_URL works too."""


class Actors(Section):
    """How many processes the path of an event has."""

    evaluators: int = Field(2, ge=1, le=64)
    """Evaluators; they share the 64 partitions of triggers."""
    deliverers_min: int = Field(1, ge=1, le=256)
    """Deliverers that are always there."""
    deliverers_max: int = Field(8, ge=1, le=256)
    """Deliverers at most, when many deliveries wait."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.deliverers_min > self.deliverers_max:
            raise ValueError("deliverers_min is above deliverers_max")
        return self


class Outbound(Section):
    """What the outbound guard lets through beside public addresses."""

    allowed_networks: tuple[Network, ...] | None = None
    """Networks that deliveries may reach beside public ones; not set: loopback, in production nothing."""
    first_high_port: HighPort = 1024
    """Lowest port beside 80 and 443 that deliveries may reach."""
    last_high_port: HighPort = 65535
    """Highest port that deliveries may reach; below the lowest one: 80 and 443 alone."""
    ipfs_gateways: tuple[HttpUrl, ...] = ("https://ipfs.io",)
    """Gateways for ipfs:// addresses, tried in order."""


class Metrics(Section):
    """Prometheus."""

    port: Port = 9090
    """Port of the metrics, apart from the API's."""


class RaySettings(Section):
    """The Ray cluster."""

    address: str = ""
    """A cluster to join; empty: a local one of our own."""
    dashboard_port: Port = 8265
    """Port of the local cluster's dashboard."""
    object_store_mb: int = Field(512, ge=80, le=1_000_000)
    """Shared memory of the local cluster, in MiB."""


class Log(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lines below this are left out."""


class Retention(Section):
    """How long finished rows are kept."""

    events_days: int = Field(0, ge=0)
    """Days that events are kept; 0: for ever."""
    deliveries_days: int = Field(90, ge=0)
    """Days that finished deliveries are kept; 0: for ever."""
    attempts_days: int = Field(30, ge=0)
    """Days that attempts of deliveries are kept; 0: for ever."""
    audit_days: int = Field(365, ge=0)
    """Days that the audit log is kept; 0: for ever."""


class Telegram(Section):
    """Telegram's Bot API."""

    api_base: HttpUrl = "https://api.telegram.org"
    """Address of the Bot API: Telegram's, or of a server of your own."""
    bot_token: SecretStr = SecretStr("")
    """The bot of actions without a token of their own; empty: their messages fail, and say so."""


class Smtp(Section):
    """Outgoing mail: addresses to verify, passwords to reset, invitations."""

    url: Annotated[SecretStr, _check_scheme("smtp", "smtps")] = SecretStr("")
    """smtp:// or smtps:// with user and password; empty in development: mails become files in data_dir/mail."""
    sender: str = Field("", max_length=254, pattern=r"^([^\s@,;:<>()\[\]\"\\]+@[^\s@,;:<>()\[\]\"\\]+)?$")
    """The address that mails come from; empty: no-reply at the host of public_url."""


class OAuthProvider(Section):
    """A provider of social login; register public_url + /api/v1/auth/<provider>/callback there."""

    client_id: str = Field("", max_length=255)
    """Empty: not offered."""
    client_secret: SecretStr = SecretStr("")
    """The provider's secret for this client."""
    base_url: Annotated[str, _check_url("http", "https", may_be_empty=True)] = ""
    """Another address: an OpenID issuer, a GitHub Enterprise Server; https in production. Empty: the provider's own."""

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.client_id and not self.client_secret.get_secret_value():
            raise ValueError("client_id is set without client_secret")
        return self


class OAuth(Section):
    """Social login."""

    google: OAuthProvider = OAuthProvider()
    github: OAuthProvider = OAuthProvider()


class Chain(Section):
    """A watched chain; the table [[chains]] may stand several times."""

    name: str = Field(min_length=1, max_length=64)
    """A name for people."""
    id: int = Field(ge=1, le=2**63 - 1)
    """The EIP-155 chain id."""
    rpc_urls: tuple[RpcUrl, ...] = Field(min_length=1)
    """JSON-RPC providers, one http(s) address at least; with two or more, one takes over when another fails."""
    start_block: int = Field(0, ge=0)
    """The first block that is indexed, when the chain is new here."""
    confirmations: int | None = Field(None, ge=0, le=10_000)
    """Blocks on top of a block before it is indexed; not set: 2 on main chains, 0 on test chains."""
    poll_interval_ms: int = Field(2000, ge=50, le=600_000)
    """Milliseconds between two looks at the chain's head."""
    max_range_blocks: int = Field(10_000, ge=1, le=1_000_000)
    """Blocks in one eth_getLogs at most; smaller ranges are found by themselves."""
    requests_per_second: float | None = Field(None, gt=0, le=10_000)
    """Requests a second to each provider; not set: 50, to a provider on this machine any."""
    identity: Address | None = None
    """Identity registry; not set: the known address of the chain id, empty: not watched."""
    reputation: Address | None = None
    """Reputation registry; as above."""
    validation: Address | None = None
    """Validation registry; as above."""


class Settings(Section):
    """All settings of a deployment."""

    secret_key: SecretStr = SecretStr("")
    """Root of every key at rest, 32 characters or more; made and kept in data_dir in development."""
    previous_secret_keys: tuple[SecretStr, ...] = Field((), max_length=8)
    """Keys that sealed earlier and still open what they sealed, while `agentauri secrets rotate` is due."""
    public_url: HttpUrl = "http://127.0.0.1:8000"
    """The address under which users reach the API."""
    security_contact: Annotated[str, Field(pattern=r"^((mailto:|https://)[!-~]{3,250})?$")] = ""
    """Whom /.well-known/security.txt names, as mailto: or https:// address; empty: public_url."""
    environment: Literal["development", "test", "production"] = "development"
    """production refuses unsafe values: no secret key, open networks, embedded stores, "*" origins."""
    data_dir: Path = Path(".agentauri")
    """Folder of the embedded stores, the secret key and what a run keeps."""
    http: Http = Http()
    stores: Stores = Stores()
    actors: Actors = Actors()
    outbound: Outbound = Outbound()
    metrics: Metrics = Metrics()
    ray: RaySettings = RaySettings()
    log: Log = Log()
    retention: Retention = Retention()
    limits: Limits = Limits()
    rate_limits: RateLimits = RateLimits()
    telegram: Telegram = Telegram()
    smtp: Smtp = Smtp()
    oauth: OAuth = OAuth()
    chains: tuple[Chain, ...] = ()
    """Chains to watch."""

    @model_validator(mode="after")
    def _check_chains(self) -> Self:
        ids = [chain.id for chain in self.chains]
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise ValueError(f"chains: the id {twice} stands twice; a chain has one table with all its rpc_urls")
        return self

    @model_validator(mode="after")
    def _check_production(self) -> Self:
        if self.environment == "production" and (unsafe := list(_unsafe(self))):
            raise ValueError("production refuses: " + "; ".join(unsafe))
        return self

    def earlier_keys(self) -> tuple[str, ...]:
        """The secret keys that only open."""
        return tuple(key.get_secret_value() for key in self.previous_secret_keys)

    def allowed_networks(self) -> tuple[str, ...]:
        """Networks that the outbound guard lets through beside public ones."""
        if self.outbound.allowed_networks is not None:
            return self.outbound.allowed_networks
        return () if self.environment == "production" else ("127.0.0.0/8", "::1/128")

    def high_ports(self) -> range:
        """Ports beside 80 and 443 that the outbound guard lets through."""
        return range(self.outbound.first_high_port, self.outbound.last_high_port + 1)

    def rate_limit_mode(self) -> Literal["shadow", "enforce"]:
        """Whether requests beyond a limit are refused, or only counted."""
        return self.rate_limits.mode or ("enforce" if self.environment == "production" else "shadow")


def _unsafe(settings: Settings) -> list[str]:
    """Every value that production refuses, with the remedy."""
    found = []
    if len(settings.secret_key.get_secret_value()) < MIN_SECRET_KEY_LENGTH:
        found.append(f"secret_key is missing or short (set {MIN_SECRET_KEY_LENGTH} characters: openssl rand -hex 32)")
    if settings.outbound.allowed_networks:
        found.append("outbound.allowed_networks opens private networks (leave it out)")
    if not settings.stores.database_url.get_secret_value():
        found.append("stores.database_url is empty (the embedded PostgreSQL is for development; set DATABASE_URL)")
    if not settings.stores.redis_url.get_secret_value():
        found.append("stores.redis_url is empty (the embedded Valkey is for development; set REDIS_URL)")
    if "*" in settings.http.cors_origins:
        found.append('http.cors_origins has "*" (name the origins)')
    if any(ip_network(network).prefixlen == 0 for network in settings.http.trusted_proxies):
        found.append("http.trusted_proxies trusts everybody, who could then claim any address (name the proxies)")
    for name, provider in settings.oauth:
        if provider.base_url.startswith("http://"):
            found.append(f"oauth.{name}.base_url is in clear (use https://)")
    return found


def load(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    make_secret_key: bool = True,
) -> Settings:
    """Settings from ``overrides`` over the environment over the file over the defaults.

    ``path``: a file that has to be there; None: ``agentauri.toml`` of the working directory, if there is one.
    Outside production a missing secret key is read from ``data_dir``, or made there (unless ``make_secret_key`` is
    false). Raises ConfigError that names the key and the remedy.
    """
    file = FILE if path is None and FILE.exists() else path
    tables = config_sources.read_file(file) if file else {}
    tables = config_sources.merge(tables, config_sources.from_environment(Settings, environment))
    settings = build(config_sources.merge(tables, overrides or {}))
    if settings.secret_key.get_secret_value() or settings.environment == "production":
        return settings
    key = _find_secret_key(settings.data_dir) or (_make_secret_key(settings.data_dir) if make_secret_key else "")
    return settings.model_copy(update={"secret_key": SecretStr(key)})


def build(tables: Mapping[str, Any]) -> Settings:
    """Settings from nested tables. Raises ConfigError."""
    try:
        return Settings.model_validate(tables)
    except ValidationError as error:
        raise ConfigError(config_sources.complaint(Settings, error)) from error


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as ``build`` takes them and JSON can carry them, secrets in clear: for another process of ours."""

    def reveal(value: Any) -> Any:
        if isinstance(value, BaseModel):
            return {name: reveal(inner) for name, inner in value if inner is not None}
        if isinstance(value, tuple):
            return [reveal(inner) for inner in value]
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    tables: dict[str, Any] = reveal(settings)
    return tables | {"data_dir": str(settings.data_dir)}


def _find_secret_key(data_dir: Path) -> str:
    try:
        return (data_dir / "secret_key").read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{data_dir / 'secret_key'} cannot be read ({error}); set AGENTAURI_DATA_DIR to a folder of yours."
        ) from error


def _make_secret_key(data_dir: Path) -> str:
    """Make the file whole under another name first: of two processes at once one wins, and both read its key."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = data_dir / f"secret_key.{os.getpid()}"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(SECRET_KEY_BYTES) + "\n")
        try:
            os.link(half, data_dir / "secret_key")
        except FileExistsError:
            pass  # the other process was first: its key is the one
        finally:
            half.unlink()
    except OSError as error:
        raise ConfigError(
            f"no secret key can be kept in {data_dir} ({error.strerror}); set AGENTAURI_DATA_DIR to a folder of yours."
        ) from error
    return _find_secret_key(data_dir)
