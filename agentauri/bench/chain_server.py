"""A local JSON-RPC server with a chain made for ``bench backfill``: a process of its own, run as a script.

Usage: ``python -m agentauri.bench.chain_server BLOCKS LOGS_A_BLOCK``; prints its port, serves until it is ended.
Answers are built before it is ready, so that answering costs next to nothing. Logs are what the real registries emit
for feedback and registrations, from a fixed seed; hashes, parents and log filters are consistent.
"""

import asyncio
import random
import sys
from hashlib import sha256
from typing import Any

import orjson
from aiohttp import web
from eth_abi.abi import encode
from eth_hash.auto import keccak

from agentauri.chain.headers import bloom_mask

SEED = 8004
CHAIN_ID = 31337
IDENTITY = "0x8004a818bfb912233c491871b3d84c89a494bd9e"
REPUTATION = "0x8004b663056a597dffe9eccc1965a193b7388713"
FINAL_DEPTH = 64
FIRST_TIME = 1_790_000_000
DISTINCT = 2_000
"""Logs that differ in their arguments; the chain repeats them at other places."""

NEW_FEEDBACK = "NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)"
REGISTERED = "Registered(uint256,string,address)"
BLOOM = "0x" + (bloom_mask(IDENTITY) | bloom_mask(REPUTATION)).to_bytes(256, "big").hex()
NO_BLOOM = "0x" + bytes(256).hex()


def _hash(*parts: object) -> str:
    return "0x" + sha256(repr(parts).encode()).hexdigest()


def _word(value: int) -> str:
    return f"0x{value:064x}"


def _feedback(dice: random.Random) -> dict[str, Any]:
    tag = dice.choice(("starred", "uptime", "responseTime", ""))
    uri = f"ipfs://bafkrei{dice.randbytes(26).hex()}"
    types = ["uint64", "int128", "uint8", "string", "string", "string", "string", "bytes32"]
    values = [dice.randint(1, 40), dice.randint(0, 10_000), 2, tag, "day", "", uri, dice.randbytes(32)]
    topics = [NEW_FEEDBACK, _word(dice.randrange(10_000)), "0x" + bytes(12).hex() + dice.randbytes(20).hex()]
    return {
        "address": REPUTATION,
        "topics": ["0x" + keccak(topics[0].encode()).hex(), *topics[1:], "0x" + keccak(tag.encode()).hex()],
        "data": "0x" + encode(types, values).hex(),
    }


def _registered(dice: random.Random) -> dict[str, Any]:
    number = dice.randrange(10_000)
    owner = "0x" + bytes(12).hex() + dice.randbytes(20).hex()
    return {
        "address": IDENTITY,
        "topics": ["0x" + keccak(REGISTERED.encode()).hex(), _word(number), owner],
        "data": "0x" + encode(["string"], [f"https://agent-{number}.example/card.json"]).hex(),
    }


class Chain:
    """All answers of a chain of ``blocks`` blocks with ``a_block`` logs each."""

    def __init__(self, blocks: int, a_block: int) -> None:
        dice = random.Random(SEED)
        self._blocks = blocks
        distinct = [_feedback(dice) if number % 10 else _registered(dice) for number in range(DISTINCT)]
        self._logs = [self._block_logs(number, a_block, distinct) if number else b"" for number in range(blocks + 1)]

    def _block_logs(self, number: int, a_block: int, distinct: list[dict[str, Any]]) -> bytes:
        place = {
            "blockNumber": hex(number),
            "blockHash": _hash("block", number),
            "blockTimestamp": hex(FIRST_TIME + 2 * number),
            "removed": False,
        }
        first = number * a_block
        logs = [
            distinct[(first + index) % DISTINCT]
            | place
            | {"logIndex": hex(index), "transactionIndex": hex(index), "transactionHash": _hash(number, index)}
            for index in range(a_block)
        ]
        return orjson.dumps(logs)[1:-1]

    def answer(self, call: dict[str, Any]) -> bytes:
        """The answer to one call as JSON."""
        result = self._result(call["method"], call["params"])
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (orjson.dumps(call["id"]), result)

    def _result(self, method: str, params: list[Any]) -> bytes:
        match method:
            case "eth_chainId":
                return orjson.dumps(hex(CHAIN_ID))
            case "eth_blockNumber":
                return orjson.dumps(hex(self._blocks))
            case "eth_getBlockByNumber":
                return self._header(params[0])
            case "eth_getLogs":
                first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
                return b"[%b]" % b",".join(filter(None, self._logs[first : last + 1]))
            case _:
                return b"null"

    def _header(self, which: str) -> bytes:
        named = {"latest": self._blocks, "finalized": self._blocks - FINAL_DEPTH, "safe": self._blocks - FINAL_DEPTH}
        number = named[which] if which in named else int(which, 16)
        if number > self._blocks:
            return b"null"
        header = {
            "number": hex(number),
            "hash": _hash("block", number),
            "parentHash": _hash("block", number - 1),
            "timestamp": hex(FIRST_TIME + 2 * number),
            "logsBloom": BLOOM if number else NO_BLOOM,
        }
        return orjson.dumps(header)

    async def handle(self, request: web.Request) -> web.Response:
        """One call or a batch."""
        calls = orjson.loads(await request.read())
        many = isinstance(calls, list)
        body = b"[%b]" % b",".join(map(self.answer, calls)) if many else self.answer(calls)
        return web.Response(body=body, content_type="application/json")


async def _serve(blocks: int, a_block: int) -> web.AppRunner:
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/", Chain(blocks, a_block).handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    return runner


def main() -> None:
    """Serve until the process is ended."""

    async def forever() -> None:
        runner = await _serve(int(sys.argv[1]), int(sys.argv[2]))
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    asyncio.run(forever())


if __name__ == "__main__":
    main()
