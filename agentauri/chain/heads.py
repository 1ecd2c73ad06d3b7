"""A doorbell from providers that speak WebSocket: ``eth_subscribe`` to new heads.

It only rings. What the head is, and whether it can be believed, is asked over HTTP as ever, so a subscription that
breaks, lies or falls silent costs at most the poll interval. It reconnects by itself for as long as it runs.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import aiohttp
import orjson

from agentauri import logs
from agentauri.chain.pace import backoff
from agentauri.chain.rpc import label_of

HEARTBEAT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
MAX_MESSAGE_BYTES = 1 << 20
SUBSCRIBE = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}).decode()

log = logs.get("heads")


async def ring(url: str, bell: Callable[[], None]) -> None:
    """Call ``bell`` at every new head that the provider at ``url`` announces; ends by cancellation alone."""
    failures = 0
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            try:
                async for _ in _announced(session, url):
                    failures = 0
                    bell()
            except (aiohttp.ClientError, OSError, ValueError) as error:
                log.info("subscription_failed", provider=label_of(url), why=type(error).__name__)
            failures += 1
            await asyncio.sleep(backoff(failures, random.random()))


async def _announced(session: aiohttp.ClientSession, url: str) -> AsyncIterator[None]:
    """Once for each head. Ends when the connection does; raises ValueError for what is no JSON-RPC."""
    async with session.ws_connect(url, heartbeat=HEARTBEAT_SECONDS, max_msg_size=MAX_MESSAGE_BYTES) as socket:
        await socket.send_str(SUBSCRIBE)
        async for message in socket:
            said = orjson.loads(message.data)
            if not isinstance(said, dict) or said.get("error"):
                raise ValueError("the subscription was refused")
            if said.get("method") == "eth_subscription":
                yield None
