"""How the service stands, where no service runs here: what the database says."""

import json

from agentauri.store.database import Pool
from tests.integration.cli.conftest import Cli
from tests.support.rows import feedback, insert_events
from tests.support.triggers import LOW_SCORE, make_organization, make_trigger

EVENTS = 9


async def begin(pool: Pool) -> None:
    """Events, and a trigger that begins before them."""
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(number) for number in range(EVENTS)])
        await make_trigger(connection, await make_organization(connection), [LOW_SCORE], after=0)


async def test_past_that_is_worked_off_is_shown_with_how_far_it_is(cli: Cli, pool: Pool, database: str) -> None:
    await begin(pool)
    shown = await cli.ok("status", DATABASE_URL=database)
    assert f"pasts: 1 worked off, the furthest behind by {EVENTS}" in shown.out
    report = json.loads((await cli.ok("status", "--json", DATABASE_URL=database)).out)
    assert report["pasts"] == {"working": 1, "lag": EVENTS}


async def test_without_a_past_there_is_no_line_of_it(cli: Cli, database: str) -> None:
    assert "pasts" not in (await cli.ok("status", DATABASE_URL=database)).out
    report = json.loads((await cli.ok("status", "--json", DATABASE_URL=database)).out)
    assert report["pasts"] == {"working": 0, "lag": 0}
