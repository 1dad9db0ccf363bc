"""Several processes behind one port, and workers beside a port that only answers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ON_SQLITE
from tests.flow.evidence import (
    Start,
    numbered,
    query,
    stored,
    timelines,
    upload,
    uploading,
    wait_for_all,
)
from tests.pictures import picture_bytes
from tests.servers import Process, until

DONE = ["claimed", "succeeded"]
#: So long that only news from a neighbour can be why something happens in time, in seconds.
NEVER = 600
ATTEMPTS = 'pixmill_task_attempts_total{kind="image.process",outcome="succeeded"}'


def test_two_processes_share_the_port_and_the_work(start: Start, tmp_path: Path) -> None:
    fleet = start(workers=2, threads=1)
    sent = [upload_anew(fleet, number)["task_id"] for number in range(24)]
    wait_for_all(tmp_path)

    assert timelines(tmp_path) == dict.fromkeys(sent, DONE)
    assert workers(tmp_path) == set(children(fleet))
    assert value(fleet, 'pixmill_uploads_total{outcome="accepted",reason=""}') == len(sent)
    assert value(fleet, "pixmill_worker_threads") == 2
    assert fleet.terminate() == 0
    assert (tmp_path / "log").read_text().count("stopped") == 2


def test_a_killed_process_is_replaced_and_nothing_is_lost(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    fleet = start(workers=2)
    first = children(fleet)
    with uploading(fleet.url, photo) as promised:
        until(lambda: len(promised) > 2, "uploads under way")
        os.kill(first[0], signal.SIGKILL)
    until(lambda: len(set(children(fleet)) - {first[0]}) == 2, "the replacement")
    wait_for_all(tmp_path)

    assert first[1] in children(fleet)
    for image_id in promised:
        assert fleet.client.get(f"/images/{image_id}").json()["status"] == "ready"
    assert set(query(tmp_path, "SELECT id FROM images")) <= stored(tmp_path, "uploads")
    assert fleet.terminate() == 0


@ON_SQLITE
def test_processes_end_with_their_parent(start: Start) -> None:
    fleet = start(workers=2)
    orphans = children(fleet)
    fleet.kill()
    until(lambda: not any(is_alive(pid) for pid in orphans), "their end")


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "service", "serve", "--workers", "2", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_that_cannot_begin_ends_the_fleet(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("a file where a folder should be")
    command = [sys.executable, "-m", "service", "serve", "--workers", "2", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert done.returncode == 3


ADOPTING = """
import ctypes, os, sys
from service import fleet

ctypes.CDLL(None).prctl(36, 1)  # as the first process of a container: orphans become its children

def serve(own, greets):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
    while os.path.exists(f"/proc/{os.getppid()}/task/{os.getppid()}/children") and len(
        open(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read().split()
    ) > 1:
        pass
    return fleet.NOT_STARTED

sys.exit(fleet.run(fleet.listen("127.0.0.1", 0, 1), serve))
"""


def test_processes_that_start_at_once_make_the_database_once(tmp_path: Path) -> None:
    """Four of them, three times, where there is no database yet."""
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        fleet = Process(folder, {"PIXMILL_WORKERS": "4"})
        assert fleet.client.get("/readyz").status_code == 200
        assert fleet.terminate() == 0
        assert "Traceback" not in (folder / "log").read_text()


def test_the_orphans_a_container_gives_to_its_first_process_are_buried() -> None:
    done = subprocess.run([sys.executable, "-c", ADOPTING], capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (3, b"")


@pytest.mark.parametrize("count", [1, 2])
def test_workers_beside_an_api_without_engine(start: Start, tmp_path: Path, count: int) -> None:
    face = start(engine="none", poll_seconds=NEVER)
    worker = start(command=f"worker --workers {count}", poll_seconds=NEVER)

    image = upload(face.client, picture_bytes())
    answer = face.client.get(f"/images/{image['id']}", headers={"Prefer": "wait=30"})

    assert answer.json()["status"] == "ready", "the worker was woken, and its end was heard of"
    assert workers(tmp_path) <= {worker.process.pid, *children(worker)}
    assert worker.client.get("/readyz").json()["checks"]["engine"] == "ok"
    assert worker.client.get("/images").status_code == 404
    assert (
        value(worker, 'pixmill_task_attempts_total{kind="image.process",outcome="succeeded"}') == 1
    )
    assert worker.terminate() == face.terminate() == 0


def upload_anew(fleet: Process, number: int) -> dict[str, str]:
    """On a connection of its own, so that the system may give it to either process."""
    with httpx.Client(base_url=fleet.url, timeout=30) as client:
        return upload(client, numbered(picture_bytes(), number))


def children(fleet: Process) -> list[int]:
    pid = fleet.process.pid
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def is_alive(pid: int) -> bool:
    try:
        return not re.search(r"^State:\s+Z", Path(f"/proc/{pid}/status").read_text(), re.M)
    except FileNotFoundError:
        return False


def workers(folder: Path) -> set[int]:
    """The ids of the processes that have claimed tasks."""
    details = query(folder, "SELECT detail FROM task_events WHERE kind = 'claimed'")
    names = [(json.loads(one) if isinstance(one, str) else one)["worker"] for one in details]
    return {int(name.rsplit("-", 2)[1]) for name in names}


def value(process: Process, series: str) -> float:
    text = httpx.get(f"{process.url}/metrics").text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.M)
    assert found, series
    return float(found[1])
