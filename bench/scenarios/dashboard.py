"""What the dashboard costs: its first paint beside few and many rows, and a thousand streams.

The rows are copies of a task and of an image that were really made, written past the service. It
works no tasks meanwhile.
"""

from __future__ import annotations

import io
import os
import re
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from bench import lineup
from bench.client import JPEG, Visitor
from bench.figures import Spread
from bench.options import Options, in_turn
from bench.places import scratch
from bench.report import Goal, Section, Table
from bench.servers import Running, running

#: Tasks that are stored, and images beside them.
TASKS = (10_000, 100_000)
IMAGES = 10_000
#: What a page asks for before it shows anything.
PATHS = (
    "/tasks/overview",
    "/tasks/series?minutes=60",
    "/tasks/failures",
    "/workers",
    "/kinds",
    "/tasks?limit=50",
    "/tasks?status=failed&limit=50",
    "/images?limit=20",
    "/limits",
    "/presets",
)
STREAMS = 1_000
#: How long the streams are left alone, and the events that each is sent then.
QUIET_SECONDS = 10.0
EVENTS = 20
WAIT_SECONDS = 60.0

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
_ID = "substr({id}, 1, 20) || printf('%012x', i)"


def measure(options: Options) -> Section:
    with scratch("dashboard") as folder, ExitStack() as stack:
        less = 10 if options.quick else 1
        servers = {
            count: stack.enter_context(_filled(folder / str(count), count // less))
            for count in TASKS
        }
        paints: dict[int, list[dict[str, float]]] = {count: [] for count in TASKS}
        for server in servers.values():
            _paint(server)
        for number in range(options.rounds):
            for count in in_turn(number, TASKS):
                paint = _paint(servers[count])
                paints[count].append(paint)
                print(f"dashboard {count}: {sum(paint.values()):.0f} ms", file=sys.stderr)
        crowd = _crowd(servers[TASKS[-1]], options)
    few, many = ([sum(paint.values()) for paint in paints[count]] for count in TASKS)
    goals = [
        Goal(f"first paint, {TASKS[-1]} tasks, ms", Spread.of(many), at_most=300),
        Goal(f"the same / {TASKS[0]} tasks", Spread.of_ratios(many, few), at_most=2),
    ]
    return Section("Dashboard", [_paint_table(paints), _crowd_table(crowd)], goals)


@contextmanager
def _filled(folder: Path, count: int) -> Iterator[Running]:
    """A service with so many finished tasks, and images that they made."""
    with running(lineup.pixmill(folder)) as server, Visitor(server.port) as visitor:
        picture = io.BytesIO()
        Image.effect_noise((640, 480), 50).save(picture, "JPEG")
        image = visitor.send("POST", "/images", picture.getvalue(), JPEG).expect(202).document()
        path, wait = f"/images/{image['id']}", {"Prefer": "wait=30"}
        assert visitor.send("GET", path, headers=wait).document()["status"] == "ready"
    _copy(folder / "pixmill.db", image["task_id"], image["id"], count)
    with running(lineup.pixmill(folder, ENGINE="none", MAX_STREAMS=str(STREAMS))) as server:
        yield server


def _copy(database: Path, task_id: str, image_id: str, count: int) -> None:
    """Each fiftieth task has failed, in one of five ways; an hour holds what was finished last."""
    with sqlite3.connect(database) as connection:
        hour = "datetime('now', '-' || (i % 3600) || ' seconds')"
        failed = {
            "status": "CASE WHEN i % 50 THEN 'succeeded' ELSE 'failed' END",
            "error_code": "CASE WHEN i % 50 = 0 THEN 'code_' || (i / 50 % 5) END",
            "error_message": "CASE WHEN i % 50 = 0 THEN 'It did not work.' END",
        }
        times = dict.fromkeys(("created_at", "run_at", "started_at", "finished_at"), hour)
        _multiply(connection, "tasks", "id", task_id, count, failed | times)
        _multiply(connection, "images", "id", image_id, min(count, IMAGES), {})
        _multiply(connection, "variants", "image_id", image_id, min(count, IMAGES), {})
    connection.close()


def _multiply(
    connection: sqlite3.Connection,
    table: str,
    key: str,
    value: str,
    count: int,
    changes: dict[str, str],
) -> None:
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    own = {key: _ID.format(id=key)} | changes
    columns = ", ".join(own.get(name, name) for name in names)
    connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}) {_NUMBERS.format(count=count)}"
        f"SELECT {columns} FROM {table}, n WHERE {key} = ?",
        [value],
    )


