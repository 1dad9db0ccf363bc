"""kill -9 at every point of an upload's and a task's life.

Before the commit nothing remains. After it nothing is lost, nothing is done twice, and every
stored byte is that of its row's digest.
"""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from service.config import MIB
from tests.flow.evidence import (
    Start,
    digest,
    let_a_day_pass,
    numbered,
    query,
    stored,
    timelines,
    unfinished,
    upload,
    uploading,
    wait_for_all,
)
from tests.pictures import picture_bytes
from tests.servers import PATIENCE, Process, until
from tests.torture.conftest import Enter
from tests.torture.ledger import account
from tests.torture.stops import COMMITTED, MODULE, POINTS, RUNNING

DONE = ["claimed", "succeeded"]
RESCUED = ["claimed", "rescued", "claimed", "succeeded"]
#: No engine looks by itself while the process that will die lives: it waits for the nudge.
NEVER = 600


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_point_it_keeps_its_promises(
    start: Start, photo: bytes, tmp_path: Path, enter: Enter, point: str, number: int
) -> None:
    """By turns one upload alone, where all is foreseen, and one in a crowd."""
    if (number + list(POINTS).index(point)) % 2:
        promised, caught = among_many_uploads(start, photo, tmp_path, point, number)
    else:
        promised, caught = during_one_upload(start, photo, tmp_path, point, number)
    recover(start, tmp_path)

    tasks = query(tmp_path, "SELECT id FROM tasks")
    assert timelines(tmp_path) == {task: RESCUED if task in caught else DONE for task in tasks}
    enter(f"kill at {point}", account(tmp_path, promised))


def during_one_upload(
    start: Start, photo: bytes, folder: Path, point: str, number: int
) -> tuple[dict[str, str], set[str]]:
    """Die at the first arrival; return what was promised and the tasks that ran."""
    data = numbered(picture_bytes() if number % 4 else photo, number)
    victim = start(MODULE, f"SIGKILL {point} 1 serve", upload_buffer_bytes=MIB, poll_seconds=NEVER)
    promised = promise(victim, data)
    killed(victim)

    assert len(query(folder, "SELECT id FROM images")) == int(point in COMMITTED)
    assert len(query(folder, "SELECT id FROM tasks")) == int(point in COMMITTED)
    if point in ("renamed", "written"):
        assert stored(folder, "uploads"), "a file that no row knows"
    elif point == "fsynced":
        assert unfinished(folder), "a part without a name"
    caught = set(query(folder, "SELECT id FROM tasks WHERE status = 'running'"))
    assert bool(caught) == (point in RUNNING)
    return promised, caught


def among_many_uploads(
    start: Start, photo: bytes, folder: Path, point: str, number: int
) -> tuple[dict[str, str], set[str]]:
    """Die at a later arrival, others under way; return what was promised and the tasks that ran."""
    data = picture_bytes() if number % 4 else photo
    victim = start(MODULE, f"SIGKILL {point} {3 + number} serve", upload_buffer_bytes=MIB)
    with uploading(victim.url, data) as promised:
        victim.process.wait(PATIENCE)
    killed(victim)
    return promised, set(query(folder, "SELECT id FROM tasks WHERE status = 'running'"))


def promise(process: Process, data: bytes) -> dict[str, str]:
    """Upload, and return the digest of what was acknowledged by its id, if it was."""
    try:
        return {upload(process.client, data)["id"]: digest(data)}
    except httpx.TransportError:
        return {}


def killed(process: Process) -> None:
    assert process.process.wait(PATIENCE) == -signal.SIGKILL
    assert (process.folder / "SIGKILL").exists(), "it was itself that did it, at the point"
    process.kill()  # closes what we hold of it


def recover(start: Start, folder: Path) -> None:
    """Let a day pass, start anew, wait until all is done and swept, and stop."""
    let_a_day_pass(folder)
    second = start()
    wait_for_all(folder)
    until(lambda: not unfinished(folder), "the sweep of parts")
    known = set(query(folder, "SELECT id FROM images"))
    until(lambda: stored(folder, "uploads") <= known, "the sweep of files without a row")
    assert second.terminate() == 0
