"""Logging in from a terminal: what is kept, what is renewed, and what is told when it cannot be."""

import asyncio
import json
import os
import re
import select
import stat
from pathlib import Path
from typing import Any

import pytest

from agentauri.accounts.api_keys import Environment, make_key
from agentauri.cli.credentials import CredentialsFile, Key, Tokens, folder
from tests.integration.cli.conftest import EMAIL, PASSWORD, Cli, Process, Service, run, serving


def stored(api: str) -> Tokens:
    found = CredentialsFile(folder()).read().logins[api]
    assert isinstance(found, Tokens)
    return found


def age(api: str, **changes: Any) -> None:
    """Change what is stored of a login."""
    file = CredentialsFile(folder())
    old = stored(api)
    with file.locked():
        file.put(api, Tokens(**{"token": old.token, "refresh_token": old.refresh_token, "expires_at": 0.0, **changes}))


async def test_login_is_kept_for_the_commands_that_follow(service: Service, cli: Cli, home: Path) -> None:
    user = (await service.register())["user"]
    ended = await cli.ok("login", "--api", service.url + "/", "--email", EMAIL, input=PASSWORD + "\n")
    assert ended.err == f"logged in to {service.url} as {EMAIL}.\n"
    file = home / "config" / "agentauri" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    assert json.loads((await cli.ok("whoami", "--json")).out)["user"]["id"] == user["id"]
    shown = (await cli.ok("whoami")).err
    assert f"{EMAIL} at {service.url}" in shown
    assert user["organizations"][0]["id"] in shown


async def test_wrong_password_is_one_line_and_nothing_is_kept(service: Service, cli: Cli) -> None:
    await service.register()
    ended = await cli("login", "--api", service.url, "--email", EMAIL, input="wrong-horse-battery\n")
    assert (ended.status, ended.err) == (1, "the e-mail, user name or password is wrong; run: agentauri login")
    assert "not logged in to" in (await cli("whoami", "--api", service.url)).err


async def test_commands_without_a_login_say_what_to_do(cli: Cli) -> None:
    ended = await cli("trigger", "list")
    assert (ended.status, ended.err) == (
        1,
        "not logged in to http://127.0.0.1:8000; run: agentauri login --api http://127.0.0.1:8000",
    )


async def test_service_that_is_not_there_is_told_with_its_address(cli: Cli) -> None:
    key = make_key(Environment.LIVE).text
    ended = await cli("trigger", "list", "--api", "http://127.0.0.1:9", AGENTAURI_API_KEY=key)
    assert ended.status == 1
    assert re.search(
        r"nothing answers at http://127.0.0.1:9 \(.*\); start the service there with: agentauri up", ended.err
    )


async def test_other_program_at_the_address_is_told(cli: Cli) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        status = 302 if scope["path"].endswith("/triggers") else 200
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"location", b"http://evil.example/")]}
        )
        await send({"type": "http.response.body", "body": b"<html>"})

    key = make_key(Environment.LIVE).text
    async with serving(app) as url:
        for command in (("trigger", "list"), ("whoami",)):
            ended = await cli(*command, "--api", url, AGENTAURI_API_KEY=key)
            assert "is no AgentAuri API" in ended.err


async def test_access_token_that_ran_out_is_renewed_and_stored(logged_in: Service, cli: Cli) -> None:
    old = stored(logged_in.url)
    age(logged_in.url)
    await cli.ok("whoami")
    new = stored(logged_in.url)
    assert new.refresh_token != old.refresh_token
    assert new.expires_at > old.expires_at - 60


async def test_token_that_is_refused_is_renewed_once_and_the_call_repeated(logged_in: Service, cli: Cli) -> None:
    age(logged_in.url, token="not.a.token", expires_at=4e9)
    await cli.ok("whoami")
    assert stored(logged_in.url).token != "not.a.token"


async def test_commands_at_once_spend_one_refresh_token_and_all_succeed(logged_in: Service, process: Process) -> None:
    age(logged_in.url)
    ended = await asyncio.gather(*(run(process, "whoami", "--json") for _ in range(5)))
    assert [one.status for one in ended] == [0] * 5
    sessions = await logged_in.app.state.context.pool.fetch("SELECT revoked_at FROM sessions")
    assert [row["revoked_at"] for row in sessions] == [None, None]  # of the registration and of the login
    spent = await logged_in.app.state.context.pool.fetchval(
        "SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL"
    )
    assert spent == 1


