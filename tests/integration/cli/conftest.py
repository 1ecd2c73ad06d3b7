"""The command against the real application on a real port, each test with a home and a working folder of its own.

Client commands run in a thread of this process; ``process`` starts a real one, for signals and for what changes the
process it runs in.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
import uvicorn
from typer.testing import CliRunner

from agentauri import logs
from agentauri.accounts.passwords import Cost
from agentauri.cli.main import app as command
from agentauri.config import Settings
from agentauri.errors import AgentAuriError
from agentauri.serve.app import create_app
from tests.support.waiting import eventually

CHEAP = Cost(memory_kib=64, iterations=1)
PASSWORD = "correct-horse-battery-staple"
SECRET_KEY = "t" * 40
EMAIL = "ada@example.com"
PROCESS_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended: its exit status, and what it wrote."""

    status: int
    out: str
    err: str


class Cli:
    """Runs ``agentauri`` in this process."""

    async def __call__(self, *arguments: str, input: str = "", **environment: str) -> Ended:
        """Run it; what it raises on purpose ends as the real one does."""
        return await asyncio.to_thread(self._run, arguments, input, environment)

    async def ok(self, *arguments: str, input: str = "", **environment: str) -> Ended:
        """Run it and see that it succeeded."""
        ended = await self(*arguments, input=input, **environment)
        assert ended.status == 0, ended
        return ended

    def _run(self, arguments: tuple[str, ...], input: str, environment: dict[str, str]) -> Ended:
        result = CliRunner().invoke(command, arguments, input=input, env=environment)
        if isinstance(result.exception, AgentAuriError):
            return Ended(1, result.stdout, result.stderr + result.exception.message)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and working folder, and nothing of the environment that tests run in."""
    for name in [name for name in os.environ if name.startswith("AGENTAURI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def log_apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the service logs here goes past the output of the command, which is caught meanwhile."""
    monkeypatch.setattr(logs, "setup", lambda **_: None)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()


@pytest.fixture
def cli() -> Cli:
    return Cli()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port of this machine; gives its address."""
    config = uvicorn.Config(
        app, lifespan="on", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as opened:
        running = asyncio.create_task(server.serve([opened]))
        try:
            await eventually(lambda: server.started or running.done())
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@dataclass(frozen=True, slots=True)
class Service:
    """The application that runs."""

    url: str
    app: Any

    async def register(self, email: str = EMAIL) -> dict[str, Any]:
        """A new user, as the API answers it."""
        async with httpx2.AsyncClient(base_url=f"{self.url}/api/v1") as client:
            answer = await client.post("/auth/register", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


@pytest.fixture
async def service(database: str, redis_url: str) -> AsyncIterator[Service]:
    """The real application, where commands look for it without --api."""
    stores = {"database_url": database, "redis_url": redis_url}
    settings = Settings.model_validate({"environment": "test", "secret_key": SECRET_KEY, "stores": stores})
    app = create_app(settings, cost=CHEAP)
    async with serving(app) as url:
        yield Service(url, app)


@pytest.fixture
async def logged_in(service: Service, cli: Cli) -> Service:
    """The real application with a user who is logged in to it."""
    await service.register()
    await cli.ok("login", "--api", service.url, "--email", EMAIL, input=PASSWORD + "\n")
    return service


Process = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]


@pytest.fixture
def process(database: str, redis_url: str) -> Process:
    """Starts ``agentauri`` as a process, with the test's database in its settings; ends it with the block."""
    settings = {"DATABASE_URL": database, "REDIS_URL": redis_url, "AGENTAURI_SECRET_KEY": SECRET_KEY}

    @asynccontextmanager
    async def start(*arguments: str, stdin: int = asyncio.subprocess.PIPE) -> AsyncIterator[asyncio.subprocess.Process]:
        line = (sys.executable, "-c", "from agentauri.cli import main; main()", *arguments)
        pipe = asyncio.subprocess.PIPE
        started = await asyncio.create_subprocess_exec(
            *line, stdin=stdin, stdout=pipe, stderr=pipe, env=os.environ | settings, start_new_session=True
        )
        try:
            yield started
        finally:
            if started.returncode is None:
                started.kill()
            await started.communicate()

    return start


async def run(process: Process, *arguments: str, input: str = "") -> Ended:
    """A process's whole life."""
    async with process(*arguments) as started:
        out, err = await asyncio.wait_for(started.communicate(input.encode()), PROCESS_SECONDS)
    assert started.returncode is not None
    return Ended(started.returncode, out.decode(), err.decode())
