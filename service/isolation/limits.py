"""What a child may use, set by itself before it sees anything foreign. Linux; less elsewhere."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

#: Files a child may have open: its connection, the picture, and what libraries open for a moment.
OPEN_FILES = 64
NICENESS = 10
#: Where memory runs out on the whole machine, the system ends children before anything else.
OOM_SCORE = 1000
#: Source: prctl(2).
PR_SET_PDEATHSIG = 1
#: Source: malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
#: The largest that glibc takes, and how large an idle child may be.
MMAP_THRESHOLD_BYTES = 32 * 1024 * 1024
KEPT_BYTES = 128 * 1024 * 1024
#: Columns of /proc/self/statm, see proc(5).
ADDRESSED, RESIDENT = 0, 1


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the system send this process a signal when its parent is gone, however that ended.

    Linux only: elsewhere a child ends when it next finds its connection closed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def be_modest() -> None:
    """Yield to the parent: its requests come first, and its memory is spared."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def keep_memory(kept_bytes: int = KEPT_BYTES) -> None:
    """Have the C library keep up to `kept_bytes` of freed memory for the next picture.

    By default it gives each large block back at once, and has the system clear every page of the
    next one anew. Source: mallopt(3), glibc only.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, kept_bytes)


def give_back_memory() -> None:
    """Return to the system what was kept of a very large picture."""
    with suppress(OSError, AttributeError):
        if _pages(RESIDENT) * resource.getpagesize() > KEPT_BYTES:
            gc.collect()  # pictures lie in cycles with their files
            ctypes.CDLL(None).malloc_trim(0)


def bound(memory_bytes: int) -> None:
    """Bound memory to what there is now and `memory_bytes` more, files, and core dumps."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, memory_bytes)  # files in memory are not address space
    with suppress(OSError):
        _limit(resource.RLIMIT_AS, _pages(ADDRESSED) * resource.getpagesize() + memory_bytes)


def allow_cpu(seconds: float | None) -> None:
    """Let the system end this process once it has used its cores for `seconds` more.

    The net below the parent's own clock. A decoder with threads may use several cores at once.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = resource.RLIM_INFINITY
    if seconds is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        cores = os.cpu_count() or 1
        soft = math.ceil(used.ru_utime + used.ru_stime + seconds * cores) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (_lower(soft, hard), hard))


def _pages(column: int) -> int:
    return int(Path("/proc/self/statm").read_text().split()[column])


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    value = _lower(value, hard)
    resource.setrlimit(what, (value, value))


def _lower(soft: int, hard: int) -> int:
    if soft == resource.RLIM_INFINITY or hard == resource.RLIM_INFINITY:
        return hard if soft == resource.RLIM_INFINITY else soft
    return min(soft, hard)
