"""The upload alone: a form with a file comes in, is stored and answered. Nothing is made of it.

One server process each, 16 connections (64 where memory is measured), driven by wrk.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import sleep

from bench import corpus, lineup, wrk
from bench.client import Photo, UnexpectedAnswerError, Visitor
from bench.figures import Spread
from bench.memory import Peak, watched
from bench.options import Options, in_turn
from bench.places import scratch
from bench.report import Goal, Section, Table
from bench.servers import Running, Server, running

BUSBOY = "busboy"
CONNECTIONS = 16
MANY_CONNECTIONS = 64
TURN_SECONDS = 2.0
WARM_UP_SECONDS = 1.0
MEMORY_SECONDS = 4.0
SETTLE_SECONDS = 1.0
CLEAR_SECONDS = 0.2


@dataclass(frozen=True)
class Way:
    """A server's upload: its path, the status it answers with, and whether the file stays."""

    build: Callable[[Path], Server]
    path: str
    status: int
    keeps: bool = False


WAYS = {
    lineup.OURS: Way(
        lambda folder: lineup.pixmill(folder, ENGINE="none", MAX_QUEUED_TASKS="1000000"),
        path="/images",
        status=202,
        keeps=True,
    ),
    lineup.OURS_TWO: Way(
        lambda folder: lineup.pixmill_in_two(folder, ENGINE="none", MAX_QUEUED_TASKS="1000000"),
        path="/images",
        status=202,
        keeps=True,
    ),
    lineup.TUTORIAL: Way(lineup.tutorial, "/upload-image/", 200),
    BUSBOY: Way(lineup.sharp, "/upload", 200),
}


@dataclass(frozen=True)
class Turn:
    """What wrk saw in one turn."""

    per_second: float
    p50_ms: float
    p99_ms: float
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Body:
    """A file that is uploaded again and again."""

    name: str
    file: Path

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    @property
    def label(self) -> str:
        return f"{self.size / 1e6:.1f} MB"


def measure(options: Options) -> Section:
    bodies = [Body(name, file) for name, file in corpus.upload_bodies().items()]
    turns = {body: _rates(body, options) for body in bodies}
    memory = {name: _memory(way, bodies[0]) for name, way in WAYS.items()}
    trouble = [
        f"{name}, {body.label}: {fault}"
        for body in bodies
        for name, rounds in turns[body].items()
        for turn in rounds
        for fault in turn.faults
    ]
    for name, (_, turn) in memory.items():
        trouble += [f"{name}, memory: {fault}" for fault in turn.faults]
    tables = [_rates_table(body, turns[body]) for body in bodies]
    tables.append(_memory_table(bodies[0], memory))
    return Section("Upload alone", tables, _goals(turns, memory), trouble)


def _rates(body: Body, options: Options) -> dict[str, list[Turn]]:
    """Requests a second of every way, in rounds over servers that all stay up."""
    turns: dict[str, list[Turn]] = {name: [] for name in WAYS}
    with scratch("upload") as folder, ExitStack() as stack:
        servers = {
            name: stack.enter_context(running(way.build(folder / f"server-{number}")))
            for number, (name, way) in enumerate(WAYS.items())
        }
        for name, server in servers.items():
            _check_one(server, WAYS[name], body)
            _turn(server, WAYS[name], body, CONNECTIONS, options.seconds(WARM_UP_SECONDS))
        for number in range(options.rounds):
            for name in in_turn(number, list(WAYS)):
                seconds = options.seconds(TURN_SECONDS)
                turn = _turn(servers[name], WAYS[name], body, CONNECTIONS, seconds)
                turns[name].append(turn)
                print(f"upload {body.label} {name}: {turn.per_second:.0f}/s", file=sys.stderr)
    return turns


def _memory(way: Way, body: Body) -> tuple[Peak, Turn]:
    """The peak memory of a fresh process tree while 64 uploads are in flight."""
    with scratch("upload") as folder, running(way.build(folder / "server")) as server:
        with watched(server.pid) as peak:
            turn = _turn(server, way, body, MANY_CONNECTIONS, MEMORY_SECONDS)
        return peak, turn


def _check_one(server: Running, way: Way, body: Body) -> None:
    """One upload by hand: the status, and the size the server says it stored."""
    with Visitor(server.port) as visitor:
        photo = Photo.read(body.file)
        document = visitor.post_form(way.path, photo).expect(way.status).document()
    if document.get("size_bytes") != body.size:
        raise UnexpectedAnswerError(
            f"{server.name} stored {document.get('size_bytes')} of {body.size} bytes"
        )


