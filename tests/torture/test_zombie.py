"""A worker that is stopped for longer than its lease comes back late: its result is refused."""

from __future__ import annotations

import re
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.database.turn import Turn
from tests.flow.evidence import Start, digest, numbered, query, timelines, upload, wait_for_all
from tests.pictures import picture_bytes
from tests.servers import Process, until
from tests.torture.conftest import Enter
from tests.torture.ledger import account, stored_files
from tests.torture.stops import MODULE, RUNNING

RESCUED = ["claimed", "rescued", "claimed", "succeeded"]
#: So short that the second process need not wait long for the lease to run out, in seconds.
LEASE = 0.5
#: The file that says that the process waits at its point.
HERE = "SIGSTOP"
REFUSED = 'pixmill_task_attempts_total{kind="image.process",outcome="lease_lost"} 1.0'


@pytest.mark.parametrize("point", RUNNING)
def test_what_a_zombie_brings_is_refused(
    start: Start, tmp_path: Path, enter: Enter, point: str, number: int
) -> None:
    zombie = start(MODULE, f"SIGSTOP {point} 1 serve", lease_seconds=LEASE)
    data = numbered(picture_bytes(), number)
    image = upload(zombie.client, data)
    stop_outside_a_transaction(zombie)

    second = start(lease_seconds=LEASE)
    wait_for_all(tmp_path)
    theirs = everything(tmp_path)
    assert workers(tmp_path) == [zombie.process.pid, second.process.pid]
    (tmp_path / HERE).unlink()
    zombie.process.send_signal(signal.SIGCONT)
    until(lambda: REFUSED in zombie.client.get("/metrics").text, "the refusal")

    assert everything(tmp_path) == theirs
    assert timelines(tmp_path) == {image["task_id"]: RESCUED}
    assert zombie.client.get(f"/images/{image['id']}").json()["status"] == "ready"
    assert zombie.terminate() == second.terminate() == 0
    enter(f"zombie from {point}", account(tmp_path, {image["id"]: digest(data)}))


def stop_outside_a_transaction(process: Process) -> None:
    """Stop it where it waits, while it is not its turn to write: it holds nobody up."""
    until((process.folder / HERE).exists, "the point")
    turn = Turn(process.folder / "pixmill.db.turn")
    with closing(turn), turn:
        process.process.send_signal(signal.SIGSTOP)
        until(lambda: state(process) == "T", "the stop")


def state(process: Process) -> str:
    """The letter that the system has for what a process does; T: stopped."""
    stat = Path(f"/proc/{process.process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def everything(folder: Path) -> tuple[Any, ...]:
    """All that rows and files say of images and tasks."""
    rows = [query(folder, f"SELECT * FROM {name}") for name in ("images", "variants", "tasks")]
    files = {
        key: digest(path.read_bytes())
        for store in ("uploads", "processed")
        for key, path in stored_files(folder, store).items()
    }
    return (*rows, files)


def workers(folder: Path) -> list[int]:
    """The ids of the processes that claimed tasks, in that order."""
    claims = query(folder, "SELECT detail FROM task_events WHERE kind = 'claimed' ORDER BY id")
    found = [re.search(r"-(\d+)-\w{8}\b", str(claim)) for claim in claims]
    return [int(one[1]) for one in found if one]