async def test_login_that_ended_is_forgotten_and_told(logged_in: Service, cli: Cli) -> None:
    await logged_in.app.state.context.pool.execute("UPDATE sessions SET revoked_at = now()")
    age(logged_in.url)
    ended = await cli("whoami")
    assert (ended.status, ended.err) == (1, f"the login to {logged_in.url} has ended; run: agentauri login")
    assert CredentialsFile(folder()).read().logins == {}


async def test_logout_ends_the_session_and_forgets_it(logged_in: Service, cli: Cli) -> None:
    token = stored(logged_in.url).refresh_token
    await cli.ok("logout")
    assert CredentialsFile(folder()).read().logins == {}
    open_ones = await logged_in.app.state.context.pool.fetchval(
        "SELECT count(*) FROM sessions AS s JOIN refresh_tokens AS t ON t.session_id = s.id "
        "WHERE s.revoked_at IS NULL AND t.token_sha256 = sha256($1::bytea)",
        token.encode(),
    )
    assert open_ones == 0
    assert "there is no login to" in (await cli.ok("logout", "--api", logged_in.url)).err


async def test_logout_from_a_service_that_is_away_forgets_the_login_and_says_so(cli: Cli) -> None:
    file = CredentialsFile(folder())
    with file.locked():
        file.put("http://127.0.0.1:9", Tokens("t", "r", 4e9), make_current=True)
    ended = await cli("logout")
    assert ended.status == 1
    assert "The login is forgotten here, but still open there." in ended.err
    assert file.read().logins == {}


async def test_api_key_is_taken_from_standard_input_and_checked(logged_in: Service, cli: Cli) -> None:
    made = await cli.ok("key", "create", "--name", "ci", "--scope", "triggers:read")
    key = made.out.strip()
    other = "http://127.0.0.1:" + logged_in.url.rpartition(":")[2]
    ended = await cli.ok("login", "--api", other, "--key", "-", input=key + "\n")
    assert key not in ended.err + ended.out
    assert CredentialsFile(folder()).read().logins[other] == Key(key)
    assert json.loads((await cli.ok("whoami", "--json")).out)["key"] == key[:13] + "…"
    await cli.ok("trigger", "list")
    refused = await cli("trigger", "disable", "x" * 5)
    assert refused.status == 1


async def test_key_of_the_environment_wins_and_a_wrong_one_is_not_repeated(logged_in: Service, cli: Cli) -> None:
    ended = await cli("whoami", AGENTAURI_API_KEY="aur_live_mistyped")
    assert "AGENTAURI_API_KEY holds no API key" in ended.err
    assert "mistyped" not in ended.err
    unknown = make_key(Environment.LIVE).text
    refused = await cli("whoami", AGENTAURI_API_KEY=unknown)
    assert refused.err.endswith("run: agentauri login")
    assert unknown not in refused.err


async def test_secrets_on_the_command_line_are_refused(service: Service, cli: Cli) -> None:
    ended = await cli("login", "--api", service.url, "--key", make_key(Environment.LIVE).text)
    assert "everybody on this machine can read command lines" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--email", "a@b.example", "--username", "ada"), "not both"),
        ((), "give --email or --username"),
        (("--email", "a@b.example"), "Password: nothing was given"),
        (("--key", "-"), "API key: nothing was given"),
    ],
)
async def test_login_without_what_it_needs_says_so(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    ended = await cli("login", "--api", "http://127.0.0.1:9", *arguments)
    assert ended.status == 1
    assert message in ended.err


async def test_password_is_asked_for_without_echo_in_a_terminal(service: Service, process: Process) -> None:
    await service.register()
    leader, follower = os.openpty()
    try:
        async with process("login", "--api", service.url, "--email", EMAIL, stdin=follower) as started:
            assert started.stderr is not None
            assert await asyncio.wait_for(started.stderr.readuntil(b": "), 30) == b"Password: "
            os.write(leader, PASSWORD.encode() + b"\n")
            _, err = await asyncio.wait_for(started.communicate(), 30)
        assert f"logged in to {service.url}" in err.decode()
        assert select.select([leader], [], [], 0)[0] == []  # nothing of it came back to the screen
    finally:
        os.close(leader)
        os.close(follower)


async def test_variables_of_the_client_are_no_settings_of_the_service(process: Process, monkeypatch: Any) -> None:
    monkeypatch.setenv("AGENTAURI_API", "http://127.0.0.1:9")
    monkeypatch.setenv("AGENTAURI_API_KEY", "aur_live_x")
    monkeypatch.setenv("AGENTAURI_ORGANIZATION", "x")
    assert (await run(process, "config", "show")).status == 0
