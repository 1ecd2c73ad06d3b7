"""Testing triggers from the terminal, against the real API."""

import json
from pathlib import Path

import pytest

from agentauri.serve.triggers import trial
from agentauri.store.database import Pool
from tests.integration.cli.conftest import Cli, Service
from tests.support.rows import feedback, insert_events

FILE = """
name: Low score
conditions:
- {condition_type: score_threshold, operator: <, value: 60}
actions:
- {action_type: rest, config: {url: "https://example.com/${HOOK}"}}
"""
AVERAGE = """
name: Average
conditions:
- {condition_type: ema_threshold, operator: ">", value: 0, config: {alpha: 0.3}}
"""


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "trigger.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def average(home: Path) -> Path:
    path = home / "average.yaml"
    path.write_text(AVERAGE)
    return path


@pytest.fixture
async def events(pool: Pool) -> list[str]:
    rows = [feedback(number, data={"score": str(score)}) for number, score in enumerate((10, 90, 20, 95))]
    async with pool.acquire() as connection:
        return [str(id_) for id_ in await insert_events(connection, rows)]


async def test_file_is_tested_and_nothing_of_it_is_stored(
    logged_in: Service, cli: Cli, file: Path, events: list[str]
) -> None:
    ended = await cli.ok("trigger", "test", "-f", str(file), "--last", "4", HOOK="hook")
    assert ended.out.startswith("Low score: fired 2 times on 4 events.\n2026-09-21 █ 2026-09-21\n")
    assert "POST https://example.com/hook" in ended.out
    assert [id_ in ended.out for id_ in events] == [True, False, True, False]
    assert json.loads((await cli.ok("trigger", "list", "--json")).out) == []


async def test_long_test_is_followed_to_its_end(
    logged_in: Service, cli: Cli, file: Path, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "INLINE_EVENTS", 0)
    ended = await cli.ok("trigger", "test", "-f", str(file), "--from-block", "0", "--json", HOOK="hook")
    found = json.loads(ended.out)
    assert (found["status"], found["evaluated"], found["fired"], len(found["matches"])) == ("done", 4, 2, 2)


async def test_stored_trigger_is_tested_by_its_name(
    logged_in: Service, cli: Cli, file: Path, events: list[str]
) -> None:
    await cli.ok("trigger", "apply", "-f", str(file), HOOK="hook")
    ended = await cli.ok("trigger", "test", "Low score", "--event", events[0])
    assert ended.out.startswith("Low score: fired 1 time on 1 event.")


async def test_average_is_shown_without_the_noise_of_its_last_digits_and_nothing_stands_beside_it(
    logged_in: Service, cli: Cli, average: Path, events: list[str]
) -> None:
    ended = await cli.ok("trigger", "test", "-f", str(average), "--last", "4")
    assert "ema=29.8 " in ended.out  # 0.3 * 20 + 0.7 * 34 is a little less in doubles
    assert ended.err == ""


async def test_what_cannot_be_meant_is_said(logged_in: Service, cli: Cli, file: Path) -> None:
    assert "--last" in (await cli("trigger", "test", "-f", str(file), HOOK="hook")).err
    assert "--file" in (await cli("trigger", "test", "--last", "1d")).err
    refused = await cli("trigger", "test", "-f", str(file), "--last", "month", HOOK="hook")
    assert (refused.status, "30d" in refused.err) == (1, True)
