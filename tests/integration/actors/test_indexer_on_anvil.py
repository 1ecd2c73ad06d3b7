"""The indexer against a real EVM node: what contracts emit, and how a real chain forks."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from agentauri.chain.registries import WatchedChain
from agentauri.chain.rpc import Rpc
from agentauri.demo import emitter
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import Emitter, give_feedback, raw_log, register
from tests.support.indexing import SECONDS, Indexing, watched
from tests.support.waiting import eventually


@dataclass
class Registries:
    """Three emitters on a node, and the chain as an indexer watches it."""

    node: Anvil
    rpc: Rpc
    identity: Emitter
    reputation: Emitter
    validation: Emitter

    def watched(self, **changes: Any) -> WatchedChain:
        addresses = {"identity": self.identity, "reputation": self.reputation, "validation": self.validation}
        return watched(self.node.url, **({name: one.address for name, one in addresses.items()} | changes))

    async def keys(self) -> list[tuple[str, int]]:
        """(block hash, log index) of every log that the node has of the three, in order."""
        addresses = [self.identity.address, self.reputation.address, self.validation.address]
        query = {"fromBlock": "0x0", "toBlock": "latest", "address": addresses}
        found = await self.rpc.ask("eth_getLogs", query)
        assert isinstance(found, list)
        return [(log["blockHash"], int(log["logIndex"], 16)) for log in found]

    async def agree(self, indexing: Indexing) -> bool:
        head = int(str(await self.rpc.ask("eth_blockNumber")), 16)
        return await indexing.checkpoint() == head and await indexing.standing() == await self.keys()

    async def eventually_agree(self, indexing: Indexing) -> None:
        await eventually(lambda: self.agree(indexing), seconds=SECONDS)


@pytest.fixture
async def registries(anvil: Anvil) -> AsyncIterator[Registries]:
    rpc = Rpc(anvil.url)
    deployed = [await Emitter.deploy(rpc) for _ in range(3)]
    yield Registries(anvil, rpc, *deployed)
    await rpc.close()


def feedbacks(count: int, first: int = 0) -> Sequence[bytes]:
    return [give_feedback(number % 50, number, 1, "starred") for number in range(first, first + count)]


async def test_events_of_all_registries_are_stored_as_they_are_emitted(
    indexing: Indexing, registries: Registries
) -> None:
    await registries.identity.send([register(f"https://agent/{number}") for number in range(20)])
    async with indexing.running(registries.watched()):
        await registries.eventually_agree(indexing)
        await registries.reputation.send(feedbacks(30))
        await registries.reputation.send_in_one(feedbacks(800, 30))
        await registries.validation.send(
            [emitter.call_data("validationRequest(address,uint256,string,bytes32)", "0x" + "11" * 20, 1, "", bytes(32))]
        )
        await registries.eventually_agree(indexing)

    rows = await indexing.pool.fetch("SELECT registry, event_type, count(*) FROM events GROUP BY 1, 2")
    counts = {(row[0], row[1]): row[2] for row in rows}
    assert counts["reputation", "NewFeedback"] == 830
    assert counts["identity", "Registered"] == 20
    assert counts["validation", "ValidationRequest"] == 1
    assert "Unknown" not in {event_type for _, event_type in counts}
    scores = await indexing.pool.fetch(
        "SELECT data->>'score' FROM events WHERE event_type = 'NewFeedback' ORDER BY seq"
    )
    assert [row[0] for row in scores[:12]] == [
        "0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1", "1.1"
    ]  # fmt: skip


async def test_p04_hostile_events_are_stored(indexing: Indexing, registries: Registries) -> None:
    topic0 = bytes.fromhex("6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc")
    uri = "data:application/json;base64," + "QUJD" * 50_000
    await registries.reputation.send_in_one(
        [
            give_feedback(0, 1, 0, "a\0b"),
            give_feedback(2**256 - 1, -(2**127), 255, "k" * 12_000),
            raw_log([topic0, bytes(32), bytes(32), bytes(32)], b"\xff" * 100),
            raw_log([], b""),
        ]
    )
    await registries.reputation.send_in_one([give_feedback(2**63 - 1, 2**127 - 1, 0, "t", uri=uri)])
    async with indexing.running(registries.watched()):
        await registries.eventually_agree(indexing)

    rows = await indexing.pool.fetch(
        "SELECT agent_id, event_type, data FROM events WHERE registry = 'reputation' AND event_type IN"
        " ('NewFeedback', 'Unknown') ORDER BY seq"
    )
    (first, huge, wrong, nameless, long) = [(row[0], row[1], row[2]) for row in rows]
    assert (first[0], first[2]["tag1"], first[2]["tag1_hex"]) == (0, "a�b", "0x610062")
    assert (huge[0], huge[2]["agent_id"], huge[2]["value"]) == (None, str(2**256 - 1), str(-(2**127)))
    assert len(huge[2]["tag1"]) == 12_000
    assert (wrong[1], wrong[2]["raw_data"]) == ("Unknown", "0x" + "ff" * 100)
    assert nameless[1:] == ("Unknown", {"topics": [], "raw_data": "0x"})
    assert (long[0], long[2]["feedback_uri"]) == (2**63 - 1, uri)


async def test_p06_a_reorganisation_of_a_real_node_is_followed(indexing: Indexing, registries: Registries) -> None:
    await registries.reputation.send(feedbacks(10))
    async with indexing.running(registries.watched()) as indexer:
        await registries.eventually_agree(indexing)
        registries.node.call("anvil_reorg", 4, [])
        await registries.eventually_agree(indexing)
        await registries.reputation.send(feedbacks(5, 100))
        await registries.eventually_agree(indexing)

        assert (await indexer.status())["reorgs"] == 1
    assert await indexing.retracted() == 4


async def test_p05_a_real_block_that_was_left_and_is_adopted_again_gives_new_rows(
    indexing: Indexing, registries: Registries
) -> None:
    node = registries.node
    async with indexing.running(registries.watched()):
        await registries.eventually_agree(indexing)
        moment = int(node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 60
        stored: list[str] = []
        for tag in ("one", "two", "one"):
            snapshot = node.call("evm_snapshot")
            node.call("evm_setNextBlockTimestamp", moment)
            node.call("anvil_setNextBlockBaseFeePerGas", "0x3b9aca00")
            await registries.reputation.send([give_feedback(1, 5, 0, tag)])
            await registries.eventually_agree(indexing)
            stored.append((await indexing.standing())[-1][0])
            if len(stored) < 3:
                node.call("evm_revert", snapshot)

    assert stored[0] == stored[2] != stored[1]
    rows = await indexing.pool.fetch(
        "SELECT id, retracted_at IS NULL FROM events WHERE block_hash = $1 ORDER BY seq", stored[0]
    )
    assert [row[1] for row in rows] == [False, True]
    assert rows[0][0] != rows[1][0]
    assert await indexing.retracted() == 2


async def test_a_node_that_begins_a_new_chain_replaces_the_old_one(indexing: Indexing, registries: Registries) -> None:
    await registries.reputation.send(feedbacks(20))
    async with indexing.running(registries.watched()):
        await registries.eventually_agree(indexing)
        before = len(await indexing.standing())
        registries.node.call("anvil_reset")
        again = [await Emitter.deploy(registries.rpc) for _ in range(3)]
        assert [one.address for one in again] == [
            registries.identity.address, registries.reputation.address, registries.validation.address
        ]  # fmt: skip
        await registries.reputation.send(feedbacks(3, 7))
        registries.node.call("anvil_mine", "0x20")
        await registries.eventually_agree(indexing)

    assert await indexing.retracted() == before
