"""What `pixmill doctor` looks at: is this installation fit to serve?"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import features
from sqlalchemy import make_url

from service.config import Settings
from service.notifiers import open_notifiers
from service.runtime import read_presets

CODECS = ("jpg", "zlib", "webp", "avif", "libtiff", "littlecms2")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed but that missing folders are made."""
    database = Path(make_url(settings.database_url).database or ".")
    return [
        _try("uploads", lambda: _writable(settings.uploads)),
        _try("processed", lambda: _writable(settings.processed)),
        _try("database", lambda: _database(database)),
        _try("presets", lambda: ", ".join(read_presets(settings.presets))),
        _try("channels", lambda: ", ".join(open_notifiers(settings))),
        *(_codec(name) for name in CODECS),
        Finding("fast resampling", True, _resampler()),
        Finding("threads for pixels", True, str(settings.pixel_threads)),
    ]


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (OSError, ValueError, sqlite3.Error) as error:
        return Finding(what, False, str(error))


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x")
        os.fsync(file.fileno())
    disk = os.statvfs(folder)
    return f"{folder.resolve()} is writable, {disk.f_bavail * disk.f_frsize // 2**20:,} MiB free"


def _database(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        (intact,) = connection.execute("PRAGMA quick_check").fetchone()
    finally:
        connection.close()
    return f"{path}, SQLite {sqlite3.sqlite_version}, journal {mode}, check {intact}"


def _resampler() -> str:
    found = importlib.util.find_spec("cykooz_resizer")
    return "cykooz-resizer" if found else "not on this platform: Pillow's own, slower"


def _codec(name: str) -> Finding:
    found = features.check(name)
    version = features.version(name) if found else None
    return Finding(f"codec {name}", bool(found), version or ("there" if found else "missing"))
