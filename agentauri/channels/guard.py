"""The one door for requests to places that users named: an aiohttp session that reaches public addresses only.

A host name is resolved once, all its addresses are checked, and the address that is dialled is checked again where
its socket is made, so neither a literal nor a name that changes its mind gets through. No redirect is followed, no
proxy is taken from the environment, no cookie is kept. What time an attempt may take is its caller's business.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from agentauri.channels.addresses import Policy
from agentauri.channels.journey import note_opened

DNS_THREADS = 256
"""A lookup that hangs keeps its thread after its attempt has given up; one tenant's dead names leave others enough."""
DNS_SECONDS = 5.0
DNS_CACHE_SECONDS = 10
KEEP_ALIVE_SECONDS = 30.0
MAX_OPEN_SOCKETS = 1024
"""Beyond this many, connections are closed after their request instead of kept."""
MAX_BODY_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 8190

AddressInfo: TypeAlias = tuple[Any, Any, int, str, tuple[Any, ...]]
Lookup: TypeAlias = Callable[[str, int], list[AddressInfo]]


def system_lookup(host: str, port: int) -> list[AddressInfo]:
    """What the system's resolver answers. Blocks. Raises socket.gaierror."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP))


class GuardedResolver(AbstractResolver):
    """Resolves in threads of its own, and refuses a name when any of its addresses is refused."""

    def __init__(self, policy: Policy, lookup: Lookup = system_lookup) -> None:
        self._policy = policy
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of ``host``. Raises Blocked, and OSError when there is no answer in time."""
        answer = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host, port)
        try:
            found = await asyncio.wait_for(answer, DNS_SECONDS)
        except TimeoutError as error:
            message = f"the name service gave no answer within {DNS_SECONDS:g} s"
            raise socket.gaierror(socket.EAI_AGAIN, message) from error
        for _, _, _, _, address in found:
            self._policy.check(str(address[0]), port)
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=kind, proto=proto, flags=0)
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Let go of the threads; those that hang end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedClient:
    """A session behind the guard. ``crowded`` says that new connections should not be kept."""

    def __init__(
        self, policy: Policy, *, traces: list[aiohttp.TraceConfig] | None = None, lookup: Lookup = system_lookup
    ) -> None:
        self._policy = policy
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self.connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(policy, lookup),
            socket_factory=self._open_socket,
            ttl_dns_cache=DNS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            limit=0,
        )
        self.session = aiohttp.ClientSession(
            connector=self.connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            trace_configs=traces,
        )

    def _open_socket(self, info: AddressInfo) -> socket.socket:
        family, kind, proto, _, address = info
        self._policy.check(str(address[0]), int(address[1]))
        opened = socket.socket(family, kind, proto)
        self._sockets.add(opened)
        note_opened()
        return opened

    @property
    def crowded(self) -> bool:
        """Whether more sockets are open than should be kept."""
        return len(self._sockets) > MAX_OPEN_SOCKETS

    async def close(self) -> None:
        """Close every connection."""
        await self.session.close()


async def read_capped(content: aiohttp.StreamReader) -> tuple[bytes, bool]:
    """The body up to the cap, and whether it is longer; what was not read costs the connection when it is released."""
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            return b"".join(parts)[:MAX_BODY_BYTES], True
    return b"".join(parts), False