def _paint(server: Running) -> dict[str, float]:
    """Milliseconds that each answer took."""
    times = {}
    with Visitor(server.port) as visitor:
        visitor.send("GET", "/healthz").expect(200)
        for path in PATHS:
            start = time.perf_counter()
            visitor.send("GET", path).expect(200)
            times[path] = (time.perf_counter() - start) * 1e3
    return times


@dataclass
class Crowd:
    """What many open streams cost the server."""

    kib_each: float = 0.0
    quiet_cpu: float = 0.0
    ms_an_event: float = 0.0
    spread_ms: list[float] = field(default_factory=list)


def _crowd(server: Running, options: Options) -> Crowd:
    """Open streams, leave them alone, then cause events and see when each stream has had them."""
    crowd, count = Crowd(), STREAMS // (10 if options.quick else 1)
    before = _memory_kib(server.pid)
    with ExitStack() as stack, Visitor(server.port) as visitor:
        streams = [stack.enter_context(_stream(server.port)) for _ in range(count)]
        crowd.kib_each = (_memory_kib(server.pid) - before) / count
        crowd.quiet_cpu = _cpu_share(server.pid, options.seconds(QUIET_SECONDS))
        start = _cpu_seconds(server.pid)
        for number in range(EVENTS):
            began = time.perf_counter()
            visitor.send("POST", f"/items/{number}").expect(202)
            for stream in streams:  # what has come waits in its socket
                _read_until(stream, f'"type":"item","id":"{number}"')
            crowd.spread_ms.append((time.perf_counter() - began) * 1e3)
        spent = _cpu_seconds(server.pid) - start
        crowd.ms_an_event = spent / EVENTS / count * 1e3
    return crowd


@contextmanager
def _stream(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), WAIT_SECONDS) as connection:
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: bench\r\n\r\n")
        _read_until(connection, "retry: ")
        yield connection


def _read_until(connection: socket.socket, word: str) -> None:
    read = b""
    while word.encode() not in read:
        chunk = connection.recv(65_536)
        if not chunk:
            raise RuntimeError(f"a stream ended before {word}")
        read += chunk


def _memory_kib(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return float(found[1]) if found else 0.0


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_share(pid: int, seconds: float) -> float:
    """Percent of a core that the process takes."""
    start = _cpu_seconds(pid)
    time.sleep(seconds)
    return (_cpu_seconds(pid) - start) / seconds * 100


def _paint_table(paints: dict[int, list[dict[str, float]]]) -> Table:
    rows = [
        (f"`{path}`", *(Spread.of([one[path] for one in paints[count]]).text(1) for count in TASKS))
        for path in PATHS
    ]
    sums = (Spread.of([sum(one.values()) for one in paints[count]]).text(0) for count in TASKS)
    head = ("request", *(f"{count} tasks, ms" for count in TASKS))
    caption = f"The first paint, each answer from the request to its last byte; {IMAGES} images:"
    return Table(caption, head, [*rows, ("together", *sums)])


def _crowd_table(crowd: Crowd) -> Table:
    rows = [
        ("memory of a stream, KiB", f"{crowd.kib_each:.0f}"),
        ("all of them quiet, % of a core", f"{crowd.quiet_cpu:.1f}"),
        ("processor time of an event on one stream, ms", f"{crowd.ms_an_event:.3f}"),
        ("from a request to its event on the last stream, ms", Spread.of(crowd.spread_ms).text(0)),
    ]
    return Table(f"{STREAMS} open streams of `/events`, beside {TASKS[-1]} tasks:", ("", ""), rows)
