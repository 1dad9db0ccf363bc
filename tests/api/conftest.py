"""Services that tests share: a start takes longer than most of what is asked of one.

A test that needs an empty service, or other settings, starts its own with `make_service`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.config import Settings
from tests.conftest import NewDatabase
from tests.servers import Served, serve


@contextmanager
def serving(
    folder: Path, engine: str, new_database: NewDatabase, **changes: Any
) -> Iterator[Served]:
    served = serve(
        Settings(
            _env_file=None,
            database_url=new_database(folder),
            uploads=folder / "uploads",
            processed=folder / "processed",
            notifications_file=folder / "notifications.jsonl",
            min_free_bytes=0,
            threads=2,
            poll_seconds=0.05,
            sweep_seconds=0.2,
            log_level="error",
            engine=engine,
            **changes,
        )
    )
    yield served
    served.stop()


@pytest.fixture(scope="package")
def service(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[Served]:
    """A service that carries out its tasks."""
    with serving(tmp_path_factory.mktemp("service"), "embedded", new_database) as served:
        yield served


@pytest.fixture(scope="package")
def client(service: Served) -> httpx.Client:
    return service.client


@pytest.fixture(scope="package")
def idle(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Served]:
    """A service that takes everything in and leaves the tasks alone."""
    with serving(tmp_path_factory.mktemp("idle"), "none", new_database) as served:
        yield served
