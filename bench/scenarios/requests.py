"""What the task layer adds to a request: the same route with nothing to do, a row, and a task.

16 connections: each resting between its requests, as visitors do, and then flat out. The answer
comes after the commit, which is on the disk; the task runs meanwhile, and does nothing.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bench import lineup, wrk
from bench.figures import Spread
from bench.layers import SCRIPTS
from bench.options import Options, in_turn
from bench.places import PROJECT, scratch
from bench.report import Goal, Section, Table
from bench.servers import PORT, Running, Server, running

ROUTES = ("/nothing", "/row", "/task")
CONNECTIONS = 16
#: Mean rest of a connection, so that all of them together send about 270 requests a second.
PAUSE_MS = 60
SECONDS = 3.0
WARM_UP_SECONDS = 1.0

Seen = dict[str, float]


def measure(options: Options) -> Section:
    paced: dict[str, list[Seen]] = {route: [] for route in ROUTES}
    pressed: dict[str, list[Seen]] = {route: [] for route in ROUTES}
    with scratch("requests") as folder, running(_server(folder)) as server:
        for route in ROUTES:
            _ask(server, route, WARM_UP_SECONDS)
        for number in range(options.rounds):
            for route in in_turn(number, ROUTES):
                paced[route].append(_ask(server, route, options.seconds(SECONDS), PAUSE_MS))
            for route in in_turn(number, ROUTES):
                pressed[route].append(_ask(server, route, options.seconds(SECONDS)))
            print(f"requests: {paced['/task'][-1]}", file=sys.stderr)
    every = [seen for side in (paced, pressed) for turns in side.values() for seen in turns]
    trouble = [f"{seen}" for seen in every if seen["refused"] or seen["broken"]]
    tables = [_table("resting between requests", paced), _table("flat out", pressed)]
    cost = Spread.of(_more(paced["/task"], paced["/nothing"]))
    goal = Goal("a task's cost to a request, p50, ms", cost, at_most=1.0)
    return Section("Requests", tables, [goal], trouble)


def _server(folder: Path) -> Server:
    """The service's own application in one uvicorn process, with routes of the bench's."""
    service = lineup.pixmill(folder, MAX_QUEUED_TASKS="1000000")
    command = (sys.executable, "-m", "uvicorn", "routes:app", "--no-access-log", "--port", PORT)
    path = {"PYTHONPATH": f"{PROJECT}:{SCRIPTS}"}
    return replace(service, command=command, env={**service.env, **path})


def _ask(server: Running, route: str, seconds: float, pause_ms: int = 0) -> Seen:
    url = f"http://127.0.0.1:{server.port}{route}"
    return wrk.post(url, 202, CONNECTIONS, seconds, pause_ms=pause_ms)


def _more(turns: list[Seen], less: list[Seen]) -> list[float]:
    """By how many milliseconds the median is higher, round by round."""
    return [one["p50_ms"] - other["p50_ms"] for one, other in zip(turns, less, strict=True)]


def _table(how: str, turns: dict[str, list[Seen]]) -> Table:
    rows = [
        (
            route,
            f"{Spread.of([seen['requests'] / seen['seconds'] for seen in each]).median:.0f}",
            Spread.of([seen["p50_ms"] for seen in each]).text(),
            Spread.of([seen["p99_ms"] for seen in each]).text(),
            Spread.of(_more(each, turns[ROUTES[0]])).text(),
        )
        for route, each in turns.items()
    ]
    head = ("route", "requests/s", "p50 ms", "p99 ms", "p50 more than with nothing")
    return Table(f"POST, {CONNECTIONS} connections {how}:", head, rows)
