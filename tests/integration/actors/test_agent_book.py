"""Where agents' registration files are: the log first, then the chain, and neither for ever."""

import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from agentauri.actors.agent_book import AgentBook
from agentauri.chain.registries import IdentityRegistry
from agentauri.demo.anvil import Anvil
from agentauri.errors import Unobtainable
from agentauri.store import database as database_module
from agentauri.store.database import Pool
from agentauri.store.held import Held
from tests.integration.chain.test_agent_uris import CHAIN_ID, DEAD, REGISTRY, answering, set_code
from tests.support.rows import feedback, insert_events
from tests.support.waiting import eventually

ANSWER = (32).to_bytes(32) + (3).to_bytes(32) + b"x:y".ljust(32, b"\0")


@asynccontextmanager
async def book(url: str, *urls: str) -> AsyncIterator[AgentBook]:
    registries: Sequence[IdentityRegistry] = [IdentityRegistry(CHAIN_ID, REGISTRY, urls)] if urls else []
    opened = AgentBook(Held(lambda: database_module.connect(url, name="book")), registries)
    try:
        yield opened
    finally:
        await opened.close()


async def test_log_goes_before_the_chain_and_the_chain_knows_older_agents(
    pool: Pool, database: str, anvil: Anvil
) -> None:
    await set_code(anvil, answering(ANSWER))
    row = feedback(1, registry="identity", event_type="Registered", agent_id=42)
    async with pool.acquire() as db:
        await insert_events(db, [row | {"data": {"agent_uri": "data:,log"}}])
    async with book(database, anvil.url) as opened:
        assert await opened.uri_of(CHAIN_ID, 42) == "data:,log"
        assert await opened.uri_of(CHAIN_ID, 43) == "x:y"
        assert await opened.uri_of(1, 43) is None


async def test_chain_that_cannot_be_asked_is_worth_another_try_and_names_no_provider(database: str) -> None:
    async with book(database, DEAD) as opened:
        with pytest.raises(Unobtainable, match="cannot be asked now") as refused:
            await opened.uri_of(CHAIN_ID, 43)
    assert not refused.value.is_final
    assert "127.0.0.1" not in refused.value.message


async def test_connection_that_broke_is_opened_anew(pool: Pool, database: str) -> None:
    async with book(database) as opened:
        assert await opened.uri_of(CHAIN_ID, 42) is None
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%book'"
        assert await pool.fetchval(sql)

        async def answers() -> bool:
            try:
                return await opened.uri_of(CHAIN_ID, 42) is None
            except Unobtainable as error:
                return error.is_final

        await eventually(answers, seconds=5)


def test_deliverer_does_not_import_what_it_may_never_need() -> None:
    code = "import sys, agentauri.actors.deliverer; print(sorted({'mcp', 'httpx2', 'eth_abi'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert found.stdout.strip() == "[]"
