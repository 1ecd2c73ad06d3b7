"""Files that events name, fetched through the outbound guard: https, http, ipfs through gateways, data.

At most 1 MiB, within seconds, no redirects. A file says whether its URI vouches for its content: a ``data:`` URI holds
it, and what comes from IPFS is checked against its identifier block by block, so a gateway is not believed. Gateways
are tried in their order; nothing is remembered.
"""

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import aiohttp
from yarl import URL

from agentauri import __version__
from agentauri.channels.cids import DAG_PB, RAW, Cid, Node, Unixfs, cid_of, parse_cid, parse_node
from agentauri.channels.guard import MAX_BODY_BYTES, GuardedClient, read_capped
from agentauri.channels.progress import Progress
from agentauri.channels.retry import judge_status, parse_retry_after
from agentauri.errors import Unobtainable
from agentauri.models.delivery import Judgement
from agentauri.models.place import parse_place

MAX_FILE_BYTES = MAX_BODY_BYTES
MAX_DATA_URI = 4 * MAX_FILE_BYTES
"""Percent-encoding makes three characters of a byte."""
GATEWAY_SECONDS = 6.0
"""A gateway that has not answered by then makes room for the next."""
MAX_BLOCKS = 64
MAX_DEPTH = 8
MAX_PATH_LENGTH = 1024
HEADERS = {"User-Agent": f"AgentAuri/{__version__}", "Accept-Encoding": "identity"}
RAW_BLOCK = {"Accept": "application/vnd.ipld.raw, */*;q=0.5"}
OK = 200
NOT_FOUND, GONE = 404, 410


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file's content; ``is_bound``: its URI leaves no choice what it is."""

    content: bytes
    is_bound: bool


