"""kill -9 in the middle of a task: how long until it runs again, with the settings as they come.

The processes are those of the conformance suite: the real command line, with a task that waits.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench import layers
from bench.figures import Spread
from bench.layers import Stores
from bench.options import Options
from bench.places import scratch
from bench.report import Goal, Section, Table
from service.config import Settings
from tests.conformance.engines import Cluster
from tests.conformance.engines.embedded import Embedded
from tests.conformance.engines.with_celery import WithCelery, name_broker
from tests.conformance.kinds import waits
from tests.flow.evidence import name_database, query
from tests.servers import Process, until

RESTARTED = "embedded, SQLite: the process, started again at once"
CHILD = "Celery, PostgreSQL: the child that runs it"
HOST = "Celery, PostgreSQL: one of two hosts, with all its processes"
#: Longest time until the task runs again, in seconds.
TARGETS = {RESTARTED: 2.0, CHILD: 1.0, HOST: 30.0}

#: How far into the task the blow falls, in seconds.
BLOW_SECONDS = 0.5
#: Longer than a lease.
PATIENCE_SECONDS = 60.0
#: What the suite sets for its own haste, put back.
DEFAULTS = {
    f"PIXMILL_{name.upper()}": str(Settings.model_fields[name].default)
    for name in ("poll_seconds", "sweep_seconds", "lease_seconds", "drain_seconds")
}


def measure(options: Options) -> Section:
    took: dict[str, list[float]] = {name: [] for name in TARGETS}
    with scratch("recovery") as folder, layers.stores(folder) as stores:
        for number in range(options.rounds):
            with _embedded(folder / f"embedded-{number}") as cluster:
                took[RESTARTED].append(_again(cluster, cluster.kill_runner_of))
            if not stores.postgres:
                continue
            with _celery(folder / f"celery-{number}", stores) as celery:
                took[CHILD].append(_again(celery, celery.kill_runner_of))
                with _other_host(celery) as host:
                    took[HOST].append(_again(celery, lambda _, host=host: _kill_tree(host)))
            print(f"recovery: {[times[-1:] for times in took.values()]}", file=sys.stderr)
    measured = {name: Spread.of(times) for name, times in took.items() if times}
    table = Table(
        f"Seconds from a kill -9, {BLOW_SECONDS:g} s into a task, until it runs again:",
        ("killed", "s"),
        [(name, spread.text()) for name, spread in measured.items()],
    )
    goals = [Goal(name, spread, at_most=TARGETS[name]) for name, spread in measured.items()]
    return Section("Recovery", [table], goals)


@contextmanager
def _embedded(folder: Path) -> Iterator[Cluster]:
    folder.mkdir()
    name_database(folder, f"sqlite:///{folder}/pixmill.db")
    with closing(Embedded(folder, DEFAULTS)) as cluster:
        yield cluster


@contextmanager
def _celery(folder: Path, stores: Stores) -> Iterator[WithCelery]:
    assert stores.postgres
    folder.mkdir()
    name_database(folder, stores.postgres.create(name=folder.name.replace("-", "_")))
    name_broker(folder, f"{stores.redis}/0")
    with closing(WithCelery(folder, DEFAULTS)) as cluster:
        yield cluster


@contextmanager
def _other_host(cluster: WithCelery) -> Iterator[Process]:
    """A second worker; the first one is stopped until the second one has the task."""
    cluster.stop_workers()()
    host = cluster.process("worker")
    try:
        yield host
    finally:
        if host.process.poll() is None:
            host.kill()


def _again(cluster: Cluster, strike: Callable[[str], object]) -> float:
    """Seconds from the blow to the second claim of the task it falls upon."""
    file = cluster.folder / f"go-{time.time_ns()}"
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")
    cluster.start_workers()
    time.sleep(BLOW_SECONDS)
    began = time.monotonic()
    strike(task_id)
    statement = f"SELECT count(*) FROM task_events WHERE task_id = '{task_id}' AND kind = 'claimed'"
    until(lambda: query(cluster.folder, statement) == [2], "the second run", PATIENCE_SECONDS)
    took = time.monotonic() - began
    file.touch()
    cluster.wait_for(task_id)
    return took


def _kill_tree(host: Process) -> None:
    pid = host.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (*map(int, children), pid):
        os.kill(each, signal.SIGKILL)
    host.process.wait()
