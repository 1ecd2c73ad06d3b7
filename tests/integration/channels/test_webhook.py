"""Webhooks against a receiver that misbehaves in every way: one recorded outcome each, within the deadline."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from agentauri.channels.addresses import Policy, policy_of
from agentauri.channels.webhook import Webhook
from agentauri.models.delivery import Attempt, Outcome
from tests.support.claims import claimed
from tests.support.misbehaving import Misbehaving, bomb, misbehaving
from tests.support.receiver import receiving

DEADLINE = 0.5


@pytest.fixture
async def bad() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as receiver:
        yield receiver


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    opened = Webhook.open(policy_of(["127.0.0.0/8"]))
    yield opened
    await opened.close()


async def attempt(webhook: Webhook, url: str, seconds: float = DEADLINE, **config: object) -> Attempt:
    began = time.monotonic()
    found = await webhook.attempt(claimed(url, **config), seconds)  # type: ignore[arg-type]  # config of a test
    assert time.monotonic() - began < seconds + 0.5
    return found


async def test_delivery_arrives_and_verifies(webhook: Webhook) -> None:
    async with receiving("whsec_" + "A" * 43 + "=") as receiver:
        delivery = claimed(receiver.url)
        found = await webhook.attempt(delivery, 5)
        assert (found.outcome, found.http_status) == (Outcome.SUCCESS, 200)
        assert receiver.unverified == []
        assert receiver.bodies[str(delivery.id)]["type"] == "trigger.fired"


@pytest.mark.parametrize(
    ("path", "outcome", "status", "sent"),
    [
        ("/ok", Outcome.SUCCESS, 200, True), ("/hang", Outcome.TIMEOUT, None, True),
        ("/reset", Outcome.CONNECT, None, True), ("/302", Outcome.HTTP, 302, True),
        ("/flood", Outcome.SUCCESS, 200, True),
        ("/drip", Outcome.TIMEOUT, None, True), ("/drip-head", Outcome.TIMEOUT, None, True),
        ("/nonsense", Outcome.HTTP, None, True), ("/short", Outcome.CONNECT, None, True),
        ("/endless-headers", Outcome.HTTP, None, True),
        ("/400", Outcome.HTTP, 400, True), ("/500", Outcome.HTTP, 500, True),
    ],
)  # fmt: skip
async def test_receiver_that_misbehaves(
    webhook: Webhook, bad: Misbehaving, path: str, outcome: Outcome, status: int | None, sent: bool
) -> None:
    found = await attempt(webhook, bad.url(path))
    assert (found.outcome, found.http_status, found.sent) == (outcome, status, sent)
    assert bad.seen == {path: 1}
    assert found.error_message or found.outcome is Outcome.SUCCESS
    assert found.request is not None


async def test_flood_is_read_to_the_cap_and_costs_the_connection(webhook: Webhook, bad: Misbehaving) -> None:
    found = await attempt(webhook, bad.url("/flood"), 5)
    assert found.outcome is Outcome.SUCCESS
    assert "cut" in (found.error_message or "")
    await attempt(webhook, bad.url("/ok"))
    assert bad.connections == 2


async def test_excerpt_is_2_kb_of_clean_text(webhook: Webhook, bad: Misbehaving) -> None:
    found = (await attempt(webhook, bad.url("/400"))).response_excerpt
    assert found is not None
    assert found.startswith("bad[31m \ufffd\ufffd üü")
    assert 2046 <= len(found.encode()) <= 2048


async def test_retry_after_is_heard(webhook: Webhook, bad: Misbehaving) -> None:
    found = await attempt(webhook, bad.url("/429"))
    assert (found.http_status, found.retry_after) == (429, 7)


async def test_retry_after_as_a_date_is_heard(webhook: Webhook, bad: Misbehaving) -> None:
    found = await attempt(webhook, bad.url("/429-date"))
    assert found.http_status == 429
    assert found.retry_after is not None
    assert 80 < found.retry_after <= 90


async def test_gzip_bomb_stays_small(webhook: Webhook, bad: Misbehaving) -> None:
    bomb()
    tracemalloc.start()
    try:
        found = await attempt(webhook, bad.url("/gzip-bomb"), 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.outcome is Outcome.SUCCESS
    assert len((found.response_excerpt or "").encode()) <= 2048
    assert peak < 8 * 1024 * 1024


async def test_excerpt_of_a_multi_byte_body_is_cut_between_characters_wherever_it_falls(
    webhook: Webhook, bad: Misbehaving
) -> None:
    for shift in range(8):
        found = await attempt(webhook, bad.url(f"/500-cut?{shift}"))
        text = found.response_excerpt or ""
        assert text == ("x" * shift + "🦊ü" * 2000)[: len(text)]
        assert 2044 <= len(text.encode()) <= 2048


async def test_connection_is_reused(webhook: Webhook, bad: Misbehaving) -> None:
    for _ in range(5):
        await attempt(webhook, bad.url("/ok"))
    assert bad.connections == 1


async def test_kept_connection_that_the_receiver_closed_is_no_failure(webhook: Webhook, bad: Misbehaving) -> None:
    for _ in range(5):
        assert (await attempt(webhook, bad.url("/ok-then-close"))).outcome is Outcome.SUCCESS


async def test_nobody_listens(webhook: Webhook, bad: Misbehaving) -> None:
    found = await attempt(webhook, "http://127.0.0.1:1025/")
    assert (found.outcome, found.sent) == (Outcome.CONNECT, False)


async def test_receiver_without_tls(webhook: Webhook) -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as server:
        found = await attempt(webhook, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", 5)
    assert (found.outcome, found.sent) == (Outcome.TLS, False)


async def test_name_that_does_not_exist(webhook: Webhook) -> None:
    assert (await attempt(webhook, "http://nothing.invalid/", 5)).outcome is Outcome.DNS


async def test_expected_status_codes_decide(webhook: Webhook, bad: Misbehaving) -> None:
    assert (await attempt(webhook, bad.url("/500"), expected_status_codes=[500])).outcome is Outcome.SUCCESS
    assert (await attempt(webhook, bad.url("/ok"), expected_status_codes=[201])).outcome is Outcome.HTTP


async def test_proxy_of_the_environment_is_not_used(
    webhook: Webhook, bad: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert (await attempt(webhook, bad.url("/ok"))).outcome is Outcome.SUCCESS


async def test_template_that_grows_too_large_is_rejected_unsent(webhook: Webhook, bad: Misbehaving) -> None:
    event = {"data": {"tag1": "x" * 70_000}}
    found = await attempt(webhook, bad.url("/ok"), body_template={"a": "{{tag1}}"}, event=event)
    assert (found.outcome, found.sent) == (Outcome.REJECTED, False)
    assert bad.seen == {}


async def test_large_envelope_is_sent_whole(webhook: Webhook, bad: Misbehaving) -> None:
    event = {"data": {"agent_uri": "data:," + "x" * 2_000_000}}
    assert (await attempt(webhook, bad.url("/ok"), 5, event=event)).outcome is Outcome.SUCCESS
    assert len(bad.requests[0]) > 2_000_000


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_private_place_is_blocked_however_it_is_spelled(bad: Misbehaving, host: str) -> None:
    guarded = Webhook.open(Policy())
    try:
        found = await attempt(guarded, bad.url("/ok", host), 5)
    finally:
        await guarded.close()
    assert (found.outcome, found.sent) == (Outcome.BLOCKED, False)
    assert bad.connections == 0
