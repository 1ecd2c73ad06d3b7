"""What the terminal tells of why a trigger fired or not, against the real API and what an evaluator did."""

import json
from pathlib import Path

import pytest

from agentauri.store.database import Pool
from tests.integration.cli.conftest import Cli, Service
from tests.support.path import Rig
from tests.support.rows import feedback, insert_events

FILE = """
name: Falling
conditions:
- {condition_type: ema_threshold, operator: <, value: 60, config: {alpha: 0.5}}
- condition_type: group
  config:
    mode: any
    conditions:
    - {condition_type: agent_id_equals, operator: "=", value: 7}
    - {condition_type: expression, value: "score < 95"}
actions:
- {action_type: rest, config: {url: "https://example.com/hook"}}
"""
DAY = "2026-09-21"


@pytest.fixture
async def seqs(logged_in: Service, cli: Cli, home: Path, rig: Rig, pool: Pool) -> list[int]:
    """The places of events that an evaluator saw after the trigger was made: scores of 90, then 20."""
    (home / "trigger.yaml").write_text(FILE)
    await cli.ok("trigger", "apply", "-f", "trigger.yaml")
    rows = [feedback(number, agent_id=1, data={"score": str(score)}) for number, score in enumerate((90, 20))]
    async with pool.acquire() as connection:
        await insert_events(connection, rows)
    evaluator = await rig.start()
    await rig.serve(evaluator)
    await evaluator.drain()
    return [row[0] for row in await pool.fetch("SELECT seq FROM events ORDER BY seq")]


async def test_firing_is_explained_with_each_condition_and_its_delivery(cli: Cli, seqs: list[int]) -> None:
    ended = await cli.ok("trigger", "explain", "Falling", f"#{seqs[1]}")
    first, *lines = ended.out.splitlines()
    assert first == f"Falling fired on event #{seqs[1]}: Every condition held."
    assert lines[0] == "its group is 1."
    table = [" ".join(line.split()) for line in lines[2:]]
    assert table[0] == "0 yes ema_threshold score < 60 20 ema=55 ema=90 samples=1 –"
    assert table[2:4] == ["1.0 no agent_id_equals agent_id = 7 1 – – –", "1.1 yes expression score < 95 – – – –"]
    assert "pending" in table[-1]


async def test_silence_is_explained_by_the_condition_that_did_not_hold(cli: Cli, seqs: list[int]) -> None:
    ended = await cli.ok("trigger", "explain", "Falling", str(seqs[0]))
    assert ended.out.startswith(f"Falling did not fire on event #{seqs[0]}: Condition 0 did not hold.\n")


async def test_explanation_is_the_apis_own_as_json_whichever_way_the_event_is_named(
    cli: Cli, seqs: list[int], pool: Pool
) -> None:
    id_ = await pool.fetchval("SELECT id FROM events WHERE seq = $1", seqs[1])
    told = [
        json.loads((await cli.ok("trigger", "explain", "Falling", name, "--json")).out)
        for name in (str(seqs[1]), str(id_))
    ]
    assert told[0] == told[1]
    assert (told[0]["result"], told[0]["event_id"]) == ("fired", str(id_))


@pytest.mark.parametrize("name", ["999999", "9" * 17])
async def test_place_that_the_log_does_not_have_is_said(cli: Cli, seqs: list[int], name: str) -> None:
    ended = await cli("trigger", "explain", "Falling", name)
    assert (ended.status, f"the log has no event #{name}" in ended.err) == (1, True)


@pytest.mark.parametrize("name", ["last", "-1", "9" * 40, "1.5"])
async def test_what_is_no_event_is_told_what_to_give(cli: Cli, logged_in: Service, home: Path, name: str) -> None:
    (home / "trigger.yaml").write_text(FILE)
    await cli.ok("trigger", "apply", "-f", "trigger.yaml")
    ended = await cli("trigger", "explain", "--", "Falling", name)
    assert (ended.status, "give its place in the log" in ended.err) == (1, True)


async def test_ledger_has_a_line_for_each_day(cli: Cli, seqs: list[int]) -> None:
    ended = await cli.ok("trigger", "ledger", "Falling", "--from", DAY, "--to", DAY)
    assert ended.out.splitlines()[1].split() == [DAY, "1", "0", "1", "1", "pending"]
    as_json = json.loads((await cli.ok("trigger", "ledger", "Falling", "--from", DAY, "--to", DAY, "--json")).out)
    assert [(one["day"], one["fired"]) for one in as_json] == [(DAY, 1)]


async def test_empty_ledger_is_said(cli: Cli, seqs: list[int]) -> None:
    ended = await cli.ok("trigger", "ledger", "Falling", "--from", "2026-01-01", "--to", "2026-01-02")
    assert (ended.out, ended.err) == ("", "Falling met nothing in these days.\n")


async def test_day_that_is_none_is_refused_by_its_name(cli: Cli, seqs: list[int]) -> None:
    ended = await cli("trigger", "ledger", "Falling", "--from", "yesterday")
    assert (ended.status, "must be a day such as" in ended.err) == (1, True)
