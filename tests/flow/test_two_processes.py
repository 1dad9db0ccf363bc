"""Several processes on one database and one folder."""

from __future__ import annotations

from pathlib import Path

from tests.flow.evidence import Start, statuses, timelines, upload, wait_for_all
from tests.flow.failing import HOLD, MODULE
from tests.pictures import picture_bytes
from tests.servers import Process, finished, until

DONE = ["claimed", "succeeded"]
RESCUED = ["claimed", "rescued", "claimed", "succeeded"]


def test_the_death_of_one_process_disturbs_only_its_own_tasks(start: Start, tmp_path: Path) -> None:
    (tmp_path / HOLD).touch()
    survivor, victim = (start(MODULE, threads=1, poll_seconds=0.02) for _ in range(2))
    sent = [upload(survivor.client, picture_bytes())["task_id"] for _ in range(4)]
    until(lambda: statuses(tmp_path)["running"] == 4, "both processes at work")
    theirs = {task_id for task_id in sent if worked_by(survivor, task_id) == [victim.process.pid]}
    assert len(theirs) == 2, "each process has two places"

    victim.kill()
    until(lambda: statuses(tmp_path)["queued"] == 2, "the rescue")
    (tmp_path / HOLD).unlink()
    wait_for_all(tmp_path)

    for task_id in sent:
        task = finished(survivor.client, f"/tasks/{task_id}", ("succeeded", "failed"))
        assert (task["status"], task["attempt"]) == ("succeeded", 1)
    assert timelines(tmp_path) == {
        task_id: RESCUED if task_id in theirs else DONE for task_id in sent
    }


def test_processes_share_a_backlog_and_no_task_is_run_twice(start: Start, tmp_path: Path) -> None:
    (tmp_path / HOLD).touch()
    one, other = (start(MODULE, threads=1, poll_seconds=0.02) for _ in range(2))
    sent = [upload(one.client, picture_bytes())["task_id"] for _ in range(24)]
    until(lambda: statuses(tmp_path)["running"] == 4, "both processes at work")
    (tmp_path / HOLD).unlink()
    wait_for_all(tmp_path)

    assert timelines(tmp_path) == dict.fromkeys(sent, DONE)
    workers = {pid for task_id in sent for pid in worked_by(one, task_id)}
    assert workers == {one.process.pid, other.process.pid}


def test_a_process_without_engine_leaves_the_work_to_another(start: Start, tmp_path: Path) -> None:
    worker = start(poll_seconds=0.02)
    face = start(engine="none")
    image = upload(face.client, picture_bytes())
    face.kill()

    finished(worker.client, f"/images/{image['id']}", ("ready",))

    assert worked_by(worker, image["task_id"]) == [worker.process.pid]
    assert timelines(tmp_path) == {image["task_id"]: DONE}


def worked_by(process: Process, task_id: str) -> list[int]:
    """The ids of the processes that have claimed a task."""
    events = process.client.get(f"/tasks/{task_id}").raise_for_status().json()["events"]
    names = [event["detail"]["worker"] for event in events if event["kind"] == "claimed"]
    return [int(name.rsplit("-", 2)[1]) for name in names]
