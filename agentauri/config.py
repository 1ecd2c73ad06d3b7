"""Every setting, where it comes from, and which values production refuses.

A setting comes from the environment (``AGENTAURI_…``, nested with ``__``; ``DATABASE_URL`` and ``REDIS_URL`` too),
else from ``agentauri.toml``, else its default here. Unknown keys are errors that name the nearest known one.
Only whoever builds a process from settings imports this module; the plain core takes values as arguments.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """A table of the file: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Http(Section):
    """Where the API listens, and whom it trusts."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    cors_origins: tuple[str, ...] = ("http://localhost:3000",)
    trusted_proxies: tuple[str, ...] = ()


class Stores(Section):
    """PostgreSQL and Redis; empty addresses mean embedded ones in ``data_dir``."""

    database_url: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")


class Actors(Section):
    """How many processes the path has. ``evaluators`` divides the 64 partitions."""

    evaluators: int = Field(2, ge=1, le=64)
    deliverers_min: int = Field(1, ge=1, le=256)
    deliverers_max: int = Field(8, ge=1, le=256)


class Outbound(Section):
    """What the outbound guard lets through beside public addresses."""

    allowed_networks: tuple[str, ...] | None = None
    """None: loopback in development and tests, nothing in production."""
    ipfs_gateways: tuple[str, ...] = ("https://ipfs.io",)


class Metrics(Section):
    """The unexposed Prometheus port of the API process."""

    port: int = Field(9090, ge=1, le=65535)


class RaySettings(Section):
    """The Ray cluster: an address to join, or empty for a local one of our own."""

    address: str = ""
    dashboard_port: int = Field(8265, ge=1, le=65535)


class Log(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Retention(Section):
    """Days that finished rows are kept; 0 keeps them for ever."""

    events_days: int = Field(0, ge=0)
    deliveries_days: int = Field(90, ge=0)
    attempts_days: int = Field(30, ge=0)
    audit_days: int = Field(365, ge=0)


class RateLimits(Section):
    """``shadow`` counts without refusing."""

    mode: Literal["shadow", "enforce"] | None = None
    """None: shadow in development, enforce in production."""


class Chain(Section):
    """One watched chain. Empty registry addresses take the defaults of its id; see ``chain/registries.py``."""

    name: str = Field(min_length=1, max_length=64)
    id: int = Field(ge=1, le=2**63 - 1)
    rpc_urls: tuple[str, ...] = Field(min_length=1)
    start_block: int = Field(0, ge=0)
    confirmations: int | None = Field(None, ge=0, le=10_000)
    """None: 0 on test chains, 2 on main chains."""
    poll_interval_ms: int = Field(2000, ge=50, le=600_000)
    max_range_blocks: int = Field(10_000, ge=1, le=1_000_000)
    identity: str | None = None
    """None: the default address of the chain id; empty: not watched."""
    reputation: str | None = None
    validation: str | None = None


class Settings(Section):
    """All settings of a deployment."""

    secret_key: SecretStr = SecretStr("")
    """Root of every key at rest; made and kept in ``data_dir`` (mode 0600) in development, required in production."""
    public_url: str = "http://127.0.0.1:8000"
    environment: Literal["development", "test", "production"] = "development"
    data_dir: Path = Path(".agentauri")
    http: Http = Http()
    stores: Stores = Stores()
    actors: Actors = Actors()
    outbound: Outbound = Outbound()
    metrics: Metrics = Metrics()
    ray: RaySettings = RaySettings()
    log: Log = Log()
    retention: Retention = Retention()
    rate_limits: RateLimits = RateLimits()
    chains: tuple[Chain, ...] = ()

    def allowed_networks(self) -> tuple[str, ...]:
        """Networks that the outbound guard lets through beside public ones."""
        if self.outbound.allowed_networks is not None:
            return self.outbound.allowed_networks
        return () if self.environment == "production" else ("127.0.0.0/8", "::1/128")


def load(path: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read settings from the environment over the file. Raises ConfigError that names the key and the remedy."""
    raise NotImplementedError
