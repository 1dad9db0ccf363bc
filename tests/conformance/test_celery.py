"""What only happens with a broker and with workers that are not the API: they fail one by one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.models import new_id
from tests.brokers import BROKERS, Broker, running
from tests.conformance.engines.with_celery import WithCelery, name_broker
from tests.conformance.kinds import notes, segfault, spins, waits
from tests.flow.evidence import (
    happened,
    name_database,
    numbered,
    query,
    timelines,
    upload,
    wait_for_all,
)
from tests.pictures import picture_bytes
from tests.ports import free_port
from tests.postgres import TEMPLATE, Server
from tests.servers import PATIENCE, Process, until

DONE = ["claimed", "succeeded"]
ROOT = Path(__file__).parents[2]
#: Short enough to wait for its end, long enough for a machine that stalls.
LEASE_SECONDS = 6


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A server that these tests may stop and empty."""
    with running(request.param) as broker:
        yield broker


@pytest.fixture(scope="module")
def shared(
    broker: Broker, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WithCelery]:
    """An API and a worker with two children, for all tests."""
    folder = tmp_path_factory.mktemp("celery")
    name_database(folder, postgres_server.create(TEMPLATE))
    name_broker(folder, broker.url)
    settings = {"PIXMILL_THREADS": "2", "PIXMILL_LEASE_SECONDS": str(LEASE_SECONDS)}
    cluster = WithCelery(folder, settings)
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(shared: WithCelery) -> Iterator[WithCelery]:
    """The same, with nothing to do; it is left like that."""
    yield shared
    wait_for_all(shared.folder)


@pytest.fixture
def start(cluster: WithCelery) -> Iterator[Callable[[str], Process]]:
    """Start further processes; what still lives at the end is killed."""
    started: list[Process] = []

    def start(command: str) -> Process:
        started.append(cluster.process(command))
        return started[-1]

    yield start
    for process in started:
        if not process.client.is_closed:
            process.kill()


@pytest.fixture
def journal(cluster: WithCelery) -> Path:
    """A file that tasks write lines into."""
    return cluster.folder / f"journal-{new_id()}"


def upload_many(cluster: WithCelery, count: int) -> list[str]:
    """The ids of their tasks."""
    pictures = (numbered(picture_bytes(), number) for number in range(count))
    return [upload(cluster.client, picture)["task_id"] for picture in pictures]


def lines_of(cluster: WithCelery, ids: list[str]) -> list[list[str]]:
    """The timelines of these tasks, once all tasks have ended."""
    wait_for_all(cluster.folder)
    lines = timelines(cluster.folder)
    return [lines[task_id] for task_id in ids]


def value(process: Process | None, series: str) -> float:
    assert process
    text = httpx.get(f"{process.url}/metrics").text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.M)
    assert found, series
    return float(found[1])


def children(process: Process | None) -> list[int]:
    assert process
    pid = str(process.process.pid)
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", pid], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_uploads_are_taken_while_the_broker_is_down_and_made_when_it_is_back(
    cluster: WithCelery, broker: Broker
) -> None:
    failures = "pixmill_broker_failures_total"
    before = value(cluster.api, failures)
    broker.stop()

    began = time.monotonic()
    ids = upload_many(cluster, 10)
    assert time.monotonic() - began < 5, "nobody waits for the broker"
    until(lambda: value(cluster.api, failures) > before, "a failure counted")
    ready = cluster.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert "Error" in ready.json()["checks"]["broker"]

    broker.start()
    assert lines_of(cluster, ids) == [DONE] * len(ids)
    assert cluster.client.get("/readyz").json()["checks"]["broker"] == "ok"


def test_an_api_starts_without_its_broker(
    cluster: WithCelery, broker: Broker, start: Callable[[str], Process]
) -> None:
    broker.stop()
    other = start("serve")
    task_id = upload(other.client, picture_bytes())["task_id"]
    broker.start()

    assert lines_of(cluster, [task_id]) == [DONE]
    assert other.terminate() == 0


def test_a_broker_emptied_in_the_midst_of_work_costs_nothing(
    cluster: WithCelery, broker: Broker
) -> None:
    ids = upload_many(cluster, 20)
    broker.empty()
    ids += upload_many(cluster, 10)

    assert lines_of(cluster, ids) == [DONE] * len(ids)


def test_a_broker_that_dies_in_the_midst_of_work_ends_no_worker(
    cluster: WithCelery, broker: Broker
) -> None:
    ids = upload_many(cluster, 20)
    broker.stop()
    broker.start()

    assert lines_of(cluster, ids) == [DONE] * len(ids)