def _turn(server: Running, way: Way, body: Body, connections: int, seconds: float) -> Turn:
    url = f"http://127.0.0.1:{server.port}{way.path}"
    with Clearing(server.folder / "uploads", body.size) as cleared:
        seen = wrk.post(url, way.status, connections, seconds, photo=body.file)
    faults = []
    if seen["refused"]:
        faults.append(f"{seen['refused']} answers were {seen['status']}, not {way.status}")
    if seen["broken"]:
        faults.append(f"{seen['broken']} connections broke or timed out")
    accepted = seen["requests"] - seen["refused"]
    if not accepted:
        faults.append("no upload was accepted")
    if way.keeps and cleared.whole < accepted:
        faults.append(f"{accepted} uploads accepted but {cleared.whole} whole files")
    if cleared.torn:
        faults.append(f"{cleared.torn} stored files have another size")
    os.sync()  # the next turn is not to pay for this one
    return Turn(accepted / seen["seconds"], seen["p50_ms"], seen["p99_ms"], tuple(faults))


class Clearing:
    """Removes what is uploaded while it comes, counting it.

    The peers remove each file after its answer, so their page cache stays small and warm; a
    server that keeps its files is to be measured on the same footing.
    """

    def __init__(self, uploads: Path, size: int) -> None:
        self.whole = self.torn = 0
        self._uploads, self._size = uploads, size
        self._ended = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Clearing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        sleep(SETTLE_SECONDS)  # uploads cut off by the end of the turn are finished or cleared away
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(CLEAR_SECONDS):
            self._clear()
        self._clear()

    def _clear(self) -> None:
        if not self._uploads.is_dir():  # a peer's, which removes its files itself
            return
        for folder in os.scandir(self._uploads):
            if folder.is_dir() and not folder.name.startswith("."):
                for file in os.scandir(folder.path):
                    self._remove(file)

    def _remove(self, file: os.DirEntry[str]) -> None:
        if file.stat().st_size == self._size:
            self.whole += 1
        else:
            self.torn += 1
        os.unlink(file.path)


def _rates_table(body: Body, turns: dict[str, list[Turn]]) -> Table:
    ours = [turn.per_second for turn in turns[lineup.OURS]]
    rows = []
    for name, rounds in turns.items():
        rates = [turn.per_second for turn in rounds]
        rows.append(
            (
                name,
                Spread.of(rates).text(0),
                f"{Spread.of(rates).median * body.size / 1e6:.0f}",
                Spread.of_ratios(ours, rates).text() if name != lineup.OURS else "",
                f"{Spread.of([turn.p50_ms for turn in rounds]).median:.1f}",
                f"{Spread.of([turn.p99_ms for turn in rounds]).median:.1f}",
            )
        )
    head = ("server", "requests/s", "MB/s", f"{lineup.OURS} / it", "p50 ms", "p99 ms")
    return Table(f"Files of {body.label}, {CONNECTIONS} connections:", head, rows)


def _memory_table(body: Body, memory: dict[str, tuple[Peak, Turn]]) -> Table:
    rows = [
        (name, f"{peak.rss:.0f}", f"{peak.pss:.0f}", f"{turn.per_second:.0f}")
        for name, (peak, turn) in memory.items()
    ]
    caption = f"{MANY_CONNECTIONS} files of {body.label} in flight, each server fresh:"
    return Table(caption, ("server", "peak RSS, MiB", "peak PSS, MiB", "requests/s"), rows)


def _goals(
    turns: dict[Body, dict[str, list[Turn]]], memory: dict[str, tuple[Peak, Turn]]
) -> Sequence[Goal]:
    def faster(body: Body, ours_name: str, at_least: float) -> Goal:
        peer = lineup.TUTORIAL
        ours, theirs = (
            [turn.per_second for turn in turns[body][name]] for name in (ours_name, peer)
        )
        what = f"requests/s, {body.label}: {ours_name} / {peer}"
        return Goal(what, Spread.of_ratios(ours, theirs), at_least)

    big, small = turns
    peak, _ = memory[lineup.OURS]
    return (
        faster(big, lineup.OURS, 1.5),
        faster(big, lineup.OURS_TWO, 1.5),
        faster(small, lineup.OURS, 1.0),
        faster(small, lineup.OURS_TWO, 1.0),
        Goal(f"peak RSS at {MANY_CONNECTIONS}, MiB", Spread.of([peak.rss]), at_most=120, digits=0),
    )
