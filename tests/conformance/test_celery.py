"""What only happens with a broker and with workers that are not the API: they fail one by one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import redis
from tests.conformance.engines.with_celery import WithCelery
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
from tests.postgres import TEMPLATE, Server
from tests.redis import Redis
from tests.servers import Process, until

DONE = ["claimed", "succeeded"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def own_broker(broker: Redis) -> Iterator[Redis]:
    """A Redis server that these tests may stop and empty."""
    server = redis.new_redis()
    yield server
    server.stop()


@pytest.fixture
def cluster(own_broker: Redis, postgres_server: Server, tmp_path: Path) -> Iterator[WithCelery]:
    """An API and a worker with two children."""
    name_database(tmp_path, postgres_server.create(TEMPLATE))
    own_broker.command("FLUSHALL")
    settings = {
        "PIXMILL_ENGINE": "celery",
        "PIXMILL_BROKER_URL": own_broker.url,
        "PIXMILL_THREADS": "2",
        "PIXMILL_LEASE_SECONDS": "3",
    }
    cluster = WithCelery(tmp_path, settings)
    yield cluster
    cluster.close()


def upload_many(cluster: WithCelery, count: int) -> list[str]:
    """The ids of their tasks."""
    pictures = (numbered(picture_bytes(), number) for number in range(count))
    return [upload(cluster.client, picture)["task_id"] for picture in pictures]


def value(process: Process, series: str) -> float:
    text = httpx.get(f"{process.url}/metrics").text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.M)
    assert found, series
    return float(found[1])


def children(process: Process) -> list[int]:
    pid = str(process.process.pid)
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", pid], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_uploads_are_taken_while_the_broker_is_down_and_made_when_it_is_back(
    cluster: WithCelery, own_broker: Redis
) -> None:
    upload_many(cluster, 1)
    wait_for_all(cluster.folder)
    own_broker.stop()

    began = time.monotonic()
    upload_many(cluster, 10)
    assert time.monotonic() - began < 5, "nobody waits for the broker"
    until(lambda: value(cluster.api, "pixmill_broker_failures_total") > 0, "a failure counted")
    ready = cluster.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert "Error" in ready.json()["checks"]["broker"]

    own_broker.start()
    wait_for_all(cluster.folder)
    assert set(map(tuple, timelines(cluster.folder).values())) == {tuple(DONE)}
    assert cluster.client.get("/readyz").json()["checks"]["broker"] == "ok"


def test_an_api_starts_without_its_broker(cluster: WithCelery, own_broker: Redis) -> None:
    cluster.api.terminate()
    own_broker.stop()

    cluster.api = cluster.process("serve")
    upload_many(cluster, 1)
    own_broker.start()
    wait_for_all(cluster.folder)


def test_a_broker_emptied_in_the_midst_of_work_costs_nothing(
    cluster: WithCelery, own_broker: Redis
) -> None:
    ids = upload_many(cluster, 30)
    until(lambda: query(cluster.folder, "SELECT 1 FROM tasks WHERE status = 'succeeded'"), "work")
    own_broker.command("FLUSHALL")
    ids += upload_many(cluster, 10)

    wait_for_all(cluster.folder)
    assert timelines(cluster.folder) == dict.fromkeys(ids, DONE)


def test_a_killed_child_costs_a_second(cluster: WithCelery) -> None:
    file = cluster.folder / "go"
    (task_id,) = cluster.enqueue(waits, {"file": file.name})
    cluster.wait_for(task_id, "running")

    cluster.kill_runner_of(task_id)
    began = time.monotonic()
    until(lambda: cluster.task(task_id)["crashes"] == 1, "the rescue")
    cluster.wait_for(task_id, "running")
    file.touch()

    assert time.monotonic() - began < 3, "on a machine that does other things as well"
    assert cluster.wait_for(task_id)["status"] == "succeeded"


def test_a_host_killed_under_load_leaves_its_work_to_the_others(cluster: WithCelery) -> None:
    other = cluster.process("worker")
    ids = upload_many(cluster, 40)
    ran_there = until(lambda: runs_in(cluster.folder, children(other)), "work on the other host")

    for pid in [*children(other), other.process.pid]:
        os.kill(pid, signal.SIGKILL)
    other.kill()

    wait_for_all(cluster.folder)
    states = query(cluster.folder, "SELECT status, attempt FROM tasks")
    assert states == [("succeeded", 1)] * len(ids)
    lines = timelines(cluster.folder)
    assert all(line.count("succeeded") == 1 for line in lines.values())
    assert any("rescued" in lines[task_id] or lines[task_id] == DONE for task_id in ran_there)


def runs_in(folder: Path, pids: list[int]) -> list[str]:
    """The tasks that run in these processes."""
    running = query(folder, "SELECT id, worker FROM tasks WHERE status = 'running'")
    return [task_id for task_id, worker in running if int(worker.rsplit("-", 2)[1]) in pids]


def test_a_message_delivered_five_times_is_dropped_four_times_and_counted(
    cluster: WithCelery,
) -> None:
    (task_id,) = cluster.enqueue(notes, {"journal": "journal", "line": "once"})
    assert cluster.worker
    cluster.wait_for(task_id)
    cluster.deliver(task_id, times=5)

    dropped = "pixmill_deliveries_dropped_total"
    until(lambda: cluster.worker and value(cluster.worker, dropped) == 5, "five drops")
    assert (cluster.folder / "journal").read_text() == "once\n"
    attempts = 'pixmill_task_attempts_total{kind="test.notes",outcome="succeeded"}'
    assert value(cluster.worker, attempts) == 1


def test_two_relays_hand_every_task_out_once(cluster: WithCelery) -> None:
    other = cluster.process("serve")
    ids = upload_many(cluster, 30)

    wait_for_all(cluster.folder)
    assert timelines(cluster.folder) == dict.fromkeys(ids, DONE)
    assert cluster.worker
    assert value(cluster.worker, "pixmill_deliveries_dropped_total") == 0
    assert other.terminate() == 0


def test_a_segfault_costs_one_child_and_twice_is_enough(cluster: WithCelery) -> None:
    (poison,) = cluster.enqueue(segfault, {})
    (healthy,) = cluster.enqueue(notes, {"journal": "journal", "line": "-"})

    assert cluster.wait_for(poison)["error"]["code"] == "worker_lost"
    assert cluster.wait_for(healthy)["status"] == "succeeded"
    assert cluster.worker
    assert cluster.worker.process.poll() is None


def test_a_handler_that_blocks_its_process_is_killed_at_its_hard_limit(
    cluster: WithCelery,
) -> None:
    (task_id,) = cluster.enqueue(spins, {})

    task = cluster.wait_for(task_id)

    assert (task["status"], task["error"]["code"]) == ("failed", "worker_lost")
    assert happened(task) == ["enqueued", *["claimed", "rescued"] * 2, "failed"]


def test_celerys_own_commands_find_the_workers(cluster: WithCelery, own_broker: Redis) -> None:
    (task_id,) = cluster.enqueue(notes, {"journal": "journal", "line": "-"})
    cluster.wait_for(task_id)
    command = [sys.executable, "-m", "celery", "-A", "service.tasks.engines.celery", "status"]

    done = subprocess.run(
        command,
        cwd=cluster.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PIXMILL_BROKER_URL": own_broker.url},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert "1 node online" in done.stdout, done.stderr


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