def test_a_killed_child_costs_a_second(cluster: WithCelery) -> None:
    file = cluster.folder / f"go-{new_id()}"
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")

    cluster.kill_runner_of(task_id)
    began = time.monotonic()
    until(lambda: cluster.task(task_id)["crashes"] == 1, "the rescue")
    cluster.wait_for(task_id, "running")
    took = time.monotonic() - began
    file.touch()

    assert took < LEASE_SECONDS / 2, "before its lease, renewed each third of it, had run out"
    assert cluster.wait_for(task_id)["status"] == "succeeded"


def test_a_host_killed_under_load_leaves_its_work_to_the_others(
    cluster: WithCelery, start: Callable[[str], Process]
) -> None:
    other = start("worker")
    ids = upload_many(cluster, 30)
    file = cluster.folder / f"go-{new_id()}"
    held = cluster.enqueue(waits, *[{"file": file.name}] * 4)
    ids += held
    caught = until(lambda: runs_in(cluster.folder, held, children(other)), "work on the other host")

    for pid in [*children(other), other.process.pid]:
        os.kill(pid, signal.SIGKILL)
    file.touch()

    lines = dict(zip(ids, lines_of(cluster, ids), strict=True))
    assert all(line.count("succeeded") == 1 for line in lines.values())
    assert all("rescued" in lines[task_id] for task_id in caught)


def runs_in(folder: Path, ids: list[str], pids: list[int]) -> list[str]:
    """Those of the tasks that run in one of the processes."""
    running = query(folder, "SELECT id, worker FROM tasks WHERE status = 'running'")
    return [
        task_id
        for task_id, worker in running
        if task_id in ids and int(worker.rsplit("-", 2)[1]) in pids
    ]


def test_a_message_delivered_five_times_is_dropped_and_counted(
    cluster: WithCelery, journal: Path
) -> None:
    dropped = "pixmill_deliveries_dropped_total"
    attempts = 'pixmill_task_attempts_total{kind="test.notes",outcome="succeeded"}'
    (task_id,) = cluster.enqueue(notes, {"journal": journal.name, "line": "once"})
    cluster.wait_for(task_id)
    done = until(lambda: value(cluster.worker, attempts), "its attempt counted")
    before = value(cluster.worker, dropped)
    cluster.deliver(task_id, times=5)

    until(lambda: value(cluster.worker, dropped) == before + 5, "five drops")
    assert journal.read_text() == "once\n"
    assert value(cluster.worker, attempts) == done
    assert happened(cluster.task(task_id)) == ["enqueued", *DONE]


def test_two_relays_hand_every_task_out_once(
    cluster: WithCelery, start: Callable[[str], Process]
) -> None:
    other = start("serve")
    before = value(cluster.worker, "pixmill_deliveries_dropped_total")
    ids = upload_many(cluster, 30)

    assert lines_of(cluster, ids) == [DONE] * len(ids)
    assert value(cluster.worker, "pixmill_deliveries_dropped_total") == before
    assert other.terminate() == 0


def test_a_segfault_costs_one_child_and_twice_is_enough(cluster: WithCelery, journal: Path) -> None:
    (poison,) = cluster.enqueue(segfault, {})
    (healthy,) = cluster.enqueue(notes, {"journal": journal.name, "line": "-"})

    assert cluster.wait_for(poison)["error"]["code"] == "worker_lost"
    assert cluster.wait_for(healthy)["status"] == "succeeded"
    assert cluster.worker
    assert cluster.worker.process.poll() is None


def test_a_handler_that_blocks_its_process_ends_as_a_crash(cluster: WithCelery) -> None:
    (task_id,) = cluster.enqueue(spins, {})

    task = cluster.wait_for(task_id)

    assert (task["status"], task["error"]["code"]) == ("failed", "worker_lost")
    assert happened(task) == ["enqueued", *["claimed", "rescued"] * 2, "failed"]
    assert cluster.worker
    blocked = {event["detail"]["worker"] for event in task["events"] if event["kind"] == "claimed"}
    pids = {int(worker.rsplit("-", 2)[1]) for worker in blocked}
    until(lambda: not pids & set(children(cluster.worker)), "their end at the hard limit")


CELERY = [sys.executable, "-m", "celery", "-A", "service.tasks.engines.celery"]
OURS_TO_IMPORT = {**os.environ, "PYTHONPATH": str(ROOT)}


