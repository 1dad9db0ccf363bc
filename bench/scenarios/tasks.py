"""The task layer alone: durable tasks that do nothing, beside five others.

One producer that waits for each call, one worker. A call that has returned is on the disk.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from bench import layers
from bench.figures import Spread, percentile
from bench.layers import (
    CELERY,
    DRAMATIQ,
    HUEY,
    OURS,
    OURS_POSTGRES,
    PROCRASTINATE,
    SAQ,
    Layer,
    Station,
    station,
)
from bench.options import Options, in_turn
from bench.places import scratch
from bench.report import Goal, Section, Table

#: Tasks a phase of a turn.
COUNT = 500
#: Latencies a turn.
SAMPLES = 100
#: Between two samples of the latency everybody comes to rest; in seconds.
PAUSE = (0.01, 0.03)
#: After a phase, until its last task is recorded and the worker waits; in seconds.
SETTLE_SECONDS = 0.5
#: Rows that wait while others are claimed, and claims a turn.
WAITING = 100_000
CLAIMS = 300
#: How often Pixmill is to be as fast with both at once.
TARGETS = (
    (OURS, DRAMATIQ, 2.0),
    (OURS, SAQ, 2.0),
    (OURS, CELERY, 5.0),
    (OURS, HUEY, 1.0),
    (OURS_POSTGRES, PROCRASTINATE, 2.5),
)


@dataclass(frozen=True)
class Turn:
    """What a layer did in one round: tasks a second, and latencies in milliseconds."""

    enqueued: float
    drained: float
    both: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Claims:
    """Claims a second in one round: from a table with nothing else due, and from a full one."""

    empty: float
    full: float


def measure(options: Options) -> Section:
    trouble: list[str] = []
    with scratch("tasks") as folder, layers.stores(folder) as stores:
        turns = _turns(layers.lineup(stores, folder / "turns"), folder, options, trouble)
        pairs = zip(
            layers.pixmills(stores, folder / "claims_empty"),
            layers.pixmills(stores, folder / "claims_full"),
            strict=True,
        )
        claims = {empty.name: _claims(empty, full, options) for empty, full in pairs}
    tables = [_rates_table(turns), _latency_table(turns), _claims_table(claims)]
    return Section("Tasks", tables, _goals(turns, claims), trouble)


def _turns(
    lineup: Sequence[Layer], folder: Path, options: Options, trouble: list[str]
) -> dict[str, list[Turn]]:
    """Every layer's turns; one that fails is left out and does not stop the others."""
    turns: dict[str, list[Turn]] = {layer.name: [] for layer in lineup}
    with ExitStack() as stack:
        stations = {
            layer.name: stack.enter_context(station(layer, folder / f"station-{number}"))
            for number, layer in enumerate(lineup)
        }
        for number in range(options.rounds):
            for name in in_turn(number, list(turns)):
                try:
                    turns[name].append(_turn(stations[name], COUNT // (10 if options.quick else 1)))
                except Exception as error:
                    trouble.append(f"{name} failed and is left out: {error}")
                    print(trouble[-1], file=sys.stderr)
                    del turns[name]
                    continue
                print(f"tasks {name}: {turns[name][-1].both:.0f}/s", file=sys.stderr)
    return turns


def _turn(layer: Station, count: int) -> Turn:
    start, done = layer.enqueue(count)
    with layer.working():
        ran = layer.marks.take(count)
        enqueued, drained = count / (done - start), (count - 1) / (ran[-1] - ran[0])
        sleep(SETTLE_SECONDS)
        start, _ = layer.enqueue(count)
        both = count / (layer.marks.take(count)[-1] - start)
        sleep(SETTLE_SECONDS)
        latencies = [_latency_ms(layer) for _ in range(SAMPLES)]
    if twice := layer.marks.waiting():
        raise RuntimeError(f"{twice} tasks ran more than once")
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    return Turn(enqueued, drained, both, p50, p99)


def _latency_ms(layer: Station) -> float:
    """From before the call that enqueues to the first line of the handler."""
    sleep(random.uniform(*PAUSE))
    start, _ = layer.enqueue(1)
    return (layer.marks.take(1)[0] - start) * 1e3


def _claims(empty: Layer, full: Layer, options: Options) -> list[Claims]:
    waiting = WAITING // (10 if options.quick else 1)
    with (
        scratch("claims") as own,
        station(empty, own / "empty") as some,
        station(full, own / "full") as many,
    ):
        many.ask(f"fill {waiting}")
        rounds = []
        for number in range(options.rounds):
            pair = [_claim_rate(one) for one in in_turn(number, (some, many))]
            rounds.append(Claims(*in_turn(number, pair)))
        return rounds


def _claim_rate(layer: Station) -> float:
    layer.ask(f"fill {CLAIMS}")
    start, done = layer.ask(f"claim {CLAIMS}")
    return CLAIMS / (done - start)


def _each(turns: Sequence[Turn], what: str) -> list[float]:
    return [getattr(turn, what) for turn in turns]


def _rates_table(turns: dict[str, list[Turn]]) -> Table:
    ours = _each(turns.get(OURS, []), "both")
    rows = []
    for name, rounds in turns.items():
        rates = (Spread.of(_each(rounds, what)).text(0) for what in ("enqueued", "drained", "both"))
        ratio = ours and name != OURS
        rows.append(
            (name, *rates, Spread.of_ratios(ours, _each(rounds, "both")).text() if ratio else "")
        )
    head = ("layer", "enqueued/s", "drained/s", "both at once/s", f"{OURS} / it, both")
    return Table(f"Tasks a second, {COUNT} a phase, each call on the disk:", head, rows)


def _latency_table(turns: dict[str, list[Turn]]) -> Table:
    rows = [
        (name, *(Spread.of(_each(rounds, what)).text() for what in ("p50_ms", "p99_ms")))
        for name, rounds in turns.items()
    ]
    caption = f"From the call to the handler's first line, {SAMPLES} tasks a turn, all idle:"
    return Table(caption, ("layer", "p50 ms", "p99 ms"), rows)


def _claims_table(claims: dict[str, list[Claims]]) -> Table:
    rows = [
        (
            name,
            Spread.of([each.empty for each in rounds]).text(0),
            Spread.of([each.full for each in rounds]).text(0),
        )
        for name, rounds in claims.items()
    ]
    head = ("layer", "nothing else waits", f"{WAITING} wait")
    return Table("Claims a second, each in a transaction of its own:", head, rows)


def _goals(turns: dict[str, list[Turn]], claims: dict[str, list[Claims]]) -> list[Goal]:
    goals = [
        Goal(
            f"{ours} / {name}, both at once",
            Spread.of_ratios(_each(turns[ours], "both"), _each(turns[name], "both")),
            target,
        )
        for ours, name, target in TARGETS
        if ours in turns and name in turns
    ]
    if ours := turns.get(OURS):
        for what, limit in (("p50", 2.0), ("p99", 5.0)):
            figure = Spread.of(_each(ours, f"{what}_ms"))
            goals.append(Goal(f"{OURS}, latency {what}, ms", figure, at_most=limit))
    for name, rounds in claims.items():
        ratio = Spread.of_ratios([each.full for each in rounds], [each.empty for each in rounds])
        goals.append(Goal(f"{name}, claims with {WAITING} waiting / none", ratio, 0.8))
    return goals
