"""The task layers that are compared: what enqueues, what works, and what tells that a task ran."""

from __future__ import annotations

import fcntl
import os
import selectors
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench import installs
from bench.lineup import OURS
from bench.lineup import pixmill as service
from bench.places import PEERS, PROJECT
from bench.servers import clean_environment, end, free_port
from tests import postgres

SCRIPTS = PEERS / "tasks"
OURS_POSTGRES = f"{OURS}, PostgreSQL"
HUEY = "Huey"
SAQ = "SAQ"
DRAMATIQ = "Dramatiq"
CELERY = "Celery"
PROCRASTINATE = "Procrastinate"

#: Huey asks its database for work; by itself as seldom as every ten seconds.
HUEY_POLL_SECONDS = "0.005"
#: What the server of the tests does without.
DURABLE = "fsync = on\nfull_page_writes = on\nautovacuum = on\n"
#: The settings want one; without the HTTP face nobody listens on it.
UNUSED_PORT = "8000"
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 0.005
BYTES = struct.calcsize("d")


@dataclass(frozen=True)
class Layer:
    """A task layer. Where it has no worker command, its producer has the engine inside."""

    name: str
    producer: tuple[str, ...]
    env: Mapping[str, str]
    worker: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Marks:
    """The pipe into which every handler writes when it begins."""

    path: Path
    pipe: int

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDWR)  # for writing as well: so it is open before the others'
        try:
            yield cls(path, pipe)
        finally:
            os.close(pipe)

    def take(self, count: int) -> list[float]:
        """Wait for so many handlers, seldom enough to cost them nothing; return their times."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while (found := self.waiting()) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{found} of {count} tasks ran in {ANSWER_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
        return sorted(struct.unpack(f"{count}d", os.read(self.pipe, count * BYTES)))

    def waiting(self) -> int:
        """How many handlers began that nobody took."""
        answer = fcntl.ioctl(self.pipe, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0]) // BYTES


@dataclass(frozen=True)
class Station:
    """A layer whose producer is up."""

    layer: Layer
    folder: Path
    marks: Marks
    process: subprocess.Popen[str]

    def ask(self, line: str) -> tuple[float, float]:
        """Have the producer carry out a line; when it began and when it was done."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            answer = self.process.stdout.readline() if ready.select(ANSWER_SECONDS) else ""
        if not answer:
            raise RuntimeError(f"no answer to `{line}`: {self._last_words()}")
        start, done = map(float, answer.split())
        return start, done

    def enqueue(self, count: int) -> tuple[float, float]:
        return self.ask(f"enqueue {count}" if not self.layer.worker else str(count))

    @contextmanager
    def working(self) -> Iterator[None]:
        """A worker is up, or on its way."""
        if self.layer.worker:
            with started(self.layer.worker, self.folder, _environment(self.layer, self.marks)):
                yield
        else:
            self.ask("start 0")
            yield
            self.ask("stop 0")

    def _last_words(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


@contextmanager
def station(layer: Layer, folder: Path) -> Iterator[Station]:
    """The layer's producer, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    with (
        Marks.opened(folder / "marks") as marks,
        started(layer.producer, folder, _environment(layer, marks), talks=True) as process,
    ):
        yield Station(layer, folder, marks, process)


@dataclass(frozen=True)
class Stores:
    """Where tasks are kept: a Redis, and a PostgreSQL where the tests have one."""

    redis: str
    postgres: postgres.Server | None


@contextmanager
def stores(folder: Path) -> Iterator[Stores]:
    with _redis(folder / "redis") as redis, _postgres() as server:
        yield Stores(redis, server)


def lineup(stores: Stores, folder: Path) -> list[Layer]:
    """All layers that this machine can run, with stores of their own."""
    celery = ("celery", "-A", "on_celery", "worker", "-P", "solo", "-l", "warning")
    dramatiq = ("dramatiq", "on_dramatiq", "-p", "1", "-t", "8")
    return [
        *pixmills(stores, folder),
        _huey(folder / "huey.db"),
        _peer(SAQ, "on_saq", f"{stores.redis}/0", ("saq", "on_saq.settings")),
        _peer(DRAMATIQ, "on_dramatiq", f"{stores.redis}/1", dramatiq),
        _peer(CELERY, "on_celery", f"{stores.redis}/2", celery),
        *([_procrastinate(stores.postgres, folder)] if stores.postgres else []),
    ]


def pixmills(stores: Stores, folder: Path) -> list[Layer]:
    """The service's own task layer on each of its databases, which are new ones."""
    folder.mkdir()
    layers = [_pixmill(OURS, folder / "sqlite")]
    if stores.postgres:
        url = stores.postgres.create(name=folder.name)
        layers.append(_pixmill(OURS_POSTGRES, folder / "postgres", DATABASE_URL=url))
    return layers


def _pixmill(name: str, folder: Path, **settings: str) -> Layer:
    folder.mkdir()
    env = {
        **service(folder, PORT=UNUSED_PORT, **settings).env,
        "PYTHONPATH": f"{PROJECT}:{SCRIPTS}",
    }
    return Layer(name, (sys.executable, str(SCRIPTS / "on_pixmill.py")), env)


def _huey(store: Path) -> Layer:
    delays = ("-d", HUEY_POLL_SECONDS, "-m", HUEY_POLL_SECONDS)
    worker = ("huey_consumer", "on_huey.huey", "-w", "1", *delays, "-q")
    return _peer(HUEY, "on_huey", str(store), worker)


def _procrastinate(server: postgres.Server, folder: Path) -> Layer:
    url = server.create(name=f"{folder.name}_procrastinate").replace("+psycopg", "")
    worker = ("procrastinate", "-a", "on_procrastinate.app", "worker", "-c", "10")
    return _peer(PROCRASTINATE, "on_procrastinate", url, worker)


def _peer(name: str, module: str, store: str, worker: tuple[str, ...]) -> Layer:
    commands = installs.tasks()
    producer = (str(commands / "python"), str(SCRIPTS / "producer.py"), module)
    env = {"BENCH_STORE": store, "PYTHONPATH": str(SCRIPTS)}
    command, *options = worker
    return Layer(name, producer, env, (str(commands / command), *options))


def _environment(layer: Layer, marks: Marks) -> dict[str, str]:
    mine = {"BENCH_MARKS": str(marks.path), "PYTHONDONTWRITEBYTECODE": "1"}
    return clean_environment() | layer.env | mine


@contextmanager
def started(
    command: tuple[str, ...], folder: Path, env: Mapping[str, str], *, talks: bool = False
) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=pipe if talks else subprocess.DEVNULL,
            stdout=pipe if talks else log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A Redis whose answer to a write means that it is on the disk."""
    folder.mkdir()
    port = str(free_port())
    durable = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")
    where = ("--port", port, "--bind", "127.0.0.1", "--dir", str(folder))
    with started((str(installs.redis()), *where, *durable), folder, clean_environment()):
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def _postgres() -> Iterator[postgres.Server | None]:
    """The server of the tests, but one that loses nothing when the machine does."""
    if not postgres.is_there():
        yield None
        return
    folder = postgres.new_folder()
    server = postgres.Server(folder)
    try:
        server.make()
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(DURABLE)
        server.start()
        yield server
    finally:
        postgres.remove(folder)
