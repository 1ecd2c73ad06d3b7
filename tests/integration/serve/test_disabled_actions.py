"""Feedback on actions that the system disabled: in the API, by mail, and what a fallback has to be."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.serve.disabled_actions import DisabledMails, mail_of
from agentauri.store.database import Pool
from agentauri.store.disabled_actions import Disabled
from tests.integration.serve.conftest import Api, User
from tests.support.smtp import Inbox

DISABLE = """
    UPDATE trigger_actions SET enabled = false, disabled_by = 'system', disabled_reason = 'It answered 410 Gone.'"""
ACTION = {"action_type": "rest", "config": {"url": "https://example.com/hook"}}


async def create(user: User, count: int = 1) -> dict[str, Any]:
    body = {"name": "Low score", "match_all": True, "actions": [ACTION] * count}
    made: dict[str, Any] = (await user.call("POST", "/triggers", json=body)).json()["data"]
    return made


async def disabled(mailed: Api, inbox: Inbox, pool: Pool) -> tuple[User, int]:
    """An admin who can be told by mail that an action was disabled, and how many mails there are before that."""
    user = await mailed.register()
    await create(user)
    await pool.execute("UPDATE users SET email_verified_at = now()")
    await mailed.app.state.context.mailer.flush()
    before = len(inbox.mails)
    await pool.execute(DISABLE)
    return user, before


def sender(api: Api) -> DisabledMails:
    context = api.app.state.context
    return DisabledMails(context.pool, context.mailer, "https://agentauri.example")


async def test_api_says_why_and_when_and_forgets_when_enabled(user: User, pool: Pool) -> None:
    made = await create(user)
    path = f"/triggers/{made['id']}/actions/{made['actions'][0]['id']}"
    assert made["actions"][0]["disabled_at"] is None
    await pool.execute(DISABLE)
    found = (await user.call("GET", path)).json()["data"]
    assert (found["disabled_by"], found["disabled_reason"]) == ("system", "It answered 410 Gone.")
    assert found["disabled_at"].endswith("Z")
    found = (await user.call("PATCH", path, json={"enabled": True})).json()["data"]
    assert (found["disabled_by"], found["disabled_reason"], found["disabled_at"]) == (None, None, None)


async def test_answer_sent_back_keeps_since_when(user: User, pool: Pool) -> None:
    made = await create(user)
    await pool.execute(DISABLE)
    whole = (await user.call("GET", f"/triggers/{made['id']}")).json()["data"]
    again = (await user.call("PATCH", f"/triggers/{made['id']}", json=whole)).json()["data"]
    assert again["actions"] == whole["actions"]


async def test_admin_is_told_by_mail_once(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    user, before = await disabled(mailed, inbox, pool)
    for _ in range(2):
        await sender(mailed).send()
    ((to, told),) = inbox.mails[before:]
    assert to == user.email
    assert "It answered 410 Gone." in told.get_content()
    assert await pool.fetchval("SELECT mailed_at IS NOT NULL FROM disabled_actions")


async def test_mail_that_the_server_refuses_is_kept_for_another_try(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    _, before = await disabled(mailed, inbox, pool)
    inbox.refuse = ["451 not now"]
    await sender(mailed).send()
    assert len(inbox.mails) == before
    await pool.execute("UPDATE disabled_actions SET mailing_until = now() - interval '1 s'")
    await sender(mailed).send()
    assert len(inbox.mails) == before + 1


async def test_action_that_is_enabled_again_is_not_told_of(mailed: Api, inbox: Inbox, pool: Pool) -> None:
    _, before = await disabled(mailed, inbox, pool)
    await pool.execute("UPDATE trigger_actions SET enabled = true, disabled_by = NULL")
    await sender(mailed).send()
    assert len(inbox.mails) == before
    assert await pool.fetchval("SELECT settled_at IS NOT NULL AND mailed_at IS NULL FROM disabled_actions")


async def test_fallback_is_another_action_of_the_same_trigger(user: User) -> None:
    made, other = await create(user, 2), await create(user)
    first, second = (one["id"] for one in made["actions"])
    path = f"/triggers/{made['id']}/actions/{first}"
    config = {"url": "https://example.com/hook"}
    for wrong in (first, other["actions"][0]["id"], str(uuid4()), "nonsense"):
        answer = await user.call("PATCH", path, json={"config": {**config, "fallback_action_id": wrong}})
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["pointer"] == "/config/fallback_action_id"
    answer = await user.call("PATCH", path, json={"config": {**config, "fallback_action_id": second}})
    assert answer.json()["data"]["config"]["fallback_action_id"] == second
    gone = await user.call("DELETE", f"/triggers/{made['id']}/actions/{second}")
    assert gone.status_code == 409


def test_names_in_a_mail_cannot_break_its_lines() -> None:
    wicked = "x\r\nBcc: somebody@example.com\x1b[2J" + "y" * 500
    one = Disabled(
        UUID(int=1), UUID(int=2), UUID(int=3), wicked, datetime(2026, 11, 26, tzinfo=UTC), "rest", wicked, wicked,
        True, (),
    )  # fmt: skip
    mail = mail_of(one, "ada@example.com", "https://agentauri.example")
    assert mail.subject.isprintable()
    assert not any(line.startswith("Bcc") for line in mail.text.splitlines())
