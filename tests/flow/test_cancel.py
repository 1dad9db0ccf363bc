"""A running task is cancelled: in its own process at once, in another one soon, and for good."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ON_SQLITE
from tests.flow.evidence import Start, happened, rows_held, statuses, upload
from tests.flow.failing import HOLD, MODULE
from tests.pictures import picture_bytes
from tests.servers import Process, finished, suspend, until

SOON = 2.0
#: Steps that each take a moment: a thread is busy with one variant for longer than SOON.
STEPS = [{"op": "blur", "radius": 20}] * 16
ONE_SLOW = {"variants": [{"name": "v", "operations": STEPS, "format": "jpeg"}]}
FOUR_SLOW = {"variants": [{"name": f"v{n}", "operations": STEPS} for n in range(4)]}


def cancel(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """Ask for a running task's end and return its document, once it has come."""
    began = time.monotonic()
    answer = client.post(f"/tasks/{task_id}/cancel")
    assert answer.status_code == 202, answer.text
    assert answer.json()["cancel_requested_at"] is not None
    task = finished(client, f"/tasks/{task_id}", ("cancelled", "succeeded", "failed"))
    assert time.monotonic() - began < SOON
    return task


def running(folder: Path) -> None:
    until(lambda: statuses(folder)["running"], "a task at work")


@pytest.mark.parametrize("asked", ["its own process", "another process"])
def test_a_running_task_is_cancelled(start: Start, tmp_path: Path, asked: str) -> None:
    (tmp_path / HOLD).touch()
    worker = start(MODULE, threads=1)
    face = worker if asked == "its own process" else start(engine="none")
    image = upload(face.client, picture_bytes())
    running(tmp_path)

    task = cancel(face.client, image["task_id"])

    assert task["status"] == "cancelled"
    assert happened(task) == ["enqueued", "claimed", "cancel_requested", "cancelled"]
    found = face.client.get(f"/images/{image['id']}").json()
    assert (found["status"], found["error"]["code"]) == ("failed", "cancelled")
    (tmp_path / HOLD).unlink()
    again = worker.client.post(f"/tasks/{image['task_id']}/retry").json()
    assert again["cancel_requested_at"] is None
    finished(worker.client, f"/images/{image['id']}", ("ready",))


@ON_SQLITE
def test_a_thread_stops_between_two_steps_of_a_variant(start: Start) -> None:
    process = start(threads=1)
    image = upload(process.client, picture_bytes(size=(3200, 2400)), preset="none")
    finished(process.client, f"/images/{image['id']}", ("ready",))
    answer = process.client.post(f"/images/{image['id']}/process", json={"pipeline": ONE_SLOW})
    task_id = answer.raise_for_status().json()["task_id"]
    until(lambda: metric(process, "worker_threads_busy") == 1, "the thread at work")

    assert cancel(process.client, task_id)["status"] == "cancelled"

    until(lambda: metric(process, "worker_threads_busy") == 0, "the thread's end", patience=SOON)


def test_a_worker_that_dies_after_it_was_asked_leaves_nothing_to_run(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / HOLD).touch()
    worker, face = start(MODULE, threads=1), start(engine="none")
    image = upload(worker.client, picture_bytes())
    running(tmp_path)
    with rows_held(tmp_path):
        suspend(worker)  # it cannot hear
    face.client.post(f"/tasks/{image['task_id']}/cancel").raise_for_status()
    worker.kill()

    survivor = start(MODULE)

    task = finished(survivor.client, f"/tasks/{image['task_id']}", ("cancelled", "succeeded"))
    assert happened(task) == ["enqueued", "claimed", "cancel_requested", "cancelled"]


def test_an_image_that_is_deleted_takes_its_running_task_along(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / HOLD).touch()
    process = start(MODULE, threads=1)
    image = upload(process.client, picture_bytes())
    running(tmp_path)

    process.client.delete(f"/images/{image['id']}").raise_for_status()

    task = finished(process.client, f"/tasks/{image['task_id']}", ("cancelled", "failed"))
    assert task["status"] == "cancelled"


def test_a_task_tells_its_progress_variant_by_variant(start: Start) -> None:
    process = start(threads=1)
    image = upload(process.client, picture_bytes(size=(1200, 900)), preset="none")
    answer = process.client.post(f"/images/{image['id']}/process", json={"pipeline": FOUR_SLOW})
    task_id = answer.raise_for_status().json()["task_id"]

    seen = until(lambda: part(process, task_id), "some progress")

    assert seen in (0.25, 0.5, 0.75)
    done = finished(process.client, f"/tasks/{task_id}", ("succeeded",))
    assert done["progress"] == 1


def part(process: Process, task_id: str) -> float | None:
    """How far a running task is, once it has said so."""
    task = process.client.get(f"/tasks/{task_id}").json()
    assert task["status"] in ("queued", "running"), "it ended without having said how far it was"
    progress: float = task["progress"]
    return progress or None


@ON_SQLITE
def test_a_time_limit_of_no_kind_ends_the_start(start: Start) -> None:
    with pytest.raises(AssertionError, match="PIXMILL_TIME_LIMITS names the kind 'nix'"):
        start(time_limits="nix=5")


def metric(process: Process, series: str) -> float:
    text = process.client.get("/metrics").text
    return float(text.split(f"\npixmill_{series} ", 1)[1].split("\n", 1)[0])
