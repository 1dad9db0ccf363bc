"""The system calls of a running process, as strace writes them, each with its begin and its end."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import PATIENCE, Process, until

#: What is asked of the disk, and what may carry an answer.
TRACED = "fsync,fdatasync,rename,renameat,renameat2,pwrite64,write,writev,sendto,sendmsg"
#: How much of each string is shown, in bytes: an answer's head must fit.
SHOWN_BYTES = 600

_LINE = re.compile(r"^(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
_UNFINISHED = "<unfinished ...>"


@dataclass
class Call:
    """One call: its name, its arguments and result as text, and the lines it began and ended at."""

    name: str
    text: str
    began: int
    ended: int


@contextmanager
def traced(process: Process) -> Iterator[list[Call]]:
    """Follow all threads of a process; the list is filled at the end."""
    log = process.folder / "strace"
    command = ["strace", "-f", "-y", "-s", str(SHOWN_BYTES), "-e", f"trace={TRACED}"]
    with (process.folder / "strace.log").open("wb") as said:
        tracer = subprocess.Popen(
            [*command, "-o", str(log), "-p", str(process.process.pid)], stderr=said
        )
        until(lambda: _is_attached(process, tracer), "strace at work")
        calls: list[Call] = []
        yield calls
        tracer.terminate()
        tracer.wait(PATIENCE)
    calls += read(log)


def is_there() -> bool:
    return shutil.which("strace") is not None


def read(log: Path) -> list[Call]:
    """The finished calls of a log, in the order they began."""
    begun: dict[str, Call] = {}
    calls = []
    for at, line in enumerate(log.read_text(errors="replace").splitlines()):
        if not (found := _LINE.match(line)):
            continue
        thread, name, text, resumed, rest = found.groups()
        if resumed:
            call = begun.pop(thread)
            call.text, call.ended = call.text + rest, at
            continue
        call = Call(name, text.removesuffix(_UNFINISHED), at, at)
        calls.append(call)
        if text.endswith(_UNFINISHED):
            begun[thread] = call
    return [call for call in calls if call not in begun.values()]


def _is_attached(process: Process, tracer: subprocess.Popen[bytes]) -> bool:
    """Whether every thread has its tracer."""
    assert tracer.poll() is None, (process.folder / "strace.log").read_text()
    statuses = Path(f"/proc/{process.process.pid}/task").glob("*/status")
    return all(f"TracerPid:\t{tracer.pid}\n" in status.read_text() for status in statuses)
