"""Faults of the disk at a chosen call: a library that is preloaded, and the order it takes."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("faults.c")
#: The C struct `order`: countdown, error, lasting, failed, where.
FIELDS = struct.Struct("iiii256s")
_FAILED = struct.Struct("i")


def is_possible() -> bool:
    return shutil.which("gcc") is not None


def build(folder: Path) -> Path:
    """Compile the library into a folder."""
    library = folder / "faults.so"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Werror")
    subprocess.run(["gcc", *flags, "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Faults:
    """The order to one process: given and taken back while it runs."""

    def __init__(self, library: Path, folder: Path) -> None:
        file = folder / "faults"
        file.write_bytes(bytes(FIELDS.size))
        with file.open("r+b") as opened:
            self._order = mmap.mmap(opened.fileno(), FIELDS.size)
        #: What the process must find in its environment.
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_ORDER": str(file)}

    def order(self, number: int, where: str, error: int, *, lasting: bool = False) -> None:
        """Have the `number`-th call from now fail that touches a file with `where` in its path."""
        self.end()
        self._order[:] = FIELDS.pack(0, error, lasting, 0, where.encode())
        self._order[:4] = struct.pack("i", number)  # last: from here on it counts

    def end(self) -> int:
        """No more faults; return how many there were."""
        self._order[:4] = bytes(4)
        failed: int = _FAILED.unpack(self._order[12:16])[0]
        return failed
