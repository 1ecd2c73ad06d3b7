"""The recorder keeps every result: one that the database refuses stops no other."""

import asyncio
from uuid import uuid4

from agentauri.actors.recorder import Recorder
from agentauri.actors.tasks import cancel, spawn
from agentauri.models.delivery import Attempt, Judgement, Outcome, Result
from agentauri.store import claims, lanes
from agentauri.store.held import Held
from tests.support.queue import make_queue


async def test_result_that_does_not_fit_is_kept_without_its_texts(database: str) -> None:
    held = Held(lambda: claims.connect(database, name="tests"))
    db, owner = await held.get(), uuid4()
    queue = await make_queue(db)
    await queue.add_deliveries(db, await queue.add_action(db, "https://a.example/"), 3)
    await lanes.take(db, owner, "d", ["host:a.example"], 60)
    (due,) = await claims.discover(db, ["host:a.example"])
    claimed = (await claims.claim(db, queue.vault, owner, [(due.destination, 3)])).deliveries
    heard: list[Result] = []
    recorder = Recorder(held, lambda results, _: heard.extend(results))
    running = spawn(recorder.run(), name="recorder")
    for number, one in enumerate(claimed):
        text = "fits" if number else "does not fit: \0"
        recorder.put(Result(one, Attempt(Outcome.HTTP, 0.1, error_message=text), Judgement.FINAL, None))
    await asyncio.wait_for(recorder.flush(), 10)
    rows = await db.fetch("SELECT outcome, error_class, error_message FROM delivery_attempts")
    assert sorted(map(str, (tuple(row) for row in rows))) == [
        "('http', 'Unstorable', None)",
        "('http', None, 'fits')",
        "('http', None, 'fits')",
    ]
    assert len(heard) == 3
    await cancel(running)
    await held.close()
