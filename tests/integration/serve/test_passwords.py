"""Forgotten, reset and changed passwords, and addresses that are shown to be somebody's, with real mails."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import pytest

from agentauri.store.database import Pool
from tests.integration.serve.conftest import PASSWORD, Api, User, running, settings_for
from tests.support.smtp import Inbox

NEW = "another-horse-battery-staple"


async def post(api: Api, path: str, **body: Any) -> httpx2.Response:
    return await api.client.post(f"/api/v1/auth/{path}", json=body)


async def log_in(api: Api, email: str, password: str) -> httpx2.Response:
    return await post(api, "login", email=email, password=password)


async def sent(api: Api) -> None:
    """Wait until every mail is out."""
    await api.app.state.context.mailer.flush()


async def reset_token(api: Api, inbox: Inbox, email: str) -> str:
    await sent(api)  # or the mail that comes last may be another one
    assert (await post(api, "password/forgot", email=email)).status_code == 202
    await sent(api)
    return inbox.tokens(email)[-1]


async def test_registering_sends_a_token_that_verifies_the_address_once(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await sent(mailed)
    (token,) = inbox.tokens(user.email)
    assert user.registered["user"]["email_verified"] is False
    assert (await post(mailed, "email/verify", token=token)).status_code == 200
    assert (await user.call("GET", "/auth/me")).json()["data"]["email_verified"] is True
    again = await post(mailed, "email/verify", token=token)
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (400, "/token")


async def test_the_mail_can_be_had_again_but_not_for_ever(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await sent(mailed)
    answers = [(await user.call("POST", "/auth/email/send-verification")).status_code for _ in range(5)]
    assert answers == [202] * 4 + [429]
    await sent(mailed)
    first, *_, last = inbox.tokens(user.email)
    assert (await post(mailed, "email/verify", token=first)).status_code == 200
    assert (await user.call("POST", "/auth/email/send-verification")).status_code == 409
    assert (await post(mailed, "email/verify", token=last)).status_code == 200


async def test_a_forgotten_password_is_set_anew(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    await sent(mailed)
    assert (await post(mailed, "password/forgot", email=f" {user.email.upper()} ")).status_code == 202
    await sent(mailed)
    token = inbox.tokens(user.email)[-1]
    assert (await post(mailed, "password/reset", token=token, password=NEW)).status_code == 200
    assert (await log_in(mailed, user.email, PASSWORD)).status_code == 401
    logged_in = await log_in(mailed, user.email, NEW)
    assert logged_in.json()["data"]["user"]["email_verified"] is True
    assert (await user.call("GET", "/auth/me")).status_code == 401
    assert (await post(mailed, "refresh", refresh_token=user.registered["refresh_token"])).status_code == 401
    await sent(mailed)
    assert inbox.to(user.email)[-1]["Subject"] == "Your AgentAuri password was changed"
    actions = {row["action"] for row in await pool.fetch("SELECT action FROM audit_log")}
    assert "user.password_reset" in actions


async def test_a_reset_token_works_once_even_when_it_is_used_eight_times_at_once(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    token = await reset_token(mailed, inbox, user.email)
    tries = [post(mailed, "password/reset", token=token, password=f"{NEW}-{number}") for number in range(8)]
    answers = await asyncio.gather(*tries)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 7}


async def test_a_reset_ends_other_tokens_and_lifts_the_lock(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    first = await reset_token(mailed, inbox, user.email)
    second = await reset_token(mailed, inbox, user.email)
    for _ in range(5):
        assert (await log_in(mailed, user.email, "wrong")).status_code == 401
    assert (await log_in(mailed, user.email, PASSWORD)).status_code == 429
    assert (await post(mailed, "password/reset", token=second, password=NEW)).status_code == 200
    assert (await log_in(mailed, user.email, NEW)).status_code == 200
    assert (await post(mailed, "password/reset", token=first, password=PASSWORD)).status_code == 400


async def test_a_reset_of_an_address_that_nobody_had_verified_ends_other_ways_in(
    mailed: Api, inbox: Inbox, pool: Pool
) -> None:
    user = await mailed.register()
    await pool.execute("INSERT INTO identities (provider, subject, user_id) SELECT 'google', '1', id FROM users")
    made = await user.call("POST", "/api-keys", json={"name": "ci", "permissions": ["events:read"]})
    token = await reset_token(mailed, inbox, user.email)
    assert (await post(mailed, "password/reset", token=token, password=NEW)).status_code == 200
    assert await pool.fetchval("SELECT count(*) FROM identities") == 0
    user.token = made.json()["data"]["key"]
    assert (await user.call("GET", "/events")).status_code == 401


async def test_a_reset_of_a_verified_address_leaves_keys_and_identities(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    await pool.execute("UPDATE users SET email_verified_at = now()")
    await pool.execute("INSERT INTO identities (provider, subject, user_id) SELECT 'google', '1', id FROM users")
    made = await user.call("POST", "/api-keys", json={"name": "ci", "permissions": ["events:read"]})
    token = await reset_token(mailed, inbox, user.email)
    assert (await post(mailed, "password/reset", token=token, password=NEW)).status_code == 200
    assert await pool.fetchval("SELECT count(*) FROM identities") == 1
    user.token = made.json()["data"]["key"]
    assert (await user.call("GET", "/events")).status_code == 200


WRONG_TOKENS = ["aurm_" + "x" * 43, "", "x", "\u202e\U0001f680", "aurr_" + "x" * 43]


@pytest.mark.parametrize("token", WRONG_TOKENS)
async def test_a_token_that_nobody_was_sent_does_nothing(mailed: Api, token: str) -> None:
    for path, more in (("email/verify", {}), ("password/reset", {"password": NEW})):
        assert (await post(mailed, path, token=token, **more)).status_code == 400


async def test_a_token_is_good_for_one_purpose_and_for_its_time(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    await sent(mailed)
    (verify,) = inbox.tokens(user.email)
    reset = await reset_token(mailed, inbox, user.email)
    assert (await post(mailed, "password/reset", token=verify, password=NEW)).status_code == 400
    assert (await post(mailed, "email/verify", token=reset)).status_code == 400
    left = await pool.fetch("SELECT purpose, expires_at - created_at AS life FROM mail_tokens")
    assert {row["purpose"]: row["life"].total_seconds() / 3600 for row in left} == {"verify": 24.0, "reset": 1.0}
    await pool.execute("UPDATE mail_tokens SET expires_at = now()")
    assert (await post(mailed, "password/reset", token=reset, password=NEW)).status_code == 400
    assert (await post(mailed, "email/verify", token=verify)).status_code == 400


async def test_only_a_hash_of_a_token_is_stored(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    token = await reset_token(mailed, inbox, user.email)
    assert token.encode() not in await pool.fetchval("SELECT string_agg(token_sha256, '') FROM mail_tokens")
    assert not await pool.fetchval("SELECT bool_or(m::text LIKE '%' || $1 || '%') FROM mail_tokens AS m", token)


async def test_a_weak_new_password_is_refused_and_the_token_stays_good(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    token = await reset_token(mailed, inbox, user.email)
    weak = await post(mailed, "password/reset", token=token, password="passwordpassword")
    assert (weak.status_code, weak.json()["errors"][0]["pointer"]) == (400, "/password")
    assert (await post(mailed, "password/reset", token=token, password=NEW)).status_code == 200


async def test_forgetting_tells_nothing_about_who_exists(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    await sent(mailed)
    seconds: dict[str, list[float]] = {user.email: [], "nobody@example.com": []}
    bodies = set()
    for _ in range(15):
        for email, taken in seconds.items():
            await pool.execute("DELETE FROM mail_tokens")
            began = time.perf_counter()
            answer = await post(mailed, "password/forgot", email=email)
            taken.append(time.perf_counter() - began)
            bodies.add((answer.status_code, answer.text))
            await sent(mailed)
    assert len(bodies) == 1
    known, unknown = (median(taken) for taken in seconds.values())
    assert abs(known - unknown) < 0.005
    assert len(inbox.to("nobody@example.com")) == 0


async def test_a_crowd_of_requests_fills_no_mailbox(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await asyncio.gather(*(post(mailed, "password/forgot", email=user.email) for _ in range(30)))
    await sent(mailed)
    resets = [mail for mail in inbox.to(user.email) if "new password" in mail["Subject"]]
    assert len(resets) == 5


async def test_a_disabled_account_gets_no_mail_and_its_tokens_do_nothing(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    token = await reset_token(mailed, inbox, user.email)
    verify = inbox.tokens(user.email)[0]
    await pool.execute("UPDATE users SET disabled_at = now()")
    count = len(inbox.mails)
    assert (await post(mailed, "password/forgot", email=user.email)).status_code == 202
    await sent(mailed)
    assert len(inbox.mails) == count
    assert (await post(mailed, "password/reset", token=token, password=NEW)).status_code == 400
    assert (await post(mailed, "email/verify", token=verify)).status_code == 400


async def test_changing_the_password_ends_the_other_sessions(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user = await mailed.register()
    other = User(mailed.client, user.email, "", "", {})
    other.token = (await log_in(mailed, user.email, PASSWORD)).json()["data"]["token"]
    reset = await reset_token(mailed, inbox, user.email)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await user.call("POST", "/auth/password", json=body)).status_code == 204
    assert (await user.call("GET", "/auth/me")).status_code == 200
    assert (await other.call("GET", "/auth/me")).status_code == 401
    assert (await log_in(mailed, user.email, NEW)).status_code == 200
    assert (await post(mailed, "password/reset", token=reset, password=PASSWORD)).status_code == 400
    assert await pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'user.password_changed'") == 1


async def test_a_password_is_not_changed_without_the_old_one(user: User) -> None:
    for body, status in [
        ({"new_password": NEW}, 400),
        ({"current_password": "wrong", "new_password": NEW}, 403),
        ({"current_password": PASSWORD, "new_password": "short"}, 400),
        ({"current_password": PASSWORD, "new_password": "passwordpassword"}, 400),
    ]:
        answer = await user.call("POST", "/auth/password", json=body)
        assert answer.status_code == status
        assert PASSWORD not in answer.text


async def test_who_has_no_password_sets_a_first_one(api: Api, user: User, pool: Pool) -> None:
    await pool.execute("UPDATE users SET password_hash = NULL")
    assert (await log_in(api, user.email, PASSWORD)).status_code == 401
    assert (await user.call("POST", "/auth/password", json={"new_password": NEW})).status_code == 204
    assert (await log_in(api, user.email, NEW)).status_code == 200


async def test_of_two_changes_at_once_one_is_refused(user: User) -> None:
    bodies = [{"current_password": PASSWORD, "new_password": f"{NEW}-{number}"} for number in range(2)]
    answers = await asyncio.gather(*(user.call("POST", "/auth/password", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) in ([204, 409], [204, 403], [204, 401])


async def test_without_a_mail_server_production_says_so_and_still_registers(database: str, redis_url: str) -> None:
    settings = settings_for(database, redis_url, environment="production")
    async with running(settings) as api:
        user = await api.register()
        for email in (user.email, "nobody@example.com"):
            answer = await post(api, "password/forgot", email=email)
            assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert (await user.call("POST", "/auth/email/send-verification")).status_code == 503
        change = {"email": "new@example.com", "current_password": PASSWORD}
        assert (await user.call("PATCH", "/auth/me", json=change)).status_code == 503


async def test_without_a_mail_server_development_writes_files(database: str, redis_url: str, tmp_path: Path) -> None:
    async with running(settings_for(database, redis_url, data_dir=tmp_path)) as api:
        user = await api.register()
        await sent(api)
        (file,) = (tmp_path / "mail").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        assert f"To: {user.email}" in file.read_text()


async def test_a_mail_server_that_is_away_changes_no_answer(database: str, redis_url: str, inbox: Inbox) -> None:
    gone = {"url": "smtp://127.0.0.1:9"}
    async with running(settings_for(database, redis_url, smtp=gone)) as api:
        user = await api.register()
        assert (await post(api, "password/forgot", email=user.email)).status_code == 202
