"""WebP and AVIF beside sharp, where both are equally good to look at: how fast, and how heavy.

Sharp encodes at 82 with its default effort; whatever is beside it at the lowest quality whose mean
SSIM is no less than that, looked for once for each size. Then all take turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from bench import corpus
from bench.figures import Spread
from bench.lineup import OURS
from bench.makers import Judge, Make, Qualities, Score, by_sharp, matched, pixmill
from bench.options import Options, in_turn
from bench.pipelines import Sharp, sharp
from bench.report import Goal, Section, Table
from service.imaging.presets import Format

SIZES = (1600, 800)
QUALITY = dict.fromkeys(SIZES, 82)
#: What sharp takes if nobody says otherwise, for both formats.
DEFAULT_EFFORT = 4
SHARP = f"sharp, effort {DEFAULT_EFFORT}"
IN_FLIGHT = (1, 2)
#: Each so many photos tell which effort takes how long.
SAMPLE = 5
#: A turn is as many whole passes as fill this.
TURN_SECONDS = 1.5


@dataclass(frozen=True)
class Trial:
    """A format, what sharp is told about it, and the photos of a turn."""

    name: str
    format: Format
    options: Mapping[str, Any]
    #: Each so many photos, of those from the heaviest to the lightest.
    every: int


TRIALS = (
    Trial("WebP", "webp", {}, every=1),
    # By default sharp keeps all colours, which is heavier, and which the luma does not show. With
    # its default effort a photo takes seconds, so fewer of them make a turn.
    Trial("AVIF", "avif", {"chromaSubsampling": "4:2:0"}, every=5),
)


@dataclass(frozen=True)
class Entry:
    """A maker at the qualities that count for it."""

    name: str
    make: Make
    qualities: Qualities
    scores: Mapping[int, Score]


#: Photos a second in each round, by entry and photos in flight.
Rates = Mapping[tuple[str, int], list[float]]


def measure(options: Options) -> Section:
    photos = sorted(corpus.photos(), key=lambda file: file.stat().st_size, reverse=True)
    judge = Judge(photos[-2:] if options.quick else photos)
    tables, goals, trouble = [], [], []
    with sharp(max(IN_FLIGHT)) as process:
        for trial in TRIALS:
            print(f"formats {trial.format}: looking for qualities", file=sys.stderr)
            entries = _entries(trial, process, judge)
            rates = _rounds(entries, judge.photos[:: trial.every], options)
            tables.append(_table(trial, entries, rates, len(judge.photos)))
            goals += _goals(trial, entries, rates)
            trouble += _trouble(trial, entries)
    return Section("Formats", tables, goals, trouble)


def _entries(trial: Trial, process: Sharp, judge: Judge) -> list[Entry]:
    """Ours and sharp, and sharp once more if another effort is nearer to our time."""

    def by_effort(effort: int) -> Make:
        return by_sharp(process, trial.format, {**trial.options, "effort": effort})

    theirs, ours = by_effort(DEFAULT_EFFORT), pixmill(trial.format)
    target = judge.scores(theirs, QUALITY)
    mine = Entry(OURS, ours, *matched(ours, target, judge))
    found = [mine, Entry(SHARP, theirs, QUALITY, target)]
    effort = _nearest(by_effort, mine, judge.photos[::SAMPLE])
    if effort != DEFAULT_EFFORT:
        nearest = by_effort(effort)
        found.append(Entry(f"sharp, effort {effort}", nearest, *matched(nearest, target, judge)))
    return found


def _nearest(by_effort: Callable[[int], Make], ours: Entry, photos: Sequence[Path]) -> int:
    """The effort whose time is the nearest to ours; more effort takes longer: too much ends it."""
    goal = _least_seconds(ours.make, ours.qualities, photos)
    taken: dict[int, float] = {}
    for effort in range(DEFAULT_EFFORT + 1):
        taken[effort] = _least_seconds(by_effort(effort), QUALITY, photos)
        if taken[effort] > goal:
            break
    return min(taken, key=lambda effort: abs(log(taken[effort] / goal)))


def _least_seconds(make: Make, qualities: Qualities, photos: Sequence[Path]) -> float:
    return min(make(photos, qualities, 1, None) for _ in range(3))


def _rounds(entries: Sequence[Entry], photos: Sequence[Path], options: Options) -> Rates:
    turns = [(entry, in_flight) for entry in entries for in_flight in IN_FLIGHT]
    rates: dict[tuple[str, int], list[float]] = {(one.name, number): [] for one, number in turns}
    for number in range(options.rounds):
        for entry, in_flight in in_turn(number, turns):
            rate = _rate(entry, photos, in_flight, options.seconds(TURN_SECONDS))
            rates[entry.name, in_flight].append(rate)
            print(f"formats {entry.name}, {in_flight} in flight: {rate:.2f}/s", file=sys.stderr)
    return rates


def _rate(entry: Entry, photos: Sequence[Path], in_flight: int, fill: float) -> float:
    """Photos a second over whole passes; everybody is warm, having been judged."""
    made, seconds = 0, 0.0
    while seconds < fill:
        seconds += entry.make(photos, entry.qualities, in_flight, None)
        made += len(photos)
    return made / seconds


def _table(trial: Trial, entries: Sequence[Entry], rates: Rates, photos: int) -> Table:
    head = ("pipeline", *(f"{number} in flight, photos/s" for number in IN_FLIGHT))
    columns = [(f"quality {size}", f"SSIM {size}", f"kB {size}") for size in SIZES]
    rows = [
        (
            entry.name,
            *(Spread.of(rates[entry.name, number]).text() for number in IN_FLIGHT),
            *(text for size in SIZES for text in _scored(entry, size)),
        )
        for entry in entries
    ]
    caption = f"{trial.name}, 1600 and 800 px, means over {photos} photos:"
    return Table(caption, (*head, *(name for column in columns for name in column)), rows)


def _scored(entry: Entry, size: int) -> tuple[str, str, str]:
    score = entry.scores[size]
    return str(entry.qualities[size]), f"{score.ssim:.4f}", f"{score.kilobytes:.1f}"


def _goals(trial: Trial, entries: Sequence[Entry], rates: Rates) -> list[Goal]:
    """As good to look at, no slower and hardly heavier."""
    ours, theirs = entries[:2]
    name = f"{trial.name}, {OURS} / {SHARP}"
    speed = [
        Goal(
            f"{name}: photos/s, {number} in flight",
            Spread.of_ratios(rates[ours.name, number], rates[theirs.name, number]),
            at_least=1.0,
        )
        for number in IN_FLIGHT
    ]
    weight = [
        Goal(
            f"{name}: bytes {size} px",
            Spread.of([ours.scores[size].kilobytes / theirs.scores[size].kilobytes]),
            at_most=1.03,
        )
        for size in SIZES
    ]
    return [*speed, *weight]


def _trouble(trial: Trial, entries: Sequence[Entry]) -> list[str]:
    """Where nothing was as good to look at, speed and bytes compare nothing."""
    target = entries[1].scores
    return [
        f"{trial.name}, {entry.name}: no quality has sharp's SSIM at {size} px"
        for entry in entries
        for size in SIZES
        if entry.scores[size].ssim < target[size].ssim
    ]
