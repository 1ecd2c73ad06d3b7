"""The outbox: bounded, for all together and for each address, and never in the way of an answer."""

import asyncio
from pathlib import Path

import pytest

from agentauri.channels.mail import FileMailer, Mail, NoMailer, SmtpMailer
from agentauri.config import build
from agentauri.errors import NotFound, Unavailable
from agentauri.serve import outbox as outbox_module
from agentauri.serve.outbox import ADDRESSES, HOUR_SECONDS, MAILS_AN_HOUR, MAX_WAITING, Outbox, Ration, mailer_of
from tests.support.waiting import eventually

MAIL = Mail("ada@example.com", "s", "t")


class Slow:
    """Takes a mail once it is let."""

    def __init__(self) -> None:
        self.let, self.sent, self.at_once, self.most = asyncio.Event(), 0, 0, 0

    def check(self) -> None:
        pass

    async def send(self, mail: Mail) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.let.wait()
        self.at_once -= 1
        self.sent += 1


async def test_past_the_bound_requests_are_refused_and_what_is_only_good_to_know_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox_module, "MAILS_AN_HOUR", MAX_WAITING)
    slow = Slow()
    outbox = Outbox(slow)
    for _ in range(MAX_WAITING):
        outbox.put(MAIL)
    with pytest.raises(Unavailable):
        outbox.put(MAIL)
    outbox.offer(MAIL)
    await eventually(lambda: slow.at_once == 4)
    slow.let.set()
    await outbox.flush()
    assert (slow.sent, slow.most) == (MAX_WAITING, 4)
    outbox.put(MAIL)
    await outbox.close()


async def test_nobody_to_write_to_is_no_failure() -> None:
    slow = Slow()
    slow.let.set()
    outbox = Outbox(slow)

    async def nobody() -> None:
        return None

    async def gone() -> None:
        raise NotFound("this user does not exist.")

    for writer in (nobody, gone):
        outbox.put_writer(writer)
    await outbox.flush()
    assert slow.sent == 0


def test_an_address_gets_so_many_an_hour_however_it_is_written() -> None:
    ration = Ration()
    assert [ration.allows("ada@example.com", 0.0) for _ in range(MAILS_AN_HOUR + 1)] == [True] * MAILS_AN_HOUR + [False]
    assert not ration.allows("ADA@example.com", HOUR_SECONDS - 1)
    assert ration.allows("bob@example.com", 0.0)
    assert ration.allows("ada@example.com", HOUR_SECONDS)


def test_addresses_beyond_the_bound_are_forgotten_the_least_recent_first() -> None:
    ration = Ration()
    for number in range(ADDRESSES + 1):
        ration.allows(str(number), 0.0)
    assert len(ration._sent) == ADDRESSES
    assert "0" not in ration._sent


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"smtp": {"url": "smtp://mail.example.com"}}, SmtpMailer),
        ({}, FileMailer),
        ({"environment": "test"}, FileMailer),
    ],
)
def test_the_settings_say_who_takes_the_mails(more: dict[str, object], kind: type[object], tmp_path: Path) -> None:
    assert isinstance(mailer_of(build({"data_dir": str(tmp_path), **more})), kind)


def test_production_without_a_server_sends_none() -> None:
    stores = {"database_url": "postgresql://db/a", "redis_url": "redis://r"}
    assert isinstance(
        mailer_of(build({"environment": "production", "secret_key": "s" * 40, "stores": stores})), NoMailer
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "triggers.example.com"])
async def test_without_a_sender_the_host_of_the_service_is_the_sender(host: str, tmp_path: Path) -> None:
    mailer = mailer_of(build({"data_dir": str(tmp_path), "public_url": f"http://{host}:8000"}))
    await mailer.send(MAIL)
