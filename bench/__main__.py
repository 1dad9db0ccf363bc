"""python -m bench [SCENARIO …] [--rounds N] [--quick]"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys

from bench import report
from bench.options import Options
from bench.places import RESULTS

SCENARIOS = (
    *("upload", "whole", "quality", "inprocess", "formats", "stages", "operations"),
    *("tasks", "engines", "requests", "recovery", "dashboard", "crowd"),
)
#: Load of the minute before the start above which somebody else is using the machine.
BUSY = 0.3


def main() -> int:
    """Measure, print and record; 1 if anything went wrong, 0 even if a goal was missed."""
    given = _arguments()
    options = Options(rounds=1 if given.quick else given.rounds, quick=given.quick)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    load, _, _ = os.getloadavg()
    if load > BUSY:
        print(f"note: the machine is busy (load {load:.1f}): do not quote this", file=sys.stderr)
    sections = []
    for name in given.scenarios or SCENARIOS:
        section = _measure(name, options)
        print(section.markdown(), end="\n\n", flush=True)
        sections.append(section)
    if not options.quick:
        report.write(sections, f"{options.rounds} rounds", load, RESULTS / "latest.md")
    return int(any(section.trouble for section in sections))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Pixmill beside its peers.")
    names = ", ".join(SCENARIOS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"{names}; none: all")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one short round; nothing is recorded")
    given = parser.parse_args()
    if unknown := set(given.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {names}")
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return given


def _measure(name: str, options: Options) -> report.Section:
    """One scenario that cannot run must not take the others' figures with it."""
    try:
        section: report.Section = importlib.import_module(f"bench.scenarios.{name}").measure(
            options
        )
        return section
    except Exception as error:
        return report.Section(name, (), (), (f"it did not run: {error}",))


def _leave(number: int, _: object) -> None:
    """End through the `finally` blocks, which end the servers."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
