"""Mails over a real SMTP server: TLS when it is offered, passwords never in clear, and an end to every wait."""

import asyncio
from pathlib import Path

import pytest

from agentauri.channels import mail as mail_module
from agentauri.channels.mail import Mail, SmtpMailer
from agentauri.errors import MailFailed
from agentauri.serve.outbox import Outbox
from tests.support.smtp import certificate, smtp_server

SENDER = "no-reply@example.com"
MAIL = Mail("ada@example.com", "A subject", "Hello\n")


async def test_a_mail_arrives_whole(tmp_path: Path) -> None:
    async with smtp_server() as inbox:
        await SmtpMailer(inbox.url, SENDER).send(MAIL)
        (found,) = inbox.to("ada@example.com")
        assert (found["Subject"], found.get_content().strip()) == ("A subject", "Hello")


async def test_starttls_is_used_when_it_is_offered_and_the_password_goes_over_it(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path)
    async with smtp_server(tls=tls) as inbox:
        await SmtpMailer(f"smtp://ada:p%40ss@127.0.0.1:{inbox.port}", SENDER, tls=trusting).send(MAIL)
        assert inbox.logins == [("ada", "p@ss", True)]
        assert len(inbox.mails) == 1


async def test_smtps_begins_with_tls(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path)
    async with smtp_server(tls=tls, implicit=True) as inbox:
        await SmtpMailer(f"smtps://ada:p%40ss@127.0.0.1:{inbox.port}", SENDER, tls=trusting).send(MAIL)
        assert [login[:2] for login in inbox.logins] == [("ada", "p@ss")]
        assert len(inbox.mails) == 1


async def test_a_server_whose_certificate_nobody_trusts_gets_nothing(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    async with smtp_server(tls=tls) as inbox:
        with pytest.raises(MailFailed):
            await SmtpMailer(f"smtp://ada:p%40ss@127.0.0.1:{inbox.port}", SENDER).send(MAIL)
        assert not inbox.logins


async def test_a_password_for_another_machine_is_not_sent_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "_is_here", lambda host: False)
    async with smtp_server() as inbox:
        with pytest.raises(MailFailed):
            await SmtpMailer(f"smtp://ada:p%40ss@127.0.0.1:{inbox.port}", SENDER).send(MAIL)
        assert not inbox.logins


async def test_a_wrong_password_a_refusal_and_no_server_are_failures_of_the_mail() -> None:
    async with smtp_server() as inbox:
        inbox.refuse = ["550 no such user"]
        with pytest.raises(MailFailed, match="550"):
            await SmtpMailer(inbox.url, SENDER).send(MAIL)
        with pytest.raises(MailFailed):
            await SmtpMailer(f"smtp://ada:wrong@127.0.0.1:{inbox.port}", SENDER).send(MAIL)
        gone = inbox.url
    with pytest.raises(MailFailed):
        await SmtpMailer(gone, SENDER).send(MAIL)


async def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "STEP_SECONDS", 0.2)
    async with smtp_server() as inbox:
        inbox.hangs = True
        with pytest.raises(MailFailed):
            await SmtpMailer(inbox.url, SENDER).send(MAIL)


async def test_addresses_beyond_ascii_arrive() -> None:
    async with smtp_server() as inbox:
        await SmtpMailer(inbox.url, SENDER).send(Mail("üser@exämple.com", "s", "Hello\n"))
        assert [to for to, _ in inbox.mails] == ["üser@xn--exmple-cua.com"]


async def test_a_mail_that_the_server_does_not_take_is_tried_again() -> None:
    async with smtp_server() as inbox:
        outbox = Outbox(SmtpMailer(inbox.url, SENDER), pauses=(0.01, 0.01))
        inbox.refuse = ["451 later", "451 later"]
        outbox.put(MAIL)
        await outbox.flush()
        assert len(inbox.mails) == 1


async def test_mails_that_hang_at_the_end_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentauri.serve.outbox.CLOSE_SECONDS", 0.05)
    async with smtp_server() as inbox:
        inbox.hangs = True
        outbox = Outbox(SmtpMailer(inbox.url, SENDER))
        outbox.put(MAIL)
        await asyncio.sleep(0)
        await outbox.close()
        assert not inbox.mails
