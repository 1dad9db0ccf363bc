"""A worker that is stopped for longer than its lease comes back late: its result is refused."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.flow.evidence import Start, digest, numbered, query, timelines, upload, wait_for_all
from tests.pictures import picture_bytes
from tests.servers import suspend, until
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
    until((tmp_path / HERE).exists, "the point")
    suspend(zombie)

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
