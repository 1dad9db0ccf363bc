"""One cluster an engine, shared by all bodies of the suite: each leaves it running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.brokers import running
from tests.conformance.engines import ENGINES, Cluster
from tests.conformance.engines.with_celery import name_broker
from tests.flow.evidence import name_database
from tests.postgres import TEMPLATE


@pytest.fixture(scope="session", params=ENGINES, ids="-".join)
def engine(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Which engine, on which database, and behind which broker."""
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="package")
def cluster(
    engine: tuple[str, ...],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    _, database, *brokers = engine
    folder = tmp_path_factory.mktemp("cluster")
    if database == "postgresql":
        url = request.getfixturevalue("postgres_server").create(TEMPLATE)
    else:
        url = f"sqlite:///{folder}/pixmill.db"
    name_database(folder, url)
    with ExitStack() as servers:
        for broker in brokers:
            name_broker(folder, servers.enter_context(running(broker)).url)
        cluster = ENGINES[engine](folder)
        yield cluster
        cluster.close()
