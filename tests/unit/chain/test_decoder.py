"""From logs to events: exact values, nothing lost, nothing that stops a range."""

import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain.decoder import decode_log, exact_score, keep_malformed, read_position
from agentauri.chain.layouts import LAYOUTS
from agentauri.errors import DecodeError
from agentauri.models.event import UNKNOWN, Registry
from tests.support.abi_oracle import EXPECTED, expected, words

BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[4] / "shared" / "data" / "erc8004_logs.json"
REAL_LOGS = Path(os.environ.get("ERC8004_LOGS", BESIDE_THE_REPOSITORY))
FEEDBACK = next(topic for topic, (name, _) in EXPECTED.items() if name == "NewFeedback")
FEEDBACK_TYPES = ["uint64", "int128", "uint8", "string", "string", "string", "string", "bytes32"]
CLIENT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
ADDRESS = "0x5fc8d32690cc91d4c39d9d3abcbd16989f875707"


def topic(number: int) -> str:
    return "0x" + number.to_bytes(32).hex()


def a_log(topics: list[str], data: str = "0x", **changes: Any) -> dict[str, Any]:
    return {
        "address": ADDRESS,
        "topics": topics,
        "data": data,
        "blockHash": "0x" + "ab" * 32,
        "blockNumber": "0x15",
        "blockTimestamp": "0x6b03c864",
        "transactionHash": "0x" + "cd" * 32,
        "transactionIndex": "0x0",
        "logIndex": "0x3",
        "removed": False,
        **changes,
    }


def feedback(agent: int = 7, value: int = 85, decimals: int = 0, tag1: str = "starred", **texts: str) -> dict[str, Any]:
    strings = [tag1, texts.get("tag2", ""), texts.get("endpoint", ""), texts.get("uri", "")]
    data = words(FEEDBACK_TYPES, [1, value, decimals, *strings, bytes(32)])
    return a_log([FEEDBACK, topic(agent), topic(int(CLIENT, 16)), "0x" + keccak(tag1.encode()).hex()], data)


def with_bytes(log: dict[str, Any], text: bytes, raw: bytes) -> dict[str, Any]:
    """The log with ``raw`` in the place of a text of the same length."""
    assert len(text) == len(raw)
    assert text.hex() in log["data"]
    return {**log, "data": log["data"].replace(text.hex(), raw.hex())}


# -- the real registries -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_LOGS.exists(), reason="ERC8004_LOGS names no file with the logs of the real registries")
def test_every_log_of_the_real_registries_decodes_to_its_exact_values() -> None:
    recorded = json.loads(REAL_LOGS.read_text())
    registries = {address.lower(): Registry(name) for name, address in recorded["addresses"].items()}

    for log in recorded["logs"]:
        event = decode_log(log, registries[log["address"]])

        assert (event.event_type, event.agent_id, dict(event.data)) == expected(log)
        assert event.contract == recorded["addresses"][event.registry]
        assert event.block_number == int(log["blockNumber"], 16)
        assert event.block_timestamp == int(log["blockTimestamp"], 16)
        assert event.log_index == int(log["logIndex"], 16)
        assert (event.block_hash, event.transaction_hash) == (log["blockHash"], log["transactionHash"])
    assert len(recorded["logs"]) == 50


def test_the_table_has_every_topic_of_the_standard() -> None:
    assert {topic0: LAYOUTS[topic0][0].event_type for topic0 in EXPECTED} == {
        topic0: name for topic0, (name, _) in EXPECTED.items()
    }


@given(
    agent=st.integers(0, 2**256 - 1),
    value=st.integers(-(2**127), 2**127 - 1),
    decimals=st.integers(0, 255),
    tag=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40),
    uri=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=200),
)
def test_feedback_decodes_as_eth_abi_decodes_it(agent: int, value: int, decimals: int, tag: str, uri: str) -> None:
    log = feedback(agent, value, decimals, tag, uri=uri)
    event_type, agent_id, data = expected(log)
    if agent_id is not None and agent_id >= 2**63:
        agent_id, data["agent_id"] = None, str(agent_id)

    event = decode_log(log, Registry.REPUTATION)

    assert (event.event_type, event.agent_id, dict(event.data)) == (event_type, agent_id, data)
    assert orjson.loads(orjson.dumps(event.data)) == event.data


# -- agents ------------------------------------------------------------------------------------------------------------


def test_agent_zero_is_an_agent() -> None:
    assert decode_log(feedback(agent=0), Registry.REPUTATION).agent_id == 0


