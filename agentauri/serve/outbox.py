"""Mails on their way: sent in the background, a few at a time, tried again when the server does not take them.

An answer never waits for a mail, so how long it takes tells nothing about whether an account exists: what decides
whether there is a mail at all runs here too. The number of waiting mails is bounded; past it, requests that would
cause one are refused, whoever asks. Mails that wait when the process dies are lost: people ask for them again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from agentauri import logs
from agentauri.actors.tasks import cancel, spawn
from agentauri.channels.mail import FileMailer, Mail, Mailer, NoMailer, SmtpMailer
from agentauri.config import Settings
from agentauri.errors import MailFailed, NotFound, Unavailable
from agentauri.store.database import AWAY

log = logs.get("mail")
MAX_WAITING = 256
MAX_AT_ONCE = 4
PAUSES_SECONDS = (1.0, 10.0)
"""Before the second and the third try."""
MAILS_AN_HOUR = 20
HOUR_SECONDS = 3600.0
ADDRESSES = 10_000
CLOSE_SECONDS = 3.0
FULL = "too many mails wait to be sent at this moment; try again in a minute."

Writer = Callable[[], Awaitable[Mail | None]]
"""Finds out whether there is something to say, and to whom."""


def mailer_of(settings: Settings) -> Mailer:
    """Who takes the mails of a deployment: its server; without one, in development, files; in production nobody."""
    url, sender = settings.smtp.url.get_secret_value(), settings.smtp.sender
    host = urlsplit(settings.public_url).hostname or ""
    sender = sender or f"no-reply@{'localhost' if ':' in host else host}"
    if url:
        return SmtpMailer(url, sender)
    if settings.environment == "production":
        return NoMailer()
    return FileMailer(settings.data_dir / "mail", sender)


class Ration:
    """How many mails an address gets in an hour from this process, whoever causes them: no mailbox is filled from here.

    The least recent addresses are forgotten beyond ADDRESSES.
    """

    def __init__(self) -> None:
        self._sent: dict[str, deque[float]] = {}

    def allows(self, to: str, now: float) -> bool:
        """Whether another one may go to ``to``, and note it. ``now`` in seconds."""
        key = to.casefold()
        sent = self._sent.pop(key, None) or deque(maxlen=MAILS_AN_HOUR)
        allowed = len(sent) < MAILS_AN_HOUR or sent[0] <= now - HOUR_SECONDS
        if allowed:
            sent.append(now)
        self._sent[key] = sent
        if len(self._sent) > ADDRESSES:
            del self._sent[next(iter(self._sent))]
        return allowed


class Outbox:
    """Takes mails for ``mailer``. ``pauses`` are in seconds; only tests shorten them."""

    def __init__(self, mailer: Mailer, *, pauses: tuple[float, ...] = PAUSES_SECONDS) -> None:
        self._mailer, self._pauses = mailer, pauses
        self._ration = Ration()
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._waiting: set[asyncio.Task[None]] = set()

    def check(self) -> None:
        """Raise Unavailable when this deployment sends no mail, or too many mails wait."""
        self._mailer.check()
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable(FULL)

    def put(self, mail: Mail) -> None:
        """Send a mail soon. Raises Unavailable, as ``check``."""

        async def known() -> Mail:
            return mail

        self.put_writer(known)

    def offer(self, mail: Mail) -> None:
        """Send a mail soon if that is possible; for what is only good to know."""
        try:
            self.put(mail)
        except Unavailable as error:
            log.warning("mail_not_sent", subject=mail.subject, reason=error.message)

    def put_writer(self, writer: Writer) -> None:
        """Send soon what ``writer`` finds to say, if anything. Raises Unavailable, as ``check``."""
        self.check()
        task = spawn(self._work(writer), name="mail")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def deliver(self, mail: Mail) -> bool:
        """Send a mail now, once; whether it was taken. For what is kept elsewhere until it is."""
        async with self._turns:
            if not self._ration.allows(mail.to, time.monotonic()):
                return False
            try:
                await self._mailer.send(mail)
            except (MailFailed, Unavailable) as error:
                log.warning("mail_failed", subject=mail.subject, error=error.message, gives_up=False)
                return False
        return True

    async def flush(self) -> None:
        """Wait until everything that waits now was sent or given up."""
        if self._waiting:
            await asyncio.wait(list(self._waiting))

    async def close(self) -> None:
        """Let what waits be sent, for a moment; the rest is dropped."""
        if self._waiting:
            _, late = await asyncio.wait(list(self._waiting), timeout=CLOSE_SECONDS)
            if late:
                log.warning("mails_dropped", count=len(late))
                await cancel(*late)

    async def _work(self, writer: Writer) -> None:
        async with self._turns:
            try:
                mail = await writer()
            except (*AWAY, NotFound) as error:  # the database is away, or whom it was about is gone
                log.warning("mail_not_written", error=repr(error))
                return
            if mail is None:
                return
            if self._ration.allows(mail.to, time.monotonic()):
                await self._send(mail)
            else:
                log.warning("mail_withheld", subject=mail.subject, reason="its address got many within an hour")

    async def _send(self, mail: Mail) -> None:
        for pause in (*self._pauses, None):
            try:
                await self._mailer.send(mail)
            except MailFailed as error:
                log.warning("mail_failed", subject=mail.subject, error=error.message, gives_up=pause is None)
                if pause is not None:
                    await asyncio.sleep(pause)
            else:
                return
