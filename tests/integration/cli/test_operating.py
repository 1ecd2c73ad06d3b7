"""The operator's commands: users, organizations and keys made in the database, good for the API at once."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agentauri.accounts.api_keys import is_well_formed
from agentauri.store.database import Pool
from tests.integration.cli.conftest import EMAIL, PASSWORD, Cli, Process, Service, run


async def create(process: Process, *more: str, password: str = PASSWORD) -> Any:
    return await run(process, "user", "create", "--email", EMAIL, *more, input=password + "\n")


async def test_user_that_was_created_can_log_in_and_is_verified(
    service: Service, process: Process, cli: Cli, pool: Pool
) -> None:
    ended = await create(process, "--username", "ada", "--name", "Ada Lovelace", "--json")
    assert ended.status == 0, ended.err
    made = json.loads(ended.out)
    assert made["webhook_secret"].startswith("whsec_")
    await cli.ok("login", "--api", service.url, "--username", "ada", input=PASSWORD + "\n")
    user = json.loads((await cli.ok("whoami", "--json")).out)["user"]
    assert user["email_verified"]
    assert [(one["id"], one["name"], one["role"]) for one in user["organizations"]] == [
        (made["organization_id"], "Ada Lovelace", "owner")
    ]
    entry = await pool.fetchrow("SELECT * FROM audit_log WHERE action = 'user.created'")
    assert entry is not None
    assert (entry["actor_kind"], str(entry["user_id"])) == ("operator", made["id"])


@pytest.mark.parametrize(
    ("more", "password", "message"),
    [
        ((), "password", "must have 12 to 128 characters"),
        ((), "ada@example.com1", "must not contain the user name or the e-mail address"),
        ((), "", "nothing was given on standard input"),
        (("--username", "a@b"), PASSWORD, "username"),
        (("--password", PASSWORD), "", "everybody on this machine can read command lines"),
    ],
)
async def test_rules_are_those_of_a_registration(
    process: Process, pool: Pool, more: tuple[str, ...], password: str, message: str
) -> None:
    ended = await create(process, *more, password=password)
    assert ended.status == 1
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert await pool.fetchval("SELECT count(*) FROM users") == 0


async def test_address_that_is_taken_is_told_and_nothing_is_left(process: Process, pool: Pool) -> None:
    await create(process)
    ended = await create(process)
    assert (ended.status, ended.out) == (1, "")
    assert "an account with this e-mail exists" in ended.err
    assert await pool.fetchval("SELECT count(*) FROM organizations") == 1


async def test_users_and_organizations_are_listed(process: Process) -> None:
    await create(process)
    assert EMAIL in (await run(process, "user", "list")).out
    [organization] = json.loads((await run(process, "org", "list", "--json")).out)
    assert (organization["personal_of"], organization["members"], organization["plan"]) == (EMAIL, 1, "free")
    assert organization["created_at"].endswith("Z")
    assert organization["id"] in (await run(process, "org", "list")).out


async def test_local_key_works_with_the_api_until_it_is_revoked(service: Service, process: Process, pool: Pool) -> None:
    user = (await service.register())["user"]
    mine = ("--local", "--organization", "ada")
    more = ("--scope", "triggers:read,events:read", "--expires-days", "7")
    made = await run(process, "key", "create", "--name", "ci", *more, *mine)
    assert made.status == 0, made.err
    key = made.out.strip()
    assert is_well_formed(key)
    assert key not in made.err
    async with httpx2.AsyncClient(base_url=f"{service.url}/api/v1", headers={"x-api-key": key}) as client:
        assert (await client.get("/triggers")).status_code == 200
        assert (await client.get("/deliveries")).status_code == 403
        await run(process, "key", "create", "--name", "home", "--scope", "admin", "--ip", "127.0.0.1", *mine)
        home, listed = json.loads((await run(process, "key", "list", "--json", *mine)).out)
        assert (listed["name"], home["ip_allow"], listed["ip_allow"]) == ("ci", ["127.0.0.1/32"], [])
        assert listed["organization_id"] == user["organizations"][0]["id"]
        revoked = await run(process, "key", "revoke", "ci", "--reason", "it was shown", *mine)
        assert revoked.err == f"revoked ci ({key[:13]}…).\n"
        assert "revoked" in (await run(process, "key", "list", *mine)).out
        entries = await pool.fetch("SELECT action, actor_kind FROM audit_log WHERE action LIKE 'api_key.%' ORDER BY id")
        assert {tuple(row) for row in entries} == {("api_key.created", "operator"), ("api_key.revoked", "operator")}
        service.app.state.context.access.forget()
        assert (await client.get("/triggers")).status_code == 401


async def test_keys_over_the_api(logged_in: Service, cli: Cli, pool: Pool) -> None:
    made = json.loads((await cli.ok("key", "create", "--name", "ci", "--scope", "events:read", "--test", "--json")).out)
    assert made["key"].startswith("aur_test_")
    assert (await cli.ok("whoami", AGENTAURI_API_KEY=made["key"])).err.startswith("API key aur_test_")
    assert "needs the scope triggers:read" in (await cli("trigger", "list", AGENTAURI_API_KEY=made["key"])).err
    named = await cli("trigger", "list", "--organization", "ada", AGENTAURI_API_KEY=made["key"])
    assert "an API key acts in its own organization" in named.err
    await cli.ok("key", "create", "--name", "ci", "--scope", "events:read")
    assert "2 keys are called 'ci'; give an id" in (await cli("key", "revoke", "ci")).err
    assert (await cli.ok("key", "revoke", made["id"], "--reason", "done")).err.startswith("revoked ci")
    assert await pool.fetchval("SELECT revoked_reason FROM api_keys WHERE revoked_at IS NOT NULL") == "done"
    table = (await cli.ok("key", "list")).out
    assert "revoked" in table
    assert "active" in table
    assert "there is no key 'x'" in (await cli("key", "revoke", "x")).err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--name", "x", "--scope", "all"), "there is no scope 'all'; there are triggers:read"),
        (("--name", "", "--scope", "events:read"), "a name of 1 to 255 characters"),
        (("--name", "x", "--scope", "events:read", "--ip", "x"), "--ip must be an IP address"),
    ],
)
async def test_key_that_cannot_be_meant_is_refused(cli: Cli, more: tuple[str, ...], message: str) -> None:
    assert message in (await cli("key", "create", *more)).err


async def test_local_needs_an_organization_that_is_there(process: Process) -> None:
    assert "--local needs --organization" in (await run(process, "key", "list", "--local")).err
    ended = await run(process, "key", "list", "--local", "--organization", "nobody")
    assert "there is no organization 'nobody'; see: agentauri org list" in ended.err


async def test_commands_without_a_database_say_what_to_do(cli: Cli, home: Path) -> None:
    ended = await cli("org", "list")
    assert ended.status == 1
    assert "no service runs in .agentauri; start one with: agentauri up" in ended.err


async def test_database_without_a_schema_is_told(process: Process, postgres_url: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("AGENTAURI_STORES__DATABASE_URL", postgres_url)
    ended = await run(process, "org", "list")
    assert (ended.status, ended.err) == (1, "error: the database has no schema yet; run: agentauri migrate\n")
