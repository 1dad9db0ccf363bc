"""What a scenario found, as Markdown: tables of figures, goals met or not, and what went wrong."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from PIL import features

from bench.figures import Spread
from bench.places import PROJECT

LIBRARIES = ("pillow", "cykooz-resizer", "fastapi", "uvicorn", "uvloop", "python-multipart")


@dataclass(frozen=True)
class Table:
    """A table, with its caption."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def markdown(self) -> str:
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return f"{self.caption}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Goal:
    """A figure and what it has to be: at least the target, or at most."""

    what: str
    figure: Spread
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 2

    @property
    def is_met(self) -> bool:
        """By the median, as it is printed."""
        figure = round(self.figure.median, self.digits)
        low_enough = self.at_most is None or figure <= self.at_most
        return low_enough and (self.at_least is None or figure >= self.at_least)

    def row(self) -> tuple[str, ...]:
        target = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        return self.what, self.figure.text(self.digits), target, "yes" if self.is_met else "**no**"


@dataclass(frozen=True)
class Section:
    """A scenario's part of the report. Trouble comes first: it may make the rest worthless."""

    title: str
    tables: Sequence[Table]
    goals: Sequence[Goal]
    trouble: Sequence[str] = field(default_factory=tuple)

    def markdown(self) -> str:
        parts = [f"## {self.title}"]
        if self.trouble:
            parts += ["**Something went wrong; mind it before quoting anything below:**"]
            parts += ["\n".join(f"- {line}" for line in self.trouble)]
        head = ("what", "figure [lowest–highest]", "target", "met")
        parts += [table.markdown() for table in self.tables if table.rows]
        if self.goals:
            parts += [Table("Goals:", head, [goal.row() for goal in self.goals]).markdown()]
        return "\n\n".join(parts)


def write(sections: Sequence[Section], how: str, load: float, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    parts = ["# Measured", _circumstances(how, load), *(section.markdown() for section in sections)]
    file.write_text("\n\n".join(parts) + "\n")


def _circumstances(how: str, load: float) -> str:
    now = datetime.datetime.now(datetime.UTC)
    revision = _output("git", "rev-parse", "--short", "HEAD")
    libraries = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    return "\n".join(
        (
            f"- {now:%Y-%m-%d %H:%M} UTC, {how}, revision {revision}",
            f"- {_cpu()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, {platform.system()} "
            f"{platform.release()}, load {load:.1f} in the minute before",
            f"- Python {platform.python_version()}, {libraries}, libjpeg-turbo "
            f"{features.version('libjpeg_turbo')}",
            f"- Node {_output('node', '--version')}; the peers' versions are in `bench/peers/`",
        )
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20)
    except OSError:
        return "absent"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _cpu() -> str:
    if sys.platform == "linux":
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
