"""Where things are. All that the bench fetches, installs or writes by itself is in one folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BENCH = Path(__file__).resolve().parent
PROJECT = BENCH.parent
PEERS = BENCH / "peers"
CACHE = BENCH / ".cache"
RESULTS = BENCH / "results"

FETCH_SECONDS = 900


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A new folder on the disk of the checkout, gone afterwards with all in it."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"run-{name}-", dir=CACHE))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """Run a command of the preparation to its end; what it wrote is the message if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=FETCH_SECONDS)
    if done.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"`{words}` failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout
