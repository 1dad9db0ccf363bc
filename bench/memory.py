"""Peak memory of a process and its children, from /proc.

RSS counts a page once in every process that maps it, PSS shares it out. A process keeps its own
highest RSS, so a single one is measured exactly; a sum over several is sampled. The page cache
belongs to nobody and is in neither.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
PAGE = os.sysconf("SC_PAGE_SIZE")
RSS_SECONDS = 0.02
# Reading PSS walks the page tables with the process's memory lock held, so it is read seldom.
PSS_EVERY = 15


@dataclass
class Peak:
    """The highest sums seen so far, in MiB."""

    rss: float = 0.0
    pss: float = 0.0


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Watch the process tree while the body runs."""
    peak, stop = Peak(), threading.Event()
    _forget_peak(pid)
    watcher = threading.Thread(target=_watch, args=(pid, peak, stop), daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()
        peak.rss = max(peak.rss, _field(pid, "status", "VmHWM") / MIB)


def _watch(pid: int, peak: Peak, stop: threading.Event) -> None:
    turn = 0
    while not stop.is_set():
        tree = _tree(pid)
        peak.rss = max(peak.rss, sum(map(_rss, tree)) / MIB)
        if turn % PSS_EVERY == 0:
            pss = sum(_field(member, "smaps_rollup", "Pss") for member in tree)
            peak.pss = max(peak.pss, pss / MIB)
        turn += 1
        time.sleep(RSS_SECONDS)


def _forget_peak(pid: int) -> None:
    """Start the kernel's own record of the highest RSS anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _tree(pid: int) -> list[int]:
    try:
        lists = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for each in lists for child in each.read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _tree(child))]


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def _field(pid: int, file: str, name: str) -> int:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
