"""Mails as messages and as files: no header is made of a text, and only the owner reads a file."""

import email
import email.policy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts.emails import parse_email
from agentauri.channels.mail import FileMailer, Mail, NoMailer, compose
from agentauri.errors import MailFailed, Unavailable

SENDER = "no-reply@example.com"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
HEADERS = {"from", "to", "subject", "date", "message-id", "auto-submitted", "content-type", "mime-version"}
HEADERS |= {"content-transfer-encoding"}


def parsed(mail: Mail) -> email.message.EmailMessage:
    raw = compose(mail, SENDER, NOW).as_bytes()
    return email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)


def test_a_mail_is_plain_text_to_one_address_and_says_that_nobody_wrote_it() -> None:
    found = parsed(Mail("ada@example.com", "A subject", "Hello,\n\nsecond line\n"))
    assert found["To"] == "ada@example.com"
    assert found["From"] == "AgentAuri <no-reply@example.com>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content() == "Hello,\r\n\r\nsecond line\r\n" or found.get_content() == "Hello,\n\nsecond line\n"


def test_long_lines_are_sent_as_they_are_written() -> None:
    line = "    curl https://triggers.example.com/" + "x" * 150
    assert line.encode() in compose(Mail("ada@example.com", "s", line), SENDER, NOW).as_bytes()


@given(subject=st.text(max_size=100), text=st.text(max_size=200))
def test_no_text_becomes_a_header(subject: str, text: str) -> None:
    try:
        found = compose(Mail("ada@example.com", subject, text), SENDER, NOW).as_bytes()
    except (MailFailed, UnicodeEncodeError):
        return
    names = {name.lower() for name in email.message_from_bytes(found, policy=email.policy.SMTPUTF8)}
    assert names <= HEADERS


BAD = [
    "a@example.com\r\nBcc: eve@example.com",
    "a@example.com\nX: y",
    "a@example.com, eve@example.com",
    "",
    "nobody",
    "a\0@b",
]


@pytest.mark.parametrize("to", BAD)
def test_an_address_that_would_be_more_than_one_is_refused(to: str) -> None:
    with pytest.raises(MailFailed):
        compose(Mail(to, "s", "t"), SENDER, NOW)


@pytest.mark.parametrize("subject", ["a\r\nBcc: eve@example.com", "a\nb", "a\rb"])
def test_a_subject_with_a_line_break_is_refused(subject: str) -> None:
    with pytest.raises(MailFailed):
        compose(Mail("ada@example.com", subject, "t"), SENDER, NOW)


@pytest.mark.parametrize("to", ["o'brien@example.com", "üser@exämple.com", "a+b`c`@example.com"])
def test_every_address_that_is_accepted_can_be_written_to(to: str) -> None:
    message = compose(Mail(parse_email(to), "s", "t"), SENDER, NOW)
    assert message.as_bytes()
    (found,) = message["To"].addresses
    assert (found.username, found.domain) == (to.partition("@")[0], to.partition("@")[2].encode("idna").decode())


async def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    mailer = FileMailer(tmp_path / "mail", SENDER)
    for _ in range(2):
        await mailer.send(Mail("ada@example.com", "s", "Hello"))
    files = list((tmp_path / "mail").iterdir())
    assert len(files) == 2
    assert (tmp_path / "mail").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert b"Hello" in files[0].read_bytes()
    assert b"\r" not in files[0].read_bytes()


async def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(MailFailed, match="no mail can be written"):
        await FileMailer(tmp_path / "mail", SENDER).send(Mail("ada@example.com", "s", "t"))


async def test_without_a_server_nothing_is_sent() -> None:
    with pytest.raises(Unavailable, match=r"smtp\.url"):
        await NoMailer().send(Mail("ada@example.com", "s", "t"))
