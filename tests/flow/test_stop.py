"""SIGTERM: what runs is finished or given back, what was acknowledged is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.flow.evidence import (
    Start,
    happened,
    query,
    statuses,
    timelines,
    upload,
    uploading,
    wait_for_all,
)
from tests.flow.failing import HOLD, MODULE
from tests.pictures import picture_bytes
from tests.servers import PATIENCE, finished, until

DONE = ["claimed", "succeeded"]
ROOT = Path(__file__).parents[2]
#: What a task is once the process has stopped: status, attempts spent, crashes counted, its lease.
FINISHED = ("succeeded", 1, 0, None)
WAITING = ("queued", 0, 0, None)
STATE = "SELECT status, attempt, crashes, lease_token FROM tasks"


def test_sigterm_under_load_finishes_what_runs_and_keeps_the_rest(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    first = start(threads=1, drain_seconds=10)
    with uploading(first.url, photo) as promised:
        until(lambda: {"succeeded", "running", "queued"} <= set(statuses(tmp_path)), "load")
        until(lambda: statuses(tmp_path)["queued"] > 3, "a backlog")
        assert first.terminate(patience=10) == 0

    assert set(query(tmp_path, STATE)) == {FINISHED, WAITING}
    assert set(map(tuple, timelines(tmp_path).values())) == {tuple(DONE)}, "drained, not given back"
    assert set(query(tmp_path, "SELECT id FROM images")) >= set(promised)

    second = start()
    wait_for_all(tmp_path)
    for image_id in promised:
        assert second.client.get(f"/images/{image_id}").json()["status"] == "ready"
    assert second.terminate() == 0
    assert set(query(tmp_path, STATE)) == {FINISHED}
    assert all(line == DONE for line in timelines(tmp_path).values())


def test_a_stop_without_time_to_drain_gives_running_tasks_back_unspent(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / HOLD).touch()
    first = start(MODULE, threads=1, drain_seconds=0)
    images = [upload(first.client, picture_bytes()) for _ in range(3)]
    until(lambda: statuses(tmp_path)["running"] == 2, "both places taken")
    assert first.terminate(patience=10) == 0

    assert query(tmp_path, STATE) == [WAITING] * 3
    assert list(timelines(tmp_path).values()) == [["claimed", "given_back"]] * 2

    (tmp_path / HOLD).unlink()
    second = start(MODULE)
    for image in images:
        finished(second.client, f"/images/{image['id']}", ("ready",))
    given_back = second.client.get(f"/tasks/{images[0]['task_id']}").json()
    assert happened(given_back) == ["enqueued", "claimed", "given_back", "claimed", "succeeded"]
    assert given_back["attempt"] == 1


STOPPED_EARLY = """
import os, signal
from service import cli, server

class Server(server._Server):
    def run(self, sockets):
        os.kill(os.getpid(), signal.SIGTERM)
        super().run(sockets)

server._Server = Server
cli.cli(["serve"])
"""


def test_a_stop_that_comes_before_the_server_listens_for_it_is_heard(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STOPPED_EARLY],
        cwd=tmp_path,
        env={**os.environ, "PIXMILL_PORT": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)
    assert "stopped" in ended.stderr
