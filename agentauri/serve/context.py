"""What the routes of one replica share: opened when the application starts, closed when it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from agentauri import logs
from agentauri.accounts.passwords import Cost, Passwords
from agentauri.actors.tasks import cancel, spawn
from agentauri.chain.contract_wallets import ContractWallets
from agentauri.config import Settings
from agentauri.serve.access import Access
from agentauri.serve.csrf import Csrf
from agentauri.serve.disabled_actions import DisabledMails
from agentauri.serve.gate import Gate
from agentauri.serve.key_uses import KeyUses
from agentauri.serve.keys import Keys
from agentauri.serve.limiter import Limiter
from agentauri.serve.outbox import Outbox, mailer_of
from agentauri.serve.peer import Peers
from agentauri.serve.providers import Providers
from agentauri.serve.rendered import Rendered
from agentauri.serve.streams import Streams
from agentauri.serve.system.service import Monitor
from agentauri.serve.trials import Trials
from agentauri.store.checkpoints import identity
from agentauri.store.database import Pool, open_pool
from agentauri.store.health import RedisProbe
from agentauri.store.rate_limits import RateLimits
from agentauri.store.vault import Vault

log = logs.get("api")
POOL_SIZE = 8
SEARCHES = 4
"""Lists of events under way at once: they may look far back, and must leave connections to everything else."""
CLOSE_SECONDS = 3.0


@dataclass(slots=True)
class Context:
    """One replica's connections and services."""

    settings: Settings
    pool: Pool
    redis: RedisProbe
    vault: Vault
    passwords: Passwords
    keys: Keys
    access: Access
    key_uses: KeyUses
    csrf: Csrf
    limiter: Limiter
    mailer: Outbox
    gate: Gate
    peers: Peers
    wallets: ContractWallets
    providers: Providers
    monitor: Monitor
    searches: asyncio.Semaphore
    rendered: Rendered
    streams: Streams
    trials: Trials


@asynccontextmanager
async def open_context(settings: Settings, cost: Cost) -> AsyncIterator[Context]:
    """Open everything; close it in the opposite order. Raises StartError when the database cannot be reached."""
    secret = settings.secret_key.get_secret_value()
    vault = Vault(secret, settings.earlier_keys())
    url = settings.stores.database_url.get_secret_value()
    pool = await open_pool(url, size=POOL_SIZE, name="api", reset=False)
    prefix = await _identity(pool)
    redis = RedisProbe(settings.stores.redis_url.get_secret_value())
    passwords = Passwords(cost=cost)
    keys = Keys(pool, vault, issuer=settings.public_url)
    context = Context(
        settings=settings,
        pool=pool,
        redis=redis,
        vault=vault,
        passwords=passwords,
        keys=keys,
        access=Access(pool, keys, url),
        key_uses=KeyUses(pool),
        csrf=Csrf(secret),
        limiter=Limiter.of(settings, RateLimits.open(settings.stores.redis_url.get_secret_value(), prefix)),
        mailer=Outbox(mailer_of(settings)),
        gate=Gate(),
        peers=Peers(settings.http.trusted_proxies),
        wallets=ContractWallets({chain.id: _http(chain.rpc_urls) for chain in settings.chains}),
        providers=Providers(settings),
        monitor=Monitor(pool, redis),
        searches=asyncio.Semaphore(SEARCHES),
        rendered=Rendered(),
        streams=Streams(url),
        trials=Trials.open(settings),
    )
    try:
        await keys.refresh()
        async with _background(context):
            yield context
        await context.mailer.close()
        await context.key_uses.write()
    finally:
        passwords.close()
        await context.trials.close()
        await context.limiter.close()
        await context.wallets.close()
        await context.providers.close()
        await redis.close()
        await _close(pool)


@asynccontextmanager
async def _background(context: Context) -> AsyncIterator[None]:
    """What a replica does beside its requests, for ever."""
    eternal = {
        "signing keys": context.keys.keep_fresh(),
        "changes": context.access.changes.listen(),
        "key uses": context.key_uses.keep_writing(),
        "mails of disabled actions": DisabledMails(
            context.pool, context.mailer, context.settings.public_url
        ).keep_sending(),
        "streams' doorbell": context.streams.doorbell.listen(),
    }
    running = [spawn(work, name=name, eternal=True) for name, work in eternal.items()]
    try:
        yield
        await context.streams.close()
    finally:
        await cancel(*running)


async def _identity(pool: Pool) -> str:
    """The prefix of this database's keys in Redis."""
    try:
        async with pool.acquire() as connection:
            return await identity(connection)
    except BaseException:
        await _close(pool)
        raise


def _http(urls: Sequence[str]) -> list[str]:
    """The addresses that calls go to; WebSockets are for announcements."""
    return [url for url in urls if url.startswith("http")]


async def _close(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
    except TimeoutError:
        log.warning("pool_terminated", reason="a query was still running")
        pool.terminate()


def set_context(app: FastAPI, context: Context) -> None:
    """Make ``context`` that of ``app``."""
    app.state.context = context


async def get_context(request: Request) -> Context:
    """The context of the application that serves ``request``; async, or FastAPI would ask a thread for it."""
    context: Context = request.app.state.context
    return context


In = Annotated[Context, Depends(get_context)]
"""A route's parameter for the context."""