def celery(cluster: WithCelery, command: str, *words: str) -> str:
    """What a command of Celery's own prints, once the worker has answered it."""
    assert cluster.worker
    node = f"pixmill-{cluster.worker.process.pid}@{os.uname().nodename}"
    done = subprocess.run(
        [*CELERY, command, f"--timeout={PATIENCE:g}", f"--destination={node}", *words],
        cwd=cluster.folder,
        env=OURS_TO_IMPORT,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_celerys_own_commands_find_the_workers(cluster: WithCelery, journal: Path) -> None:
    (task_id,) = cluster.enqueue(notes, {"journal": journal.name, "line": "-"})
    cluster.wait_for(task_id)  # the worker is there, and listens to commands
    assert "1 node online" in celery(cluster, "status")


@pytest.fixture
def solo(cluster: WithCelery) -> Iterator[int]:
    """A worker without children, by Celery's own command; its process."""
    worker = subprocess.Popen(
        [*CELERY, "worker", "--pool=solo", "--queues=pixmill.light"],
        cwd=cluster.folder,
        env=OURS_TO_IMPORT,
    )
    yield worker.pid
    worker.terminate()
    assert worker.wait(PATIENCE) == 0


def test_a_worker_without_children_works_as_well(cluster: WithCelery, solo: int) -> None:
    def is_its_work() -> bool:
        sent = cluster.client.post("/notifications", json={"recipient": "a", "body": "x"}).json()
        task = cluster.wait_for(sent["task_id"])
        workers = [line["detail"]["worker"] for line in task["events"] if line["kind"] == "claimed"]
        assert (task["status"], len(workers)) == ("succeeded", 1)
        return int(workers[0].rsplit("-", 2)[1]) == solo

    until(is_its_work, "a task that it ran")


def test_a_pool_of_threads_is_refused(cluster: WithCelery) -> None:
    refused = subprocess.run(
        [*CELERY, "worker", "--pool=threads"],
        cwd=cluster.folder,
        env=OURS_TO_IMPORT,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert refused.returncode == 1
    assert refused.stderr.endswith("give --pool prefork or solo.\n")
    assert "Traceback" not in refused.stderr


@pytest.fixture
def flower(cluster: WithCelery) -> Iterator[httpx.Client]:
    """Flower beside the workers: its own API."""
    port = free_port()
    watching = subprocess.Popen(
        [*CELERY, "flower", "--address=127.0.0.1", f"--port={port}"],
        cwd=cluster.folder,
        env={**OURS_TO_IMPORT, "FLOWER_UNAUTHENTICATED_API": "true"},
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        until(lambda: answers(client), "Flower answering")
        yield client
    watching.terminate()
    watching.wait(PATIENCE)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").is_success
    except httpx.TransportError:
        return False


def test_flower_sees_the_workers_and_what_they_do(
    cluster: WithCelery, journal: Path, flower: httpx.Client
) -> None:
    until(lambda: flower.get("/api/workers", params={"refresh": True}).json(), "the worker seen")
    celery(cluster, "control", "enable_events")  # Flower asks for them every five seconds
    (task_id,) = cluster.enqueue(notes, {"journal": journal.name, "line": "-"})

    (seen,) = until(lambda: ended(flower, task_id), "the task seen to its end")

    assert (seen["name"], seen["state"]) == ("pixmill.run", "SUCCESS")


def ended(flower: httpx.Client, task_id: str) -> list[dict[str, Any]]:
    found = flower.get("/api/tasks").json().values()
    return [task for task in found if task_id in task["args"] and task["state"] == "SUCCESS"]


@pytest.mark.parametrize(
    ("hidden", "broker_url", "said"),
    [
        ("", "", "PIXMILL_BROKER_URL"),
        ("", "kafka://nowhere", "PIXMILL_BROKER_URL"),
        ("import sys; sys.modules['celery'] = None; ", "redis://nowhere", "pixmill[celery]"),
    ],
    ids=["no broker", "another broker", "no Celery"],
)
@pytest.mark.parametrize("command", ["serve", "worker"])
def test_what_is_missing_is_said_in_one_line(
    tmp_path: Path, command: str, hidden: str, broker_url: str, said: str
) -> None:
    program = f"{hidden}import sys; from service import cli; cli.cli(['{command}'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PIXMILL_ENGINE": "celery",
            "PIXMILL_BROKER_URL": broker_url,
        },
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
