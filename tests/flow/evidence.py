"""What tests send, and what they look at afterwards: documents, rows, files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from service.config import Settings
from service.database import open_database
from service.tasks import Kind, enqueue
from tests.pictures import jpeg_segment
from tests.servers import Process, until

T = TypeVar("T")

CLIENTS = 4
UPLOADS_PER_CLIENT = 5
#: The marker of a JPEG's quantization table.
TABLE = 0xDB
DAY_SECONDS = 86_400


class Start(Protocol):
    """The fixture `start`."""

    def __call__(
        self, module: str = "service", command: str = "serve", **settings: object
    ) -> Process: ...


def numbered(photo: bytes, number: object) -> bytes:
    """The same picture as a file of its own, by a table that it makes no use of.

    A comment would not be served with the original.
    """
    values = hashlib.sha512(str(number).encode()).digest().replace(b"\0", b"\1")
    return photo[:2] + jpeg_segment(TABLE, b"\3" + values) + photo[2:]


def upload(client: httpx.Client, data: bytes, **fields: str) -> dict[str, Any]:
    """Upload a file and return the image's document."""
    answer = client.post("/images", files={"file": ("photo.jpg", data)}, data=fields)
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


@contextmanager
def uploading(url: str, photo: bytes) -> Iterator[dict[str, str]]:
    """Clients that upload all at once, each until the server goes away.

    Yields what they were promised so far: the digest of each image that was acknowledged.
    """
    promised: dict[str, str] = {}

    def keep_uploading(client_number: int) -> None:
        with httpx.Client(base_url=url, timeout=30) as client, suppress(httpx.TransportError):
            for number in range(UPLOADS_PER_CLIENT):
                data = numbered(photo, f"{client_number}.{number}")
                promised[upload(client, data)["id"]] = digest(data)

    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(keep_uploading, number) for number in range(CLIENTS)]
        yield promised
    for one in working:
        one.result()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def timeline(client: httpx.Client, task_id: str) -> list[str]:
    """What happened to a task, in order."""
    return happened(client.get(f"/tasks/{task_id}").raise_for_status().json())


def happened(task: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in task["events"]]


def statuses(folder: Path) -> Counter[str]:
    """How many tasks there are of each status. From the rows: asking the process would slow it."""
    return Counter(query(folder, "SELECT status FROM tasks"))


def wait_for_all(folder: Path) -> None:
    """Wait until no task is left to do."""
    open_ends = {"waiting", "queued", "retrying", "running"}
    until(lambda: not open_ends & set(statuses(folder)), "the end of all tasks", patience=60)


def name_database(folder: Path, url: str) -> None:
    """Have the processes that work in a folder use a database."""
    (folder / ".env").write_text(f"PIXMILL_DATABASE_URL={url}\n")


def database_of(folder: Path) -> str:
    """The URL of the database that the processes of a folder use."""
    return Settings(_env_file=folder / ".env").database_url


def query(folder: Path, statement: str) -> list[Any]:
    """The rows of a statement on the folder's database; one column comes as plain values."""
    engine = _engine(database_of(folder))
    with engine.connect() as connection:
        rows = connection.execute(text(statement)).fetchall()
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


@contextmanager
def rows_held(folder: Path) -> Iterator[None]:
    """Hold PostgreSQL's rows of tasks: renewals pass them over, so who is stopped holds none."""
    url = database_of(folder)
    if url.startswith("sqlite:"):
        yield
        return
    with _engine(url).begin() as connection:
        connection.execute(text("SELECT id FROM tasks FOR UPDATE"))
        yield


CONNECTED = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND backend_type = 'client backend' AND pid != pg_backend_pid()
"""


def wait_for_its_end(folder: Path) -> None:
    """Wait until the server has ended what a process that was killed had begun."""
    if not database_of(folder).startswith("sqlite:"):
        until(lambda: query(folder, CONNECTED) == [0], "the end of its sessions")


@cache
def _engine(url: str) -> Engine:
    if url.startswith("postgresql:"):
        return create_engine(url.replace(":", "+psycopg:", 1), poolclass=NullPool)
    # Read-only, so that whoever opens it next finds it as a dead process left it.
    path = url.removeprefix("sqlite:///")
    return create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", poolclass=NullPool)


def is_intact(folder: Path) -> bool:
    """Whether SQLite finds its file whole; PostgreSQL's files are not ours."""
    if not database_of(folder).startswith("sqlite:"):
        return True
    return query(folder, "PRAGMA integrity_check") == ["ok"]


def timelines(folder: Path) -> dict[str, list[str]]:
    """What happened to each task, in order, from the rows; all begin with being enqueued."""
    lines = defaultdict(list)
    for task_id, kind in query(folder, "SELECT task_id, kind FROM task_events ORDER BY id"):
        lines[task_id].append(kind)
    return dict(lines)


def stored(folder: Path, store: str) -> set[str]:
    """The keys of what `uploads` or `processed` holds."""
    return {
        str(path.relative_to(shard))
        for shard in (folder / store).iterdir()
        if shard.name != ".incoming"
        for path in shard.rglob("*")
        if path.is_file()
    }


def unfinished(folder: Path) -> list[Path]:
    """Temporary files, of uploads and of variants."""
    return [path for store in ("uploads", "processed") for path in _incoming(folder / store)]


def _incoming(store: Path) -> list[Path]:
    return list((store / ".incoming").iterdir())


def let_a_day_pass(folder: Path) -> None:
    """Make all files look as old as they would be if the machine had been off for a day."""
    yesterday = time.time() - DAY_SECONDS
    for store in ("uploads", "processed"):
        for path in (folder / store).rglob("*"):
            if path.is_file():
                os.utime(path, (yesterday, yesterday))


def enqueued(server: Process, kind: Kind, **payload: Any) -> str:
    """Enqueue a task from this process into the server's database."""
    return in_database(server, lambda session: enqueue(session, kind, payload))


def in_database(server: Process, work: Callable[[Session], T]) -> T:
    return asyncio.run(_write(server.folder, work))


async def _write(folder: Path, work: Callable[[Session], T]) -> T:
    database = open_database(database_of(folder))
    try:
        return await database.write(work)
    finally:
        database.close()
