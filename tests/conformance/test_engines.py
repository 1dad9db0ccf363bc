"""What every engine does alike: the rows decide, whoever carries the tasks out.

The same bodies run over every engine of `engines`. They drive real processes, look at them over
HTTP, and leave them running for the next one.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from service.models import new_id, now
from service.tasks import Step, chain
from tests.conformance.engines import Cluster
from tests.conformance.kinds import needs, notes, third_time, waits
from tests.flow.evidence import happened
from tests.listening import listening
from tests.servers import until

DONE = ["enqueued", "claimed", "succeeded"]
RESCUED = ["enqueued", "claimed", "rescued", "claimed", "succeeded"]


@pytest.fixture
def journal(cluster: Cluster) -> Path:
    """A file that tasks write lines into."""
    return cluster.folder / f"journal-{new_id()}"


@pytest.fixture
def file(cluster: Cluster) -> Path:
    """A file that a task waits for."""
    return cluster.folder / f"file-{new_id()}"


def test_tasks_are_claimed_in_the_order_in_which_they_were_due(
    cluster: Cluster, journal: Path
) -> None:
    go = cluster.hold()
    ids = cluster.enqueue(notes, *[{"journal": journal.name, "line": str(n)} for n in range(20)])
    go.touch()

    assert cluster.claims(ids) == ids
    assert cluster.wait_for(ids[-1])["status"] == "succeeded"
    until(lambda: len(journal.read_text().split()) == len(ids), "all lines")
    assert happened(cluster.task(ids[0])) == DONE


def test_what_is_urgent_is_claimed_first(cluster: Cluster, journal: Path) -> None:
    go = cluster.hold()
    payload = {"journal": journal.name, "line": "-"}
    ahead = [payload] * cluster.ahead
    decided = cluster.enqueue(notes, *ahead, priorities=["high"] * cluster.ahead)
    labels = ["low", "normal"] * 4 + ["high"]
    ids = cluster.enqueue(notes, *[payload] * len(labels), priorities=labels)

    def named(label: str) -> list[str]:
        return [task_id for task_id, one in zip(ids, labels, strict=True) if one == label]

    go.touch()

    claimed = cluster.claims([*decided, *ids])[cluster.ahead :]
    by_urgency = [one for label in ("high", "normal", "low") for one in named(label)]
    assert claimed == by_urgency


def test_high_priority_overtakes_all_but_what_is_already_decided(
    cluster: Cluster, journal: Path
) -> None:
    go = cluster.hold()
    payload = {"journal": journal.name, "line": "-"}
    backlog = cluster.enqueue(notes, *[payload] * 12)
    (urgent,) = cluster.enqueue(notes, payload, priorities=["high"])
    go.touch()

    assert cluster.claims([*backlog, urgent]).index(urgent) <= cluster.ahead


def test_a_task_that_fails_twice_succeeds_the_third_time(cluster: Cluster) -> None:
    (task_id,) = cluster.enqueue(third_time, {})

    task = cluster.wait_for(task_id)

    assert (task["status"], task["attempt"], task["result"]) == ("succeeded", 3, {"attempt": 3})
    assert happened(task) == ["enqueued", *["claimed", "attempt_failed"] * 2, *DONE[1:]]


def test_a_cancelled_task_is_never_run_wherever_it_is(cluster: Cluster, journal: Path) -> None:
    go = cluster.hold()
    backlog = cluster.enqueue(notes, *[{"journal": journal.name, "line": "-"}] * 6)
    for task_id in backlog:
        assert cluster.client.post(f"/tasks/{task_id}/cancel").json()["status"] == "cancelled"
    (last,) = cluster.enqueue(notes, {"journal": journal.name, "line": "last"})
    go.touch()

    assert cluster.wait_for(last)["status"] == "succeeded"
    assert journal.read_text().split() == ["last"]
    assert {tuple(happened(cluster.task(one))) for one in backlog} == {("enqueued", "cancelled")}


def test_a_chain_stops_at_its_first_failure_and_goes_on_when_that_is_retried(
    cluster: Cluster, journal: Path, file: Path
) -> None:
    steps = [Step(needs, {"file": file.name}), Step(notes, {"journal": journal.name, "line": "2"})]
    first, second = cluster.write(lambda session: chain(session, steps))

    assert cluster.wait_for(first)["status"] == "failed"
    assert cluster.wait_for(second)["status"] == "cancelled"
    file.touch()
    cluster.client.post(f"/tasks/{first}/retry").raise_for_status()

    assert cluster.wait_for(first)["status"] == "succeeded"
    assert cluster.wait_for(second, "succeeded")["status"] == "succeeded"
    assert journal.read_text().split() == ["2"]


def test_a_task_whose_process_is_killed_runs_again(cluster: Cluster, file: Path) -> None:
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")

    cluster.kill_runner_of(task_id)
    file.touch()

    task = cluster.wait_for(task_id)
    assert happened(task) == RESCUED
    assert (task["attempt"], task["crashes"]) == (1, 1)


def test_a_task_that_takes_its_process_down_twice_is_failed(cluster: Cluster, file: Path) -> None:
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    for crashes in range(2):
        wait_for_attempt(cluster, task_id, crashes)
        cluster.kill_runner_of(task_id)

    task = cluster.wait_for(task_id)

    assert (task["status"], task["error"]["code"]) == ("failed", "worker_lost")
    assert happened(task) == ["enqueued", *["claimed", "rescued"] * 2, "failed"]


def wait_for_attempt(cluster: Cluster, task_id: str, crashes: int) -> None:
    def is_running() -> bool:
        task = cluster.task(task_id)
        return bool(task["status"] == "running" and task["crashes"] == crashes)

    until(is_running, "another attempt")


def test_a_task_that_is_told_of_five_times_runs_once(cluster: Cluster, journal: Path) -> None:
    go = cluster.hold()
    (task_id,) = cluster.enqueue(notes, {"journal": journal.name, "line": "once"})
    cluster.deliver(task_id, times=5)
    go.touch()
    cluster.wait_for(task_id)
    cluster.deliver(task_id, times=5)

    (last,) = cluster.enqueue(notes, {"journal": journal.name, "line": "last"})
    assert cluster.wait_for(last)["status"] == "succeeded"
    assert journal.read_text().split() == ["once", "last"]
    assert happened(cluster.task(task_id)) == DONE


def test_a_scheduled_task_waits_for_its_time(cluster: Cluster, journal: Path) -> None:
    payload = {"journal": journal.name, "line": "late"}
    (early,) = cluster.enqueue(notes, payload | {"line": "early"})
    (late,) = cluster.enqueue(notes, payload, at=now() + timedelta(seconds=1))

    assert cluster.wait_for(early)["status"] == "succeeded"
    task = cluster.wait_for(late)

    assert journal.read_text().split() == ["early", "late"]
    assert task["started_at"] >= task["run_at"]


def test_a_running_task_can_be_cancelled(cluster: Cluster, file: Path) -> None:
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")

    assert cluster.client.post(f"/tasks/{task_id}/cancel").status_code == 202

    task = cluster.wait_for(task_id)
    assert happened(task) == ["enqueued", "claimed", "cancel_requested", "cancelled"]


def test_a_paused_kind_waits_and_others_do_not(cluster: Cluster, journal: Path) -> None:
    go = cluster.hold()
    ids = cluster.enqueue(notes, *[{"journal": journal.name, "line": "paused"}] * 6)
    cluster.client.post(f"/kinds/{notes.name}/pause").raise_for_status()
    go.touch()

    (other,) = cluster.enqueue(third_time, {})
    assert cluster.wait_for(other)["status"] == "succeeded"
    assert not journal.exists()
    cluster.client.post(f"/kinds/{notes.name}/resume").raise_for_status()

    cluster.claims(ids)
    assert cluster.wait_for(ids[-1])["status"] == "succeeded"


def test_sigterm_waits_for_what_runs(cluster: Cluster, file: Path) -> None:
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")

    exit_code = cluster.stop_workers()
    file.touch()

    assert exit_code() == 0
    cluster.start_workers()
    assert happened(cluster.wait_for(task_id)) == DONE


def test_sigterm_gives_back_what_does_not_end_in_time(cluster: Cluster, file: Path) -> None:
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")

    assert cluster.stop_workers()() == 0
    file.touch()
    cluster.start_workers()

    task = cluster.wait_for(task_id)
    assert happened(task) == ["enqueued", "claimed", "given_back", "claimed", "succeeded"]
    assert (task["attempt"], task["crashes"]) == (1, 0)


def test_what_happens_is_told_to_whoever_follows(cluster: Cluster, journal: Path) -> None:
    """Whoever works the task: the API's process tells it from the rows."""
    with listening(cluster.api.url, "/events") as live:
        (task_id,) = cluster.enqueue(notes, {"journal": journal.name, "line": "-"})
        with listening(cluster.api.url, f"/tasks/{task_id}/events") as of_task:
            of_task.wait_for_end()
        live.wait_for("task", task_id, "succeeded")

    assert of_task.heard[-1].data == cluster.task(task_id)
