"""Asking a chain where an agent's registration file is: a real node, and providers that fail."""

import pytest
from aiohttp import web
from eth_abi.abi import encode

from agentauri.chain.agent_uris import AgentUris
from agentauri.chain.registries import IdentityRegistry
from agentauri.chain.rpc import Rpc
from agentauri.demo.anvil import Anvil
from agentauri.errors import RpcUnavailable
from tests.support.loopback import served

REGISTRY = "0x8004A818BFB912233c491871b3d84c89A494BD9e"
CHAIN_ID = 31337
DEAD = "http://127.0.0.1:9"


def answering(result: bytes) -> str:
    """Code of a contract that answers every call with ``result``."""
    code = bytes.fromhex("61") + len(result).to_bytes(2) + bytes.fromhex("80600c6000396000f3") + result
    return f"0x{code.hex()}"


async def find(*urls: str, chain_id: int = CHAIN_ID, agent: int = 42) -> str | None:
    uris = AgentUris([IdentityRegistry(CHAIN_ID, REGISTRY, urls)])
    try:
        return await uris.find(chain_id, agent)
    finally:
        await uris.close()


async def set_code(anvil: Anvil, code: str) -> None:
    rpc = Rpc(anvil.url)
    await rpc.ask("anvil_setCode", REGISTRY, code)
    await rpc.close()


async def test_registry_answers_after_a_provider_that_is_dead(anvil: Anvil) -> None:
    await set_code(anvil, answering(encode(["string"], ["ipfs://x/ü"])))
    assert await find(DEAD, anvil.url) == "ipfs://x/ü"
    assert await find(anvil.url, agent=2**256 - 1) == "ipfs://x/ü"


async def test_agent_that_does_not_exist_is_an_answer(anvil: Anvil) -> None:
    assert await find(anvil.url) is None
    await set_code(anvil, "0x60006000fd")
    assert await find(anvil.url) is None


async def test_chain_without_a_registry_here_is_no_error() -> None:
    assert await find(chain_id=1) is None


async def test_nobody_to_ask_is_an_error(anvil: Anvil) -> None:
    await set_code(anvil, answering(b"nonsense"))
    with pytest.raises(RpcUnavailable):
        await find(DEAD)
    with pytest.raises(RpcUnavailable):
        await find(anvil.url)


async def test_provider_of_another_chain_is_not_believed() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": (await request.json())["id"], "result": "0x1"})

    app = web.Application()
    app.router.add_post("/", handle)
    async with served(app) as url:
        with pytest.raises(RpcUnavailable, match="serves chain 1"):
            await find(url)
