"""What comes from Debian: photographs, and two tools where the machine lacks them.

Packages are downloaded with the machine's own apt and unpacked beside the bench, never installed,
so no root is needed and nothing outside the cache changes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from bench.places import CACHE, run

#: The package of a tool, and those of the libraries it loads.
TOOL_PACKAGES = {
    "wrk": ("wrk", "libluajit-5.1-2"),
    "jpegtran": ("libjpeg-turbo-progs", "libjpeg62-turbo"),
}


@dataclass(frozen=True)
class Tool:
    """A program, and the environment it needs to find its libraries."""

    path: str
    env: dict[str, str] = field(default_factory=dict)


def unpack(package: str, folder: Path) -> Path:
    """Download one package and unpack it into a folder of its own."""
    target = folder / package
    target.mkdir(parents=True, exist_ok=True)
    run(["apt-get", "download", "-q", package], cwd=target)
    (archive,) = target.glob("*.deb")
    run(["dpkg-deb", "-x", archive, target])
    archive.unlink()
    return target


def tool(name: str) -> Tool:
    """The machine's own tool, or else Debian's, fetched once."""
    if found := shutil.which(name):
        return Tool(found)
    folder = CACHE / "tools" / name
    program = folder / TOOL_PACKAGES[name][0] / "usr" / "bin" / name
    if not program.exists():
        for package in TOOL_PACKAGES[name]:
            unpack(package, folder)
    libraries = sorted({str(path.parent) for path in folder.rglob("*.so*")})
    return Tool(str(program), {"LD_LIBRARY_PATH": os.pathsep.join(libraries)})
