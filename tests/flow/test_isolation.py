"""Attempts that segfault, hang and eat memory, in a real service: each costs itself alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.server import WORN_OUT
from service.tasks import Kind
from tests.conftest import ON_SQLITE, NewDatabase
from tests.flow import failing
from tests.flow.evidence import (
    Start,
    enqueued,
    happened,
    name_database,
    query,
    upload,
    wait_for_all,
)
from tests.flow.failing import MODULE
from tests.pictures import encoded, photo, truncated
from tests.servers import Process, finished, until

FINAL = ("succeeded", "failed", "cancelled")
CRASHES = "pixmill_isolated_crashes_total"
ISOLATED = "pixmill_isolated_attempts_total"
#: Waits short enough for a test.
QUICK: dict[str, Any] = {"threads": 1, "poll_seconds": 0.02, "abandon_seconds": 0.05}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[Process]:
    """One process that outlives all that is done in its children."""
    folder = tmp_path_factory.mktemp("isolation")
    name_database(folder, new_database(folder))
    settings = QUICK | {"child_memory_bytes": 64 * 2**20}
    changes = {f"PIXMILL_{name.upper()}": str(value) for name, value in settings.items()}
    process = Process(folder, changes, MODULE)
    yield process
    assert process.terminate() == 0


@ON_SQLITE
@pytest.mark.parametrize(
    ("kind", "what", "code", "message"),
    [
        (failing.harms, "segfault", "worker_crashed", "SIGSEGV"),
        (failing.harms, "allocate", "out_of_memory", "64 MiB"),
        (failing.spins, "spin_in_c", "time_limit", "0.3 s"),
        (failing.spins, "hang", "time_limit", "0.3 s"),
    ],
    ids=["segfault", "allocate", "spin", "hang"],
)
def test_harm_in_a_child_fails_its_task_at_the_second_time_and_nothing_else(
    server: Process, kind: Kind, what: str, code: str, message: str
) -> None:
    crashes = value(server, CRASHES, reason=code)
    attempts = value(server, ISOLATED, kind=kind.name)

    task = finished(server.client, f"/tasks/{enqueued(server, kind, what=what)}", FINAL)

    assert (task["status"], task["attempt"], task["crashes"]) == ("failed", 2, 2)
    assert task["error"]["code"] == code
    assert message in task["error"]["message"]
    assert task["isolated"]
    assert happened(task) == ["enqueued", "claimed", "attempt_failed", "claimed", "failed"]
    until(lambda: not children(server), "the end of what was killed")
    until(lambda: value(server, ISOLATED, kind=kind.name) == attempts + 2, "both counted")
    assert value(server, CRASHES, reason=code) == crashes + 2
    assert value(server, "pixmill_child_processes") == 0
    image = upload(server.client, encoded(photo(), "jpeg"))
    assert finished(server.client, f"/tasks/{image['task_id']}", FINAL)["status"] == "succeeded"


def test_a_thread_that_hangs_is_left_behind_and_the_next_attempt_runs_isolated(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "held").touch()
    process = start(MODULE, **QUICK)

    task = finished(
        process.client, f"/tasks/{enqueued(process, failing.hangs, file='held')}", FINAL
    )

    assert (task["status"], task["attempt"], task["crashes"]) == ("succeeded", 2, 0)
    assert task["isolated"]
    assert task["result"]["pid"] != process.process.pid
    until(lambda: value(process, "pixmill_threads_abandoned") == 1, "the thread left behind")
    assert value(process, "pixmill_attempts_abandoned_total") == 1
    upload(process.client, encoded(photo(), "jpeg"))
    wait_for_all(tmp_path)  # though the one thread there was to be hangs
    (tmp_path / "held").unlink()
    until(lambda: value(process, "pixmill_threads_abandoned") == 0, "the end of the thread")
    assert process.client.get("/readyz").status_code == 200
    assert process.terminate() == 0


@ON_SQLITE
def test_too_many_hanging_threads_end_the_process_in_good_order(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "held").touch()
    process = start(MODULE, max_abandoned=0, drain_seconds=20, **QUICK)
    other = enqueued(process, failing.waits, file="go")
    finished(process.client, f"/tasks/{other}", ("running",))

    hanging = enqueued(process, failing.hangs, file="held")

    until(lambda: process.client.get("/readyz").status_code == 503, "unready")
    unready = process.client.get("/readyz").json()
    assert unready["checks"]["engine"] == "1 threads hang: the process drains and ends"
    (tmp_path / "go").touch()
    assert process.wait() == WORN_OUT, "though the thread still hangs"
    assert "worn_out" in (tmp_path / "log").read_text()
    assert query(tmp_path, "SELECT id FROM tasks WHERE status = 'running'") == []
    assert query(tmp_path, "SELECT id FROM tasks WHERE isolated") == [hanging]
    assert query(tmp_path, f"SELECT status FROM tasks WHERE id = '{other}'") == ["succeeded"]

    second = start(MODULE, **QUICK)
    assert finished(second.client, f"/tasks/{hanging}", FINAL)["status"] == "succeeded"


@ON_SQLITE
def test_a_stop_does_not_wait_for_a_thread_that_hangs(start: Start, tmp_path: Path) -> None:
    (tmp_path / "held").touch()
    process = start(MODULE, **QUICK)
    enqueued(process, failing.hangs, file="held")
    until(lambda: value(process, "pixmill_threads_abandoned") == 1, "the thread left behind")

    assert process.terminate(patience=15) == 0


def test_what_took_the_process_down_runs_isolated_next_and_is_then_failed(
    start: Start, tmp_path: Path
) -> None:
    first = start(MODULE, **QUICK)
    task_id = enqueued(first, failing.crashes)
    assert first.wait() == -signal.SIGSEGV

    second = start(MODULE, **QUICK)

    task = finished(second.client, f"/tasks/{task_id}", FINAL)
    assert (task["status"], task["crashes"], task["attempt"]) == ("failed", 2, 1)
    assert task["error"]["code"] == "worker_crashed"
    assert happened(task) == ["enqueued", "claimed", "rescued", "claimed", "failed"]
    assert second.terminate() == 0


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_no_child_outlives_its_parent(start: Start, tmp_path: Path, end: str) -> None:
    (tmp_path / "held").touch()
    process = start(MODULE, drain_seconds=0, **QUICK)
    task_id = enqueued(process, failing.rests, file="held")
    finished(process.client, f"/tasks/{task_id}", ("running",))
    (child,) = until(lambda: children(process), "a child")

    getattr(process, end)()

    until(lambda: not Path(f"/proc/{child}").exists(), "the end of the child")
    found = query(tmp_path, "SELECT status, attempt FROM tasks")
    assert found == [("running", 1) if end == "kill" else ("queued", 0)]


@ON_SQLITE
def test_pictures_are_made_in_children_where_the_setting_says_so(start: Start) -> None:
    process = start(isolation="process", **QUICK)

    whole = upload(process.client, encoded(photo((640, 480)), "jpeg"))
    broken = upload(process.client, truncated(encoded(photo((640, 480)), "jpeg")))

    image = finished(process.client, f"/images/{whole['id']}", ("ready", "failed"))
    assert image["status"] == "ready"
    assert {variant["status"] for variant in image["variants"]} == {"ready"}
    image = finished(process.client, f"/images/{broken['id']}", ("ready", "failed"))
    assert (image["status"], image["error"]["code"]) == ("failed", "broken_image")
    task = process.client.get(f"/tasks/{broken['task_id']}").json()
    assert (task["attempt"], task["crashes"], task["isolated"]) == (1, 0, False)
    assert "In the child process" in task["error"]["traceback"]
    until(lambda: value(process, ISOLATED, kind="image.process") == 2, "both counted")
    assert value(process, "pixmill_child_processes") == 1
    for stage in ("transform", "encode", "store"):
        counted = "pixmill_image_stage_duration_seconds_count"
        assert value(process, counted, stage=stage, format="jpeg") == 4
    assert process.terminate() == 0


def children(process: Process) -> list[int]:
    """The ids of a process's own processes."""
    threads = Path(f"/proc/{process.process.pid}/task").iterdir()
    return [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]


def value(process: Process, name: str, **labels: str) -> float:
    """A sample of the process's metrics."""
    text = process.client.get("/metrics").text
    (found,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
    return found
