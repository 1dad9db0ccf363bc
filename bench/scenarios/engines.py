"""Pictures a second of the two engines: in the service's own process, and in Celery's workers.

The photos are stored beforehand; a turn has all of them made anew, and is timed by the rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import corpus, layers, lineup
from bench.client import JPEG, Photo, Visitor
from bench.figures import Spread
from bench.layers import Stores
from bench.options import Options, in_turn
from bench.places import scratch
from bench.report import Goal, Section, Table
from bench.servers import Running, clean_environment, running

EMBEDDED = "embedded, SQLite, 2 threads"
CELERY = "Celery, PostgreSQL and Redis, 2 worker processes"

#: How often a turn has every photo made, and the patience with it, in seconds.
PASSES = 4
TURN_SECONDS = 120.0
LOOK_SECONDS = 0.05
POOL = {"THREADS": "2"}


def measure(options: Options) -> Section:
    photos = [Photo.read(file) for file in corpus.photos()]
    rates: dict[str, list[float]] = {EMBEDDED: [], CELERY: []}
    with (
        scratch("engines") as folder,
        layers.stores(folder) as stores,
        running(lineup.pixmill(folder / "embedded", **POOL)) as embedded,
        _celery(folder / "celery", stores) as celery,
    ):
        stored = {
            EMBEDDED: (embedded, _upload(embedded, photos)),
            CELERY: (celery, _upload(celery, photos)),
        }
        for server, ids in stored.values():
            _made_anew(server, ids, 1)
        for number in range(options.rounds):
            for name in in_turn(number, list(stored)):
                rates[name].append(_made_anew(*stored[name], 1 if options.quick else PASSES))
                print(f"engines {name}: {rates[name][-1]:.1f}/s", file=sys.stderr)
    rows = [(name, Spread.of(rounds).text(1)) for name, rounds in rates.items()]
    table = Table(f"{len(photos)} photos, three variants each:", ("engine", "photos/s"), rows)
    ratio = Spread.of_ratios(rates[CELERY], rates[EMBEDDED])
    return Section("Engines", [table], [Goal("Celery / embedded", ratio, 0.9)])


@contextmanager
def _celery(folder: Path, stores: Stores) -> Iterator[Running]:
    """An API that relays, and a worker of two processes."""
    assert stores.postgres, "PostgreSQL is one of the tests' own, and is not installed"
    url = stores.postgres.create(name="engines")
    settings = {"ENGINE": "celery", "BROKER_URL": f"{stores.redis}/5", "DATABASE_URL": url}
    server = lineup.pixmill(folder, **settings, **POOL)
    worker = tuple("worker" if part == "serve" else part for part in server.command)
    with (
        running(server) as api,
        layers.started(worker, folder, clean_environment() | server.env | {"PIXMILL_PORT": "0"}),
    ):
        yield api


def _upload(server: Running, photos: Sequence[Photo]) -> list[str]:
    """The ids of the photos, once each has been made."""
    with Visitor(server.port) as visitor:
        sent = [visitor.send("POST", "/images", photo.data, JPEG) for photo in photos]
        documents = [answer.expect(202).document() for answer in sent]
        for document in documents:
            _finished(visitor, document["task_id"])
    return [document["id"] for document in documents]


def _made_anew(server: Running, ids: Sequence[str], passes: int) -> float:
    """Photos a second, from the first task's begin to the last one's end."""
    with Visitor(server.port) as visitor:
        asked = [
            visitor.send("POST", f"/images/{image_id}/process", b"{}", _JSON).expect(202).document()
            for _ in range(passes)
            for image_id in ids
        ]
        tasks = [_finished(visitor, document["task_id"]) for document in asked]
    begins = min(_time(task["started_at"]) for task in tasks)
    return len(tasks) / (max(_time(task["finished_at"]) for task in tasks) - begins)


_JSON = {"Content-Type": "application/json"}


def _finished(visitor: Visitor, task_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + TURN_SECONDS
    while time.monotonic() < deadline:
        task = visitor.send("GET", f"/tasks/{task_id}").expect(200).document()
        if task["status"] == "succeeded":
            return task
        if task["status"] in ("failed", "cancelled"):
            break
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"a task did not succeed: {task}")


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
