"""What most tests start from: settings in a folder of their own, a runtime, a served app."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.config import Settings
from service.kinds import KINDS
from service.migrations import migrate
from service.runtime import Runtime, open_runtime
from tests.servers import Served, serve


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at the newest version: copied, it saves the seconds that Alembic takes."""
    path = tmp_path_factory.mktemp("empty") / "pixmill.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def make_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: Path
) -> Callable[..., Settings]:
    """Settings that keep everything below the test's folder; keywords change them."""
    monkeypatch.chdir(tmp_path)  # away from a developer's .env
    shutil.copy(empty_database, tmp_path)

    def make(**changes: Any) -> Settings:
        defaults: dict[str, Any] = {
            "database_url": f"sqlite:///{tmp_path}/pixmill.db",
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