class Files:
    """Fetches files. ``gateways``: addresses of IPFS gateways, without a slash at their ends."""

    def __init__(self, client: GuardedClient, gateways: Sequence[str], now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._gateways = gateways
        self._now = now

    async def fetch(self, uri: str) -> Fetched:
        """The file of a URI. Raises Unobtainable, Blocked, aiohttp.ClientError and OSError (TimeoutError too)."""
        scheme = uri.partition(":")[0].lower()
        match scheme:
            case "data":
                return Fetched(parse_data_uri(uri), is_bound=True)
            case "ipfs":
                return Fetched(await self._ipfs(uri), is_bound=True)
            case "https" | "http":
                return Fetched(await self._get(_checked(uri), {}), is_bound=False)
            case _:
                raise Unobtainable(f"{uri[:100]} is no https, ipfs or data URI.")

    async def _get(self, url: str, headers: dict[str, str]) -> bytes:
        """The body of a 200, whole."""
        async with self._client.session.get(
            URL(url, encoded=True),
            headers={**HEADERS, **headers},
            allow_redirects=False,
            trace_request_ctx=Progress(),
        ) as response:
            body, is_cut = await read_capped(response.content)
        host = urlsplit(url).hostname
        if response.status != OK:
            raise self._refused(host, response)
        if is_cut:
            raise Unobtainable(f"the file at {host} is larger than {MAX_FILE_BYTES} bytes.", status=OK)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Unobtainable(f"{host} sent the file compressed, which nobody asked for.", status=OK)
        return body

    def _refused(self, host: str | None, response: aiohttp.ClientResponse) -> Unobtainable:
        """Whether a file that is not there today may be there later depends on who says so; 404 often means not yet."""
        status = response.status
        say = "redirects are not followed" if 300 <= status <= 399 else "the file is not to be had"
        is_final = judge_status(status) is not Judgement.RETRY and status != NOT_FOUND
        wait = parse_retry_after(response.headers.get("Retry-After"), datetime.fromtimestamp(self._now(), UTC))
        return Unobtainable(f"{host} answered {status}; {say}.", is_final, status, wait)

    # -- IPFS ----------------------------------------------------------------------------------------------------------

    async def _ipfs(self, uri: str) -> bytes:
        """From the first gateway that has it. Final only when each gave something else than what is named."""
        cid, path = parse_ipfs_uri(uri)
        if not self._gateways:
            raise Unobtainable("no IPFS gateway is configured here.")
        failures: list[Exception] = []
        for gateway in self._gateways:
            try:
                async with asyncio.timeout(GATEWAY_SECONDS):
                    return await _Walk(self, gateway).file(cid, path)
            except (Unobtainable, aiohttp.ClientError, OSError) as error:
                failures.append(error)
        passing = [one for one in failures if not (isinstance(one, Unobtainable) and one.is_final)]
        raise (passing or failures)[-1]

    async def block(self, gateway: str, cid: Cid) -> bytes:
        """What a gateway gives for an identifier, asked for the bare block; unchecked."""
        try:
            return await self._get(f"{gateway}/ipfs/{cid.text}?format=raw", RAW_BLOCK)
        except Unobtainable as error:
            if error.status in (None, OK):
                raise
            # Content that has a name exists somewhere; whatever a gateway says, another or a later try may find it.
            raise Unobtainable(error.message, False, error.status, error.retry_after) from error


class _Walk:
    """One file from one gateway, block by block."""

    def __init__(self, files: Files, gateway: str) -> None:
        self._files = files
        self._gateway = gateway
        self._blocks = 0

    async def file(self, cid: Cid, path: Sequence[str]) -> bytes:
        """The checked content."""
        block = await self._fetch(cid)
        if not cid.names(block):
            if not path and cid.names_file(block):
                return block  # a gateway that knows no bare blocks gave the file itself
            raise Unobtainable(f"what the gateway {urlsplit(self._gateway).hostname} gave is not {cid.text}.")
        for depth, name in enumerate(path):
            cid, block = await self._step(cid, block, name, depth)
        return await self._content(cid, block, 0)

    async def _fetch(self, cid: Cid) -> bytes:
        self._blocks += 1
        if self._blocks > MAX_BLOCKS:
            raise Unobtainable(f"the IPFS content has more than {MAX_BLOCKS} blocks.")
        return await self._files.block(self._gateway, cid)

    async def _child(self, raw: bytes) -> tuple[Cid, bytes]:
        try:
            cid = cid_of(raw)
        except ValueError as error:
            raise Unobtainable("the IPFS content is damaged.") from error
        block = await self._fetch(cid)
        if not cid.names(block):
            raise Unobtainable(f"what the gateway {urlsplit(self._gateway).hostname} gave is not {cid.text}.")
        return cid, block

    async def _step(self, cid: Cid, block: bytes, name: str, depth: int) -> tuple[Cid, bytes]:
        node = parse_node(block) if cid.codec == DAG_PB else None
        if node is None or node.kind != Unixfs.DIRECTORY or depth >= MAX_DEPTH:
            raise Unobtainable(f"{name[:100]} is in no plain IPFS directory.")
        found = next((link for link in node.links if link.name == name), None)
        if found is None:
            raise Unobtainable(f"the IPFS directory has no {name[:100]}.")
        return await self._child(found.cid)

    async def _content(self, cid: Cid, block: bytes, depth: int) -> bytes:
        if cid.codec == RAW:
            return block
        node: Node = parse_node(block)
        if node.kind not in (Unixfs.FILE, Unixfs.RAW) or depth > MAX_DEPTH:
            raise Unobtainable("the IPFS content is no plain file.")
        parts = [node.data]
        for link in node.links:
            child, inner = await self._child(link.cid)
            parts.append(await self._content(child, inner, depth + 1))
            if sum(map(len, parts)) > MAX_FILE_BYTES:
                raise Unobtainable(f"the IPFS content is larger than {MAX_FILE_BYTES} bytes.")
        return b"".join(parts)


def parse_data_uri(uri: str) -> bytes:
    """What a ``data:`` URI holds (RFC 2397). Raises Unobtainable."""
    head, comma, body = uri.partition(",")
    if not comma or len(uri) > MAX_DATA_URI:
        raise Unobtainable("the data: URI is not well-formed." if not comma else "the data: URI is too long.")
    content = unquote_to_bytes(body)
    if head.rpartition(";")[2].strip().lower() == "base64" and ";" in head:
        try:
            packed = b"".join(content.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
            content = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except binascii.Error as error:
            raise Unobtainable("the data: URI is not well-formed base64.") from error
    if len(content) > MAX_FILE_BYTES:
        raise Unobtainable(f"the data: URI holds more than {MAX_FILE_BYTES} bytes.")
    return content


def parse_ipfs_uri(uri: str) -> tuple[Cid, tuple[str, ...]]:
    """Identifier and path of ``ipfs://<cid>/<path>``; ``ipfs://ipfs/<cid>`` is taken, too. Raises Unobtainable."""
    rest = uri.partition(":")[2].lstrip("/").partition("?")[0].partition("#")[0]
    if len(rest) > MAX_PATH_LENGTH:
        raise Unobtainable("the ipfs: URI is too long.")
    parts = [unquote(part) for part in rest.split("/") if part]
    if parts and parts[0] == "ipfs":
        del parts[0]
    if not parts:
        raise Unobtainable("the ipfs: URI names no content.")
    return parse_cid(parts[0]), tuple(parts[1:])


def _checked(url: str) -> str:
    """The address in ASCII. Raises Unobtainable on one that cannot be asked."""
    try:
        parse_place(url)
        return quote(url, safe="%/:?#[]@!$&'()*+,;=~") if url.isascii() else str(URL(url))
    except ValueError as error:
        raise Unobtainable(f"{url[:100]} cannot be asked for: {error}") from error
