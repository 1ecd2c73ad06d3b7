"""``agentauri decode``: what it takes, what it prints, and what makes it fail."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentauri.cli.decode import decode
from agentauri.errors import ConfigError

IDENTITY = "0x8004A169FB4a3325136EB29fA0ceB6D2e539a432"
URI_UPDATED = "0x3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb"
UPGRADED = "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"
BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[4] / "shared" / "data" / "erc8004_logs.json"
REAL_LOGS = Path(os.environ.get("ERC8004_LOGS", BESIDE_THE_REPOSITORY))


def word(number: int) -> str:
    return f"{number:064x}"


def uri_updated(address: str = IDENTITY, **changes: Any) -> dict[str, Any]:
    return {
        "address": address,
        "topics": [URI_UPDATED, "0x" + word(0), "0x" + word(7)],
        "data": "0x" + word(32) + word(3) + b"a:b".hex().ljust(64, "0"),
        "blockHash": "0x" + word(1),
        "blockNumber": "0x10",
        "blockTimestamp": "0x6b03c864",
        "transactionHash": "0x" + word(2),
        "logIndex": "0x0",
        **changes,
    }


def run(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], content: object
) -> tuple[bool, list[Any], list[Any]]:
    """Whether all was well, the events, and the complaints."""
    file = tmp_path / "logs.json"
    file.write_text(json.dumps(content))
    whole = decode(str(file), 1)
    told = capsysbinary.readouterr()
    return (
        whole,
        [json.loads(line) for line in told.out.splitlines()],
        [json.loads(line) for line in told.err.splitlines()],
    )


@pytest.mark.parametrize("wrap", [lambda logs: logs, lambda logs: {"result": logs}, lambda logs: {"logs": logs}])
def test_event_has_no_field_that_only_a_database_gives(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], wrap: Any
) -> None:
    whole, (event,), complaints = run(tmp_path, capsysbinary, wrap([uri_updated()]))
    assert whole
    assert complaints == []
    assert not {"seq", "created_at", "retracted_at"} & set(event)
    assert (event["event_type"], event["agent_id"], event["data"]["agent_uri"]) == ("URIUpdated", 0, "a:b")
    assert (event["contract"], event["registry"], event["block_timestamp"]) == (
        IDENTITY,
        "identity",
        "2026-11-23T05:00:20Z",
    )


def test_addresses_of_the_file_name_the_registries(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    own = "0x" + "ab" * 20
    log = uri_updated(own, topics=["0x" + word(99)], data="0x1234")
    whole, (event,), _ = run(tmp_path, capsysbinary, {"logs": [log], "addresses": {"validation": own.upper()}})
    assert whole
    assert (event["registry"], event["event_type"]) == ("validation", "Unknown")
    assert event["data"] == {"topics": ["0x" + word(99)], "raw_data": "0x1234"}


def test_unknown_address_is_recognised_by_the_events_it_emits(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    own = "0x" + "ab" * 20
    upgraded = uri_updated(own, topics=[UPGRADED, "0x" + word(5)], data="0x", logIndex="0x1")
    whole, events, _ = run(tmp_path, capsysbinary, [upgraded, uri_updated(own)])
    assert whole
    assert [(event["registry"], event["event_type"]) for event in events] == [
        ("identity", "Upgraded"),
        ("identity", "URIUpdated"),
    ]


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            uri_updated("0x" + "cd" * 20, topics=[UPGRADED, "0x" + word(5)], data="0x"),
            "is no registry that is known here",
        ),
        (uri_updated(data="0x" + word(32)), "does not have the layout of URIUpdated"),
        (uri_updated(data="0xzz"), "not 0x hex"),
        (uri_updated(blockNumber="sixteen"), "blockNumber"),
        ("a log", "a log has to be a JSON object"),
    ],
)
def test_log_that_cannot_be_decoded_goes_to_standard_error_and_the_others_are_printed(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], log: Any, told: str
) -> None:
    whole, events, (complaint,) = run(tmp_path, capsysbinary, [log, uri_updated(logIndex="0x2")])
    assert not whole
    assert [event["log_index"] for event in events] == [2]
    assert told in complaint["error"]
    assert complaint["log"] == log


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("not json", "the file is not JSON"),
        ('{"a": 1}', "neither a list"),
        ('{"logs": [], "addresses": {"x": "0x"}}', "'x'"),
    ],
)
def test_file_without_logs_is_told(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "logs.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=told):
        decode(str(file), 1)


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        decode(str(tmp_path / "none.json"), 1)


@pytest.mark.skipif(not REAL_LOGS.exists(), reason="ERC8004_LOGS names no file with the logs of the real registries")
def test_recorded_logs_of_the_real_registries_all_decode(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert decode(str(REAL_LOGS), 31337)
    events = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert len(events) == 50
    assert "Unknown" not in {event["event_type"] for event in events}