def test_an_agent_id_of_int64_is_a_number() -> None:
    event = decode_log(feedback(agent=2**63 - 1), Registry.REPUTATION)

    assert event.agent_id == 2**63 - 1
    assert "agent_id" not in event.data


def test_an_agent_id_beyond_int64_stays_text() -> None:
    event = decode_log(feedback(agent=2**256 - 1), Registry.REPUTATION)

    assert event.agent_id is None
    assert event.data["agent_id"] == str(2**256 - 1)


def test_approval_for_all_has_no_agent() -> None:
    approval = next(topic0 for topic0, (name, _) in EXPECTED.items() if name == "ApprovalForAll")
    event = decode_log(a_log([approval, topic(1), topic(2)], words(["bool"], [True])), Registry.IDENTITY)

    assert event.agent_id is None
    assert event.data["approved"] is True
    assert "agent_id" not in event.data


# -- scores ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "score"),
    [
        (85, 0, "85"),
        (9977, 2, "99.77"),
        (-32, 1, "-3.2"),
        (9900, 2, "99"),
        (0, 18, "0"),
        (-5, 3, "-0.005"),
        (2**127 - 1, 18, "170141183460469231731.687303715884105727"),
        (-(2**127), 0, "-170141183460469231731687303715884105728"),
        (1, 255, "0." + "0" * 254 + "1"),
    ],
)
def test_a_score_is_exact_and_without_exponent(value: int, decimals: int, score: str) -> None:
    assert exact_score(value, decimals) == score


def test_the_value_stays_text_beside_the_score() -> None:
    event = decode_log(feedback(value=9977, decimals=2), Registry.REPUTATION)

    assert (event.data["value"], event.data["value_decimals"], event.data["score"]) == ("9977", 2, "99.77")


# -- earlier layouts ---------------------------------------------------------------------------------------------------


def test_earlier_feedback_has_its_first_tag_as_a_hash_and_a_score_without_decimals() -> None:
    topic0 = "0x801d7d4264128f6f43835850f1fabb91902c3543c3738f1f62fbf7e9fd80531d"
    types = ["uint64", "uint8", "string", "string", "string", "bytes32"]
    data = words(types, [3, 90, "week", "https://a", "ipfs://f", bytes(32)])
    event = decode_log(a_log([topic0, topic(0), topic(int(CLIENT, 16)), topic(5)], data), Registry.REPUTATION)

    assert (event.event_type, event.agent_id) == ("NewFeedback", 0)
    assert event.data == {
        "client_address": CLIENT,
        "tag1_hash": topic(5),
        "feedback_index": 3,
        "value": "90",
        "value_decimals": 0,
        "score": "90",
        "tag2": "week",
        "endpoint": "https://a",
        "feedback_uri": "ipfs://f",
        "feedback_hash": topic(0),
    }


def test_first_feedback_has_its_tags_in_words() -> None:
    topic0 = "0x54b3254e4cc01969e70376d20390cc2f6af90539d9adaa78a53ebcda17f78154"
    tag1 = "0x" + b"quality".ljust(32, b"\0").hex()
    data = words(["uint8", "bytes32", "string", "bytes32"], [70, bytes(32), "ipfs://f", bytes(32)])
    event = decode_log(a_log([topic0, topic(4), topic(int(CLIENT, 16)), tag1], data), Registry.REPUTATION)

    assert (event.data["tag1"], event.data["tag2"], event.data["score"]) == ("quality", "", "70")


# -- what no layout fits -----------------------------------------------------------------------------------------------


def test_p04_an_unknown_topic_is_kept_raw() -> None:
    event = decode_log(a_log([topic(1), topic(2)], "0xAbCd"), Registry.IDENTITY)

    assert event.event_type == UNKNOWN
    assert event.data == {"topics": [topic(1), topic(2)], "raw_data": "0xabcd"}


def test_p04_a_log_without_topics_is_kept_raw() -> None:
    assert decode_log(a_log([], "0x01"), Registry.IDENTITY).data == {"topics": [], "raw_data": "0x01"}


