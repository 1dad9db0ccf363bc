"""The whole job over HTTP: upload a photo, wait for its three variants, fetch them.

Four visitors, and beside them others who ask for the health: the same load for every server. Our
service has a second turn in which users register as well, which counts for their latency alone. The
clients share the cores with the server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench import corpus
from bench.client import Photo
from bench.figures import Spread, percentile
from bench.lineup import CONTESTANTS, IPX, OURS, OURS_TWO, SHARP, THUMBOR, TUTORIAL, Contestant
from bench.load import Load, drive
from bench.memory import Peak, watched
from bench.options import Options, in_turn
from bench.places import scratch
from bench.probe import Felt, Probe, probing
from bench.report import Goal, Section, Table
from bench.servers import Running, running

OURS_BOTH = (OURS, OURS_TWO)
VISITORS = 4
WARM_UP_PASSES = 2
TURN_SECONDS = 8.0
HEALTH_PER_SECOND = 50
USERS = Probe("users", "POST", "/users?email=bench-{n}@example.com", 10)
#: Fewer photos would mostly measure the start and the end of a turn.
PASSES = (3, 15)


@dataclass
class Record:
    """Everything seen of one server, a value a round."""

    rates: list[float] = field(default_factory=list)
    job_ms: list[float] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    felt: list[dict[str, Felt]] = field(default_factory=list)

    def add(self, load: Load, peak: Peak, felt: dict[str, Felt]) -> None:
        self.rates.append(load.per_second)
        self.job_ms.extend(load.job_ms)
        self.peaks.append(peak)
        self.felt.append(felt)

    @property
    def rss(self) -> list[float]:
        return [peak.rss for peak in self.peaks]

    @property
    def pss(self) -> list[float]:
        return [peak.pss for peak in self.peaks]

    @property
    def health_p99s(self) -> list[float]:
        return self.p99s("health")

    def p99s(self, probe: str) -> list[float]:
        """The 99th percentile of one kind of small request, a value a round."""
        return [percentile(felt[probe].ms, 0.99) for felt in self.felt if probe in felt]

    def probe_ms(self, name: str) -> list[float]:
        return [ms for felt in self.felt if name in felt for ms in felt[name].ms]

    def probe_errors(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for felt in self.felt:
            for name, figures in felt.items():
                counts[name] = counts.get(name, 0) + figures.errors
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True)
class Entrant:
    """A contestant that runs and is warm, with the passes that fill a turn."""

    contestant: Contestant
    server: Running
    passes: int


def measure(options: Options) -> Section:
    photos = [Photo.read(file) for file in corpus.photos()]
    trouble: list[str] = []
    with scratch("whole") as folder, ExitStack() as stack:
        entrants = []
        for number, contestant in enumerate(CONTESTANTS):
            try:
                server = stack.enter_context(running(contestant.build(folder / f"server-{number}")))
                entrants.append(_warm(contestant, server, photos, options))
            except Exception as error:
                trouble.append(f"{contestant.name} did not start: {error}")
        records = _rounds(entrants, photos, options, trouble)
    trouble += [
        f"{name}: {count} wrong answers to the {probe} probe"
        for name, record in records.items()
        for probe, count in record.probe_errors().items()
    ]
    return Section("The whole job", _tables(records), _goals(records), trouble)


def _warm(
    contestant: Contestant, server: Running, photos: Sequence[Photo], options: Options
) -> Entrant:
    """Two passes: caches and pools fill, and the speed says how many passes make a turn."""
    drive(server, contestant.protocol, photos, 1, VISITORS)
    load = drive(server, contestant.protocol, photos, WARM_UP_PASSES - 1, VISITORS)
    least, most = PASSES
    fitting = round(TURN_SECONDS * load.per_second / len(photos))
    passes = 1 if options.quick else max(least, min(most, fitting))
    print(f"whole {contestant.name}: warm, {passes} passes a turn", file=sys.stderr)
    return Entrant(contestant, server, passes)


def _rounds(
    entrants: Sequence[Entrant], photos: Sequence[Photo], options: Options, trouble: list[str]
) -> dict[str, Record]:
    """Every server in turn, round after round; one that fails is out, and said to be."""
    records = {entrant.contestant.name: Record() for entrant in entrants}
    for number in range(options.rounds):
        for entrant in in_turn(number, entrants):
            name = entrant.contestant.name
            if name not in records:
                continue
            try:
                _turn(entrant, photos, records[name])
            except Exception as error:
                trouble.append(f"{name} failed in round {number + 1}: {error!r}")
                del records[name]
            else:
                print(f"whole {name}: {records[name].rates[-1]:.2f}/s", file=sys.stderr)
    return records


def _turn(entrant: Entrant, photos: Sequence[Photo], record: Record) -> None:
    server, protocol = entrant.server, entrant.contestant.protocol
    health = Probe("health", "GET", server.health, HEALTH_PER_SECOND)
    with probing(server.port, [health]) as felt, watched(server.pid) as peak:
        load = drive(server, protocol, photos, entrant.passes, VISITORS)
    if entrant.contestant.name in OURS_BOTH:
        with probing(server.port, [health, USERS]) as with_users:
            drive(server, protocol, photos, entrant.passes, VISITORS)
        felt[USERS.name] = with_users[USERS.name]
    record.add(load, peak, felt)
    os.sync()  # let the disk finish: the next turn is not to pay for this one


def _tables(records: dict[str, Record]) -> list[Table]:
    ours = records.get(OURS)
    rows = []
    for name, record in records.items():
        ratio = Spread.of_ratios(ours.rates, record.rates).text() if ours and name != OURS else ""
        jobs = (f"{percentile(record.job_ms, share):.0f}" for share in (0.5, 0.99))
        memory = (f"{max(record.rss):.0f}", f"{max(record.pss):.0f}")
        rows.append((name, Spread.of(record.rates).text(), ratio, *jobs, *memory))
    head = ("server", "photos/s", f"{OURS} / it", "job p50 ms", "job p99 ms")
    caption = f"{VISITORS} visitors, photos of 8–20 megapixels, variants of 1600, 800 and 200 px:"
    main = Table(caption, (*head, "peak RSS, MiB", "peak PSS, MiB"), rows)
    return [main, _probe_table(records)]


def _probe_table(records: dict[str, Record]) -> Table:
    rows = []
    for name, record in records.items():
        for probe in ("health", "users"):
            if ms := record.probe_ms(probe):
                figures = (percentile(ms, 0.5), percentile(ms, 0.99), max(ms))
                rows.append((name, probe, str(len(ms)), *(f"{figure:.1f}" for figure in figures)))
    head = ("server", "request", "times", "p50 ms", "p99 ms", "max ms")
    return Table("Small requests meanwhile, all rounds together:", head, rows)


def _goals(records: dict[str, Record]) -> list[Goal]:
    """Against each peer that took part; its figures and ours are of the same rounds."""
    return [goal for name in OURS_BOTH if name in records for goal in _goals_of(name, records)]


def _goals_of(name: str, records: dict[str, Record]) -> list[Goal]:
    ours = records[name]
    goals = [
        Goal(f"health p99, ms: {name}", Spread.of(ours.health_p99s), at_most=10, digits=1),
        Goal(f"POST /users p99, ms: {name}", Spread.of(ours.p99s("users")), at_most=50, digits=1),
        Goal(f"peak PSS, MiB: {name}", Spread.of(ours.pss), at_most=200, digits=0),
    ]
    for peer, at_least in ((SHARP, 1.0), (IPX, 2.0), (THUMBOR, 4.0), (TUTORIAL, 7.0)):
        if peer in records:
            faster = Spread.of_ratios(ours.rates, records[peer].rates)
            goals.append(Goal(f"photos/s: {name} / {peer}", faster, at_least))
    return goals
