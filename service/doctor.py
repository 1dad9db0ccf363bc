"""What `pixmill doctor` looks at: is this installation fit to serve?"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import features
from sqlalchemy.exc import DBAPIError

from service.config import Settings
from service.database import backend_of, open_engine, without_password
from service.imaging import has_decoder
from service.notifiers import open_notifiers
from service.presets import read_presets

CODECS = ("jpg", "zlib", "webp", "avif", "libtiff", "littlecms2")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed but that missing folders are made."""
    return [
        _try("uploads", lambda: _writable(settings.uploads)),
        _try("processed", lambda: _writable(settings.processed)),
        _try("database", lambda: _database(settings.database_url)),
        _try("presets", lambda: ", ".join(read_presets(settings.presets))),
        _try("channels", lambda: ", ".join(open_notifiers(settings))),
        *(_codec(name) for name in CODECS),
        *([_heic()] if "heic" in settings.formats else []),
        Finding("fast resampling", True, _resampler()),
        Finding("threads for pixels", True, str(settings.pixel_threads)),
    ]


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (OSError, ValueError) as error:
        return Finding(what, False, str(error))
    except DBAPIError as error:
        return Finding(what, False, str(error.orig))


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x")
        os.fsync(file.fileno())
    disk = os.statvfs(folder)
    return f"{folder.resolve()} is writable, {disk.f_bavail * disk.f_frsize // 2**20:,} MiB free"


def _database(url: str) -> str:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return f"{without_password(url)}, {backend_of(url).describe(connection)}"
    finally:
        engine.dispose()


def _resampler() -> str:
    found = importlib.util.find_spec("cykooz_resizer")
    return "cykooz-resizer" if found else "not on this platform: Pillow's own, slower"


def _heic() -> Finding:
    found = has_decoder("heic")
    return Finding("codec heic", found, "there" if found else "missing: the extra heic has it")


def _codec(name: str) -> Finding:
    found = features.check(name)
    version = features.version(name) if found else None
    return Finding(f"codec {name}", bool(found), version or ("there" if found else "missing"))
