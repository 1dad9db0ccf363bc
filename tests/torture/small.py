"""The real command line with a folder on a small disk of its own, which nobody else can see.

Run as `python -m tests.torture.small uploads 4m serve`: the folder is relative to the process's.
From outside it is seen through the process: below `/proc/<pid>/root`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULE = "tests.torture.small"
#: Mounts are seen in a namespace of their own; without root, in one where we are root.
UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
PAGE = bytes(4096)
FILLER = "filler"


def with_disk(folder: Path, size: str, *command: str) -> list[str]:
    """A command line that runs `command` with an empty disk of that size at `folder`."""
    return [*UNSHARE, "sh", "-c", MOUNT, "sh", size, str(folder), *command]


def is_possible() -> bool:
    """Whether this machine lets us mount."""
    try:
        tried = subprocess.run(with_disk(Path("/tmp"), "1m", "true"), capture_output=True)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def fill(folder: Path, spare_pages: int) -> None:
    """Leave no more room on the folder's disk than that many pages."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        pages = 0
        try:
            while file.write(PAGE) == len(PAGE):
                pages += 1
        except OSError:
            file.truncate((pages - spare_pages) * len(PAGE))


def main() -> None:
    folder, size, *rest = sys.argv[1:]
    Path(folder).mkdir(exist_ok=True)
    command = with_disk(Path(folder), size, sys.executable, "-m", "service", *rest)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
