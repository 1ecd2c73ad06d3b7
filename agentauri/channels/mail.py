"""Mail, one at a time: over SMTP, or as files where development has no server, or not at all.

Guarantees that no text of a mail becomes a header or a second recipient, time-outs on everything, and that a password
goes over TLS or stays on this machine. A mail is plain text to one person. Does not try again and keeps no line:
that is ``serve/outbox.py``.
"""

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import aiosmtplib

from agentauri import logs
from agentauri.errors import MailFailed, Unavailable

log = logs.get("mail")
SEND_SECONDS = 20.0
"""For a whole mail; each answer of the server has STEP_SECONDS."""
STEP_SECONDS = 10.0
MAX_LINE_LENGTH = 250
"""Shorter lines are sent as they are written, so that links and commands are whole in any reader."""
ONE_ADDRESS = re.compile(r'[^\s\x00-\x1f@,;:<>()\[\]"\\]+@[^\s\x00-\x1f@,;:<>()\[\]"\\]+')
NAME = "AgentAuri"
NO_SERVER = "this deployment sends no mail: its operator has not set smtp.url."


@dataclass(frozen=True, slots=True)
class Mail:
    """A text to one address, which is checked already (``accounts/emails.py``)."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Whatever takes mails."""

    def check(self) -> None:
        """Raise Unavailable when no mail can be sent in this deployment at all."""
        ...

    async def send(self, mail: Mail) -> None:
        """Hand it over. Raises MailFailed or Unavailable."""
        ...


def compose(mail: Mail, sender: str, now: datetime) -> EmailMessage:
    """The message as it is sent. Raises MailFailed when a header would hold a line break, or the address is none."""
    try:
        to, origin = _address(mail.to), _address(sender, NAME)
        policy = SMTP if to.username.isascii() and origin.username.isascii() else SMTPUTF8
        message = EmailMessage(policy.clone(max_line_length=MAX_LINE_LENGTH))
        message["From"], message["To"] = origin, to
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = make_msgid(domain=origin.domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
    except ValueError as error:
        raise MailFailed(f"a mail cannot be written: {error}") from error
    return message


def _address(text: str, name: str = "") -> Address:
    """One address, its domain in ASCII, as every server takes it. Raises ValueError on more or less than one."""
    if not ONE_ADDRESS.fullmatch(text):
        raise ValueError("this is no single e-mail address")
    user, _, domain = text.rpartition("@")
    return Address(name, username=user, domain=domain.encode("idna").decode())


class SmtpMailer:
    """Sends over ``url``: smtps://, or smtp:// with STARTTLS when it is offered.

    A password that leaves this machine goes over TLS, or not at all.
    """

    def __init__(self, url: str, sender: str, *, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._sender, self._tls = parts.hostname or "localhost", sender, tls
        self._implicit = parts.scheme == "smtps"
        self._port = parts.port
        self._user = None if parts.username is None else unquote(parts.username)
        self._password = None if parts.password is None else unquote(parts.password)

    def check(self) -> None:
        """Whether the server answers is seen when it is needed."""

    async def send(self, mail: Mail) -> None:
        """One connection, one mail. Raises MailFailed."""
        message = compose(mail, self._sender, datetime.now(UTC))
        must = self._user is not None and not _is_here(self._host)
        try:
            await asyncio.wait_for(
                aiosmtplib.send(
                    message,
                    sender=message["From"].addresses[0].addr_spec,
                    recipients=[message["To"].addresses[0].addr_spec],
                    hostname=self._host,
                    port=self._port,
                    username=self._user,
                    password=self._password,
                    use_tls=self._implicit,
                    start_tls=False if self._implicit else (must or None),
                    tls_context=self._tls,
                    timeout=STEP_SECONDS,
                ),
                SEND_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(f"the mail server {self._host} took no mail: {type(error).__name__}: {error}") from error


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class FileMailer:
    """Writes each mail into ``folder`` and names the file in the log: for development."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder, self._sender = folder, sender

    def check(self) -> None:
        """Files can always be written."""

    async def send(self, mail: Mail) -> None:
        """Write the file. Raises MailFailed."""
        now = datetime.now(UTC)
        message = compose(mail, self._sender, now)
        raw = message.as_bytes(policy=message.policy.clone(linesep="\n"))  # to be read and copied from here
        path = self._folder / f"{now:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}.eml"
        try:
            await asyncio.to_thread(_write, path, raw)
        except OSError as error:
            raise MailFailed(f"no mail can be written to {self._folder}: {error.strerror}") from error
        log.info("mail_written", file=str(path.absolute()), subject=mail.subject)


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)


class NoMailer:
    """For a deployment without a mail server."""

    def check(self) -> None:
        """Raise Unavailable."""
        raise Unavailable(NO_SERVER)

    async def send(self, mail: Mail) -> None:
        """Raise Unavailable."""
        self.check()
