"""Triggers from the terminal, against the real API: files applied, shown and applied again, and triggers one by one."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agentauri.models.action import MASK
from agentauri.store.action_secrets import open_config
from agentauri.store.vault import Vault
from tests.integration.cli.conftest import EMAIL, PASSWORD, SECRET_KEY, Cli, Process, Service, run

FILE = """
name: Low stars
description: Agents of ours that somebody is unhappy with
registry: reputation
conditions:
- {condition_type: tag_equals, field: tag1, operator: "==", value: starred}
- {condition_type: ema_threshold, operator: <, value: 60, config: {window_size: 10}}
actions:
- action_type: rest
  config:
    url: https://example.com/${HOOK}
    headers: {Authorization: "Bearer ${TOKEN}"}
---
name: Validator
registry: validation
conditions:
- {condition_type: validator_whitelist, field: validator_address, operator: in,
   value: [0x70997970C51812dc3A010C7d01b50e0d17dc79C8]}
actions: []
"""
VARIABLES = {"HOOK": "hook", "TOKEN": "s3cr3t"}


def write(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "triggers.yaml"
    path.write_text(FILE)
    return path


async def listed(cli: Cli, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await cli.ok("trigger", "list", "--json", *more)).out)
    return found


async def get(cli: Cli, name: str) -> dict[str, Any]:
    return next(one for one in await listed(cli) if one["name"] == name)


async def test_file_is_applied_and_then_unchanged(logged_in: Service, cli: Cli, file: Path) -> None:
    made = await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    assert made.out == "created Low stars\ncreated Validator\n"
    assert made.err == f"2 created at {logged_in.url}.\n"
    again = await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    assert again.out == (
        "changed Low stars (secrets are sent again: stored ones cannot be compared)\nunchanged Validator\n"
    )
    write(file, FILE.replace("Bearer ${TOKEN}", MASK))
    kept = await cli.ok("trigger", "apply", "-f", str(file), HOOK="hook")
    assert kept.out == "unchanged Low stars\nunchanged Validator\n"


async def test_change_keeps_the_ids_of_conditions_and_actions(logged_in: Service, cli: Cli, file: Path) -> None:
    await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    before = await get(cli, "Low stars")
    extra = "- {condition_type: score_threshold, field: score, operator: '<', value: 99}\n- {condition_type: tag_equals"
    write(file, FILE.replace("- {condition_type: tag_equals", extra).replace("value: 60", "value: 59"))
    changed = await cli.ok("trigger", "apply", "-f", str(file), HOOK="other", TOKEN="fresh")
    assert changed.out.startswith("changed Low stars (conditions, actions, secrets are sent again")
    after = await get(cli, "Low stars")
    assert [one["id"] for one in after["conditions"]][1:] == [one["id"] for one in before["conditions"]]
    assert after["conditions"][2]["value"] == 59
    assert after["actions"][0]["id"] == before["actions"][0]["id"]
    row = await logged_in.app.state.context.pool.fetchrow("SELECT id, config FROM trigger_actions")
    assert open_config(Vault(SECRET_KEY), row["id"], row["config"])["headers"] == {"Authorization": "Bearer fresh"}


async def test_dry_run_shows_the_difference_and_no_secret_and_does_nothing(
    logged_in: Service, cli: Cli, file: Path
) -> None:
    shown = await cli.ok("trigger", "apply", "--dry-run", "-f", str(file), **VARIABLES)
    assert shown.out.count("would create") == 2
    assert "s3cr3t" not in shown.out
    assert await listed(cli) == []
    await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    write(file, FILE.replace("window_size: 10", "window_size: 20") + "cooldown_seconds: 60\n")
    shown = await cli.ok("trigger", "apply", "--dry-run", "--prune", "-f", str(file), **VARIABLES)
    assert "-    window_size: 10" in shown.out
    assert "+    window_size: 20" in shown.out
    assert "-cooldown_seconds: 0\n" in shown.out
    assert "s3cr3t" not in shown.out + shown.err
    assert (await get(cli, "Validator"))["cooldown_seconds"] == 0


@pytest.mark.parametrize("form", ["--yaml", "--json"])
async def test_what_is_shown_can_be_applied_again(logged_in: Service, cli: Cli, file: Path, form: str) -> None:
    write(file, FILE.replace("hook", "").replace("${HOOK}", "$${NOT}{{agent_id}}"))
    await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    shown = (await cli.ok("trigger", "show", "Low stars", form)).out
    again = await cli.ok("trigger", "apply", "-f", "-", input=shown)
    assert again.out == "unchanged Low stars\n"


async def test_prune_deletes_what_the_file_does_not_have(logged_in: Service, cli: Cli, file: Path) -> None:
    await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    write(file, "name: Only\nmatch_all: true\n")
    assert (await cli.ok("trigger", "apply", "-f", str(file))).out == "created Only\n"
    ended = await cli.ok("trigger", "apply", "--prune", "-f", str(file))
    assert sorted(ended.out.splitlines()) == ["deleted Low stars", "deleted Validator", "unchanged Only"]
    assert [one["name"] for one in await listed(cli)] == ["Only"]


async def test_mistakes_are_told_before_anything_is_changed(logged_in: Service, cli: Cli, file: Path) -> None:
    write(file, FILE.replace("operator: in", "operator: contains"))
    ended = await cli("trigger", "apply", "-f", str(file), **VARIABLES)
    assert ended.status == 1
    assert "trigger 'Validator' is not valid: /conditions/0/operator" in ended.err
    ended = await cli("trigger", "apply", "-f", str(file))
    assert "needs variables that are not set: HOOK (/actions/0/config/url), TOKEN" in ended.err
    assert await listed(cli) == []


async def test_name_that_two_stored_triggers_have_is_refused(logged_in: Service, cli: Cli, home: Path) -> None:
    write(home / "one.yaml", "name: Same\nmatch_all: true\n")
    await cli.ok("trigger", "apply", "-f", "one.yaml")
    pool = logged_in.app.state.context.pool
    await pool.execute(
        """INSERT INTO triggers (id, organization_id, name, match_all, partition)
           SELECT gen_random_uuid(), organization_id, name, true, 0 FROM triggers"""
    )
    assert "the API has 2 triggers of the name 'Same'" in (await cli("trigger", "apply", "-f", "one.yaml")).err
    ended = await cli("trigger", "disable", "Same")
    assert "2 triggers have the name 'Same'; give an id:" in ended.err
    ids = [one["id"] for one in await listed(cli)]
    await cli.ok("trigger", "delete", "--yes", ids[0])
    assert [one["id"] for one in await listed(cli)] == ids[1:]


async def test_refusal_of_the_api_names_the_trigger(
    logged_in: Service, cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logged_in.app.state.context.pool.execute("UPDATE members SET role = 'viewer'")
    ended = await cli("trigger", "apply", "-f", str(file), **VARIABLES)
    assert ended.err.startswith("Low stars: this needs the role member in the organization; yours is viewer.")
    assert ended.err.endswith("What is listed above is done.")


async def test_more_triggers_than_a_page_are_all_seen(logged_in: Service, cli: Cli, home: Path) -> None:
    text = "".join(f"- {{name: T{number}, match_all: true}}\n" for number in range(103))
    write(home / "many.yaml", text)
    await cli.ok("trigger", "apply", "-f", "many.yaml")
    again = await cli.ok("trigger", "apply", "-f", "many.yaml")
    assert again.err == f"103 unchanged at {logged_in.url}.\n"
    assert len(await listed(cli)) == 103


async def test_triggers_one_by_one(logged_in: Service, cli: Cli, file: Path) -> None:
    await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    assert (await cli.ok("trigger", "disable", "Low stars")).err == "Low stars is off.\n"
    assert (await cli.ok("trigger", "disable", "Low stars")).err == "Low stars is already off.\n"
    assert [one["name"] for one in await listed(cli, "--disabled")] == ["Low stars"]
    unchanged = await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    assert (await get(cli, "Low stars"))["enabled"] is False
    assert "unchanged Validator" in unchanged.out
    id_ = (await get(cli, "Low stars"))["id"]
    assert (await cli.ok("trigger", "enable", id_)).err == "Low stars is on.\n"
    table = (await cli.ok("trigger", "list", "--search", "stars")).out
    assert id_ in table
    assert "Validator" not in table
    shown = await cli.ok("trigger", "show", id_)
    assert shown.err == f"{id_}, on; fired 0 times, never so far.\n"
    assert shown.out.startswith("name: Low stars\n")
    refused = await cli("trigger", "delete", "Low stars")
    assert "give --yes" in refused.err
    await cli.ok("trigger", "delete", "Low stars", "-y")
    missing = await cli("trigger", "show", "Low stars")
    assert missing.err == f"there is no trigger 'Low stars' at {logged_in.url}; see: agentauri trigger list"


async def test_organization_is_chosen_by_name_or_id(logged_in: Service, cli: Cli, home: Path) -> None:
    other = await logged_in.register("grace@example.com")
    organization = UUID(other["user"]["organizations"][0]["id"])
    pool = logged_in.app.state.context.pool
    await pool.execute(
        "INSERT INTO members (organization_id, user_id, role) SELECT $1, id, 'member' FROM users WHERE email = $2",
        organization,
        EMAIL,
    )
    write(home / "one.yaml", "name: Theirs\nmatch_all: true\n")
    await cli.ok("trigger", "apply", "-f", "one.yaml", "--organization", "grace")
    assert await listed(cli) == []
    assert [one["name"] for one in await listed(cli, "--organization", str(organization))] == ["Theirs"]
    unknown = await cli("trigger", "list", "--organization", "nobody")
    assert "none of your organizations has the name 'nobody'" in unknown.err


async def test_names_cannot_write_to_the_terminal(logged_in: Service, cli: Cli, home: Path) -> None:
    write(home / "one.json", json.dumps({"name": "a\x1b[2J[red]b", "match_all": True}))
    made = await cli.ok("trigger", "apply", "-f", "one.json")
    assert made.out == "created a\\x1b[2J[red]b\n"
    assert "\x1b" not in (await cli.ok("trigger", "list")).out + (await cli.ok("trigger", "show", "a\x1b[2J[red]b")).out


async def test_real_process_ends_with_one_line_and_status_1(logged_in: Service, process: Process) -> None:
    ended = await run(process, "trigger", "show", "nothing")
    assert ended.status == 1
    assert ended.err == f"error: there is no trigger 'nothing' at {logged_in.url}; see: agentauri trigger list\n"
    assert PASSWORD not in ended.err


async def test_trigger_that_begins_in_the_past_says_so_and_how_far_it_is(
    logged_in: Service, cli: Cli, file: Path
) -> None:
    write(file, FILE.replace("name: Low stars\n", "name: Low stars\nstart: 1\n"))
    made = await cli.ok("trigger", "apply", "-f", str(file), **VARIABLES)
    assert "created Low stars (begins in the past)\n" in made.out
    assert "its past is worked off up to 0 of 0 in the log." in (await cli.ok("trigger", "show", "Low stars")).err
