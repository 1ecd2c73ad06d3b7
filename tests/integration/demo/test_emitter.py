"""The emitter contract on a real node: what it emits decodes to what was asked for."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentauri.chain.decoder import decode_log
from agentauri.chain.headers import bloom_mask, read_header
from agentauri.chain.rpc import Rpc
from agentauri.demo import emitter, emitter_build
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import Emitter, call_data, give_feedback, raw_log, register, validation_response
from agentauri.errors import RpcError
from agentauri.models.event import Registry
from agentauri.models.fields import EVENT_TYPES
from tests.support.abi_oracle import EXPECTED, expected

CLIENT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
HASH = bytes(range(32))


@pytest.fixture
async def rpc(anvil: Anvil) -> AsyncIterator[Rpc]:
    opened = Rpc(anvil.url)
    yield opened
    await opened.close()


async def logs_of(rpc: Rpc, address: str) -> list[dict[str, Any]]:
    found = await rpc.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": address})
    assert isinstance(found, list)
    return found


async def test_every_event_of_the_standard_is_emitted_and_decodes(rpc: Rpc) -> None:
    contract = await Emitter.deploy(rpc)
    await contract.send(
        [
            register("https://agent/0"),
            call_data("setAgentURI(uint256,string)", 0, "https://agent/0b"),
            call_data("setMetadata(uint256,string,bytes)", 0, "region", b"eu-west"),
            call_data("approve(address,uint256)", CLIENT, 0),
            call_data("setApprovalForAll(address,bool)", CLIENT, True),
            call_data("transferFrom(address,address,uint256)", CLIENT, contract.address, 0),
            call_data("refreshMetadata(uint256,uint256)", 0, 2**256 - 1),
            give_feedback(0, -32, 1, "tradingYield", "month", "https://a/mcp", "ipfs://f", HASH),
            call_data("revokeFeedback(uint256,uint64)", 0, 1),
            call_data("appendResponse(uint256,address,uint64,string,bytes32)", 0, CLIENT, 1, "ipfs://r", HASH),
            call_data("validationRequest(address,uint256,string,bytes32)", CLIENT, 0, "ipfs://q", HASH),
            validation_response(0, HASH, 100, "ipfs://a", "hard-finality"),
            call_data("upgrade(address,uint64)", CLIENT, 2),
            call_data("transferOwnership(address)", CLIENT),
            raw_log([], b"\x01\x02"),
            raw_log([HASH, HASH, HASH, HASH], b""),
        ]
    )
    logs = await logs_of(rpc, contract.address)
    events = [decode_log(log, Registry.IDENTITY) for log in logs]

    assert {event.event_type for event in events} == set(EVENT_TYPES)
    for log, event in zip(logs, events, strict=True):
        if log["topics"] and log["topics"][0] in EXPECTED:
            event_type, agent_id, data = expected(log)
            data |= {name: str(value) for name, value in data.items() if type(value) is int and value >= 2**63}
            assert (event.event_type, event.agent_id, event.data) == (event_type, agent_id, data)
    assert [event.data for event in events if event.event_type == "Unknown"] == [
        {"topics": [], "raw_data": "0x0102"},
        {"topics": ["0x" + HASH.hex()] * 4, "raw_data": "0x"},
    ]


async def test_many_events_fit_into_one_transaction(rpc: Rpc) -> None:
    contract = await Emitter.deploy(rpc)
    sent = await contract.send_in_one([give_feedback(number, number, 0, "starred") for number in range(500)])

    logs = [log for log in await logs_of(rpc, contract.address) if log["transactionHash"] == sent]
    events = [decode_log(log, Registry.REPUTATION) for log in logs]
    assert [event.agent_id for event in events] == list(range(500))
    assert {event.block_number for event in events} == {events[0].block_number}


async def test_another_account_is_another_client(rpc: Rpc) -> None:
    contract = await Emitter.deploy(rpc)
    other = (await emitter.accounts(rpc))[1]
    await contract.as_sender(other).send([give_feedback(1, 5)])

    (*_, log) = await logs_of(rpc, contract.address)
    assert decode_log(log, Registry.REPUTATION).data["client_address"].lower() == other.lower()  # type: ignore[attr-defined]  # data is JSON


async def test_a_call_that_fails_is_an_error(rpc: Rpc) -> None:
    contract = await Emitter.deploy(rpc)

    with pytest.raises(RpcError):
        await contract.send_in_one([b"\x00\x00\x00\x00"])


async def test_the_filter_of_a_real_block_names_the_contracts_that_logged(rpc: Rpc) -> None:
    contract = await Emitter.deploy(rpc)
    await contract.send([give_feedback(1, 5)])

    header = read_header(await rpc.ask("eth_getBlockByNumber", "latest", False))
    mask = bloom_mask(contract.address)
    assert header.bloom & mask == mask
    assert header.sparse


def test_the_artifact_is_what_the_source_compiles_to() -> None:
    if not shutil.which("node") or not emitter_build.COMPILER.exists():
        pytest.skip("no Solidity compiler here; run make install with npm present")

    assert emitter_build.read_artifact() == emitter_build.compile_emitter()
