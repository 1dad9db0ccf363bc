"""SIGTERM during an upload and at every point of a task's life, with time to drain and without.

What runs is finished or given back, no attempt is spent, and nothing counts as a crash.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.evidence import (
    Start,
    digest,
    numbered,
    query,
    stored,
    timelines,
    unfinished,
    upload,
    wait_for_all,
)
from tests.servers import PATIENCE
from tests.torture.conftest import Enter
from tests.torture.ledger import account
from tests.torture.stops import COMMITTED, MODULE, RUNNING

FINISHED = ("succeeded", 1, 0, None)
WAITING = ("queued", 0, 0, None)
STATE = "SELECT status, attempt, crashes, lease_token FROM tasks"
DONE = ["claimed", "succeeded"]
GIVEN_BACK = ["claimed", "given_back"]


@pytest.mark.parametrize("point", ["received", *COMMITTED])
def test_a_stop_at_each_point_spends_nothing(
    start: Start, photo: bytes, tmp_path: Path, enter: Enter, point: str, number: int
) -> None:
    drain_seconds = 10 * (number % 2)
    first = start(MODULE, f"SIGTERM {point} 1 serve", drain_seconds=drain_seconds)
    data = numbered(photo, number)
    image = upload(first.client, data)  # answered, wherever the stop came
    assert first.process.wait(PATIENCE) == 0
    first.terminate()

    (state,) = query(tmp_path, STATE)
    assert state in (FINISHED, WAITING)
    assert state == FINISHED or not (drain_seconds and point in RUNNING), "drained"
    given_back = timelines(tmp_path).get(image["task_id"]) == GIVEN_BACK
    second = start()
    wait_for_all(tmp_path)
    assert second.terminate() == 0

    assert query(tmp_path, STATE) == [FINISHED]
    expected = [*GIVEN_BACK, *DONE] if given_back else DONE
    assert timelines(tmp_path) == {image["task_id"]: expected}
    assert not unfinished(tmp_path)
    assert stored(tmp_path, "uploads") == {image["id"]}
    enter(f"stop at {point}", account(tmp_path, {image["id"]: digest(data)}))
