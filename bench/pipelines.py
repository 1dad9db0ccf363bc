"""Pipelines without a service around them: Python's in threads, sharp in a process of Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from bench import installs


def in_threads(work: Callable[[Path], None], photos: Sequence[Path], threads: int) -> float:
    """The seconds that so many threads take for all photos."""
    start = perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, photos))
    return perf_counter() - start


@dataclass(frozen=True)
class Sharp:
    """A process with sharp in it."""

    process: subprocess.Popen[str]

    def make(
        self,
        photos: Sequence[Path],
        variants: Sequence[Mapping[str, Any]],
        in_flight: int,
        folder: Path | None = None,
    ) -> float:
        """The seconds of a pass: variants of `size`, `format` and `options`, largest first.

        In `folder`, if there is one, the files are kept as `<photo>-<size>`.
        """
        assert self.process.stdin
        assert self.process.stdout
        wanted = {"photos": photos, "variants": variants, "inFlight": in_flight, "folder": folder}
        self.process.stdin.write(f"{json.dumps(wanted, default=str)}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


@contextmanager
def sharp(threads: int) -> Iterator[Sharp]:
    """Sharp with so many threads, each of which makes one picture at a time."""
    command = ["node", str(installs.node() / "sharp_inprocess.mjs"), str(threads)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    try:
        yield Sharp(process)
    finally:
        process.kill()
        process.wait()
