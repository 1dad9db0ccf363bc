"""The page's files, read once: bytes, media type and ETag of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
#: The document that every view of the page begins with.
PAGE = "page.html"

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class StaticFile:
    """One file as it is sent."""

    content: bytes
    media_type: str
    etag: str


def read_files() -> Mapping[str, StaticFile]:
    """All files below the folder, by their path in it."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.suffix in _MEDIA_TYPES)
    return {path.relative_to(FOLDER).as_posix(): _read(path) for path in paths}


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return StaticFile(content, _MEDIA_TYPES[path.suffix], f'"{digest}"')