def test_p04_a_layout_that_does_not_fit_is_kept_raw() -> None:
    log = feedback()
    for broken in ({**log, "data": log["data"][:-64]}, {**log, "topics": log["topics"][:3]}):
        event = decode_log(broken, Registry.REPUTATION)

        assert event.event_type == UNKNOWN
        assert event.agent_id is None
        assert event.data == {"topics": broken["topics"], "raw_data": broken["data"]}


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=3), st.sampled_from(sorted(LAYOUTS)), st.binary())
def test_p04_no_log_of_a_contract_fails(rest: list[bytes], topic0: str, data: bytes) -> None:
    topics = [topic0, *("0x" + one.hex() for one in rest)]
    event = decode_log(a_log(topics, "0x" + data.hex()), Registry.IDENTITY)

    assert event.event_type != UNKNOWN or event.data == {"topics": topics, "raw_data": "0x" + data.hex()}
    assert b"\\u0000" not in orjson.dumps(event.data)


# -- text that PostgreSQL refuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "stored"),
    [(b"st\0rred", "st�rred"), (b"st\xffrred", "st�rred"), (b"st\xed\xa0\x80ed", "st���ed")],
    ids=["nul", "no-utf8", "surrogate"],
)
def test_p04_text_that_cannot_be_stored_stands_whole_beside_it(raw: bytes, stored: str) -> None:
    event = decode_log(with_bytes(feedback(tag1="starred"), b"starred", raw), Registry.REPUTATION)

    assert event.data["tag1"] == stored
    assert event.data["tag1_hex"] == "0x" + raw.hex()


def test_p04_a_replacement_character_of_the_text_itself_needs_no_hex() -> None:
    event = decode_log(feedback(tag1="a�b"), Registry.REPUTATION)

    assert event.data["tag1"] == "a�b"
    assert "tag1_hex" not in event.data


def test_p04_a_long_uri_is_kept_whole() -> None:
    uri = "data:application/json;base64," + "A" * 200_000

    assert decode_log(feedback(uri=uri), Registry.REPUTATION).data["feedback_uri"] == uri


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (b"", {"metadata_text": ""}),
        (b"eu-west", {"metadata_text": "eu-west"}),
        (b"\xff\xfe", {}),
        (b"a\0", {"metadata_text": "a�", "metadata_text_hex": "0x6100"}),
    ],
    ids=["empty", "text", "bytes", "nul"],
)
def test_metadata_is_hex_and_where_it_can_be_text(value: bytes, texts: dict[str, str]) -> None:
    topic0 = next(one for one, (name, _) in EXPECTED.items() if name == "MetadataSet")
    log = a_log([topic0, topic(1), topic(9)], words(["string", "bytes"], ["key", value]))

    event = decode_log(log, Registry.IDENTITY)

    assert event.data == {"metadata_key": "key", "metadata_value": "0x" + value.hex(), **texts}


# -- what is no log ----------------------------------------------------------------------------------------------------

MALFORMED: list[dict[str, Any]] = [
    {"topics": None},
    {"topics": "0x01"},
    {"topics": ["0x01"]},
    {"topics": [7]},
    {"topics": [topic(1)] * 5},
    {"data": None},
    {"data": "0x0"},
    {"data": "0xzz"},
    {"data": "0x 0"},
]


@pytest.mark.parametrize("change", MALFORMED, ids=str)
def test_malformed_content_is_refused_and_can_be_kept(change: dict[str, Any]) -> None:
    log = a_log([topic(1)]) | change

    with pytest.raises(DecodeError, match=r"topic|data"):
        decode_log(log, Registry.IDENTITY)
    kept = keep_malformed(read_position(log), log, Registry.IDENTITY)
    assert (kept.event_type, kept.block_number, kept.log_index) == (UNKNOWN, 21, 3)
    assert set(kept.data) == {"topics", "raw_data"}


@pytest.mark.parametrize(
    "change",
    [
        {"blockNumber": None},
        {"blockNumber": "21"},
        {"blockNumber": "0x1_5"},
        {"blockNumber": "0x" + "f" * 17},
        {"logIndex": "0x80000000"},
        {"blockHash": "0xab"},
        {"transactionHash": "0x" + "zz" * 32},
        {"address": "0x5fc8"},
        {"blockTimestamp": "0xfffffffffff"},
    ],
    ids=str,
)
def test_a_position_that_cannot_be_read_is_named(change: dict[str, Any]) -> None:
    (name,) = change

    with pytest.raises(DecodeError, match=name):
        decode_log(a_log([topic(1)]) | change, Registry.IDENTITY)


def test_a_log_without_block_time_decodes_without_it() -> None:
    log = feedback()
    del log["blockTimestamp"]

    assert decode_log(log, Registry.REPUTATION).block_timestamp is None
