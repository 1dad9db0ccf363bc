"""A disk that is full, and one that fails at any single call: a clean refusal, or the whole.

When there is room again the same process goes on as if nothing had happened.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from service.config import MIB
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
from tests.pictures import picture_bytes
from tests.servers import Process, finished, until
from tests.torture import faults, small
from tests.torture.conftest import Enter
from tests.torture.faults import Faults
from tests.torture.ledger import account

Open = Callable[..., tuple[Process, Faults]]
FULL = (507, "disk_full")
FAILED = ((503, "storage_failed"), (503, "database_failed"))
#: Errors, and whether they last: a disk stays full, a bad sector is met once.
ERRORS = [(errno.ENOSPC, True), (errno.EIO, False), (errno.EIO, True)]
DISK = "disk"
#: Room that is left on a full disk: less than a photo, so that it fails on its way.
SPARE_PAGES = 20


def needs(what: str, is_there: bool) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_there and "CI" not in os.environ, reason=f"there is no {what}")


needs_gcc = needs("gcc", faults.is_possible())
needs_mounts = needs("right to mount", small.is_possible())


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faults.build(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def faulty(library: Path, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Start a process whose disk fails as it is told."""

    def open_one(engine: str = "embedded") -> tuple[Process, Faults]:
        told = Faults(library, tmp_path)
        for name, value in told.environment.items():
            monkeypatch.setenv(name, value)
        process = start(engine=engine, upload_buffer_bytes=MIB)
        monkeypatch.delenv("LD_PRELOAD")
        return process, told

    return open_one


@needs_gcc
@pytest.mark.parametrize("where", ["/uploads/", "/pixmill.db"])
def test_whichever_call_of_an_upload_fails_all_or_nothing_is_left(
    faulty: Open, start: Start, photo: bytes, tmp_path: Path, enter: Enter, where: str
) -> None:
    server, told = faulty(engine="none")
    names = itertools.count()
    promised: dict[str, str] = {}
    refused = 0
    for (error, lasting), picture in itertools.product(ERRORS, (picture_bytes(), photo)):
        for call in itertools.count(1):
            data = numbered(picture, next(names))
            told.order(call, where, error, lasting=lasting)
            answer = post(server, data)
            happened = told.end()
            if answer.status_code == 202:
                promised[answer.json()["id"]] = digest(data)
            else:
                refused += 1
                assert_is_clean(answer, error)
            until(lambda: is_settled(tmp_path, set(promised)), "all or nothing")
            if not happened:
                assert answer.status_code == 202, answer.text
                break
    assert refused > 3 * len(ERRORS)
    data = numbered(photo, "the last")
    promised[upload(server.client, data)["id"]] = digest(data)
    server.kill()

    start()
    wait_for_all(tmp_path)
    assert set(query(tmp_path, "SELECT id FROM images")) == set(promised)
    assert query(tmp_path, "PRAGMA integrity_check") == ["ok"]
    enter(f"each failing call at {where}", account(tmp_path, promised))


@needs_gcc
def test_whichever_call_of_a_variant_fails_the_task_is_retried_and_then_fine(
    faulty: Open, tmp_path: Path
) -> None:
    server, told = faulty()
    promised: dict[str, str] = {}
    faults_seen = 0
    for call in (1, 2, 3, 4, 7, 12):
        data = numbered(picture_bytes(), call)
        told.order(call, "/processed/", errno.ENOSPC if call % 2 else errno.EIO)
        image = upload(server.client, data)
        promised[image["id"]] = digest(data)
        until(partial(has_ended_once, tmp_path, image["task_id"]), "the end of an attempt")
        faults_seen += told.end()
    wait_for_all(tmp_path)

    ends = itertools.chain.from_iterable(timelines(tmp_path).values())
    assert list(ends).count("attempt_failed") == faults_seen > 3
    assert server.terminate() == 0
    found = account(tmp_path, promised)
    assert found.lost == found.wrong == found.left == []


def test_a_part_that_somebody_removes_is_refused_as_a_failed_storage(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    server = start(engine="none", upload_buffer_bytes=MIB)
    connection = HTTPConnection(httpx.URL(server.url).netloc.decode(), timeout=30)
    connection.putrequest("POST", "/images")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Content-Length", str(len(photo)))
    connection.endheaders(photo[:-1])
    (part,) = until(lambda: unfinished(tmp_path), "a part")
    part.unlink()
    connection.send(photo[-1:])
    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())["code"]) == (503, "storage_failed")
    connection.close()
    assert query(tmp_path, "SELECT id FROM images") == []
    assert stored(tmp_path, "uploads") == set()
    assert not unfinished(tmp_path)


@needs_mounts
def test_uploads_to_a_full_disk_are_refused_until_there_is_room(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    server = start(small.MODULE, "uploads 4m serve", upload_buffer_bytes=MIB)
    seen = as_it_sees(server)
    small.fill(seen / "uploads", SPARE_PAGES)
    for number in range(3):
        assert_is_clean(post(server, numbered(photo, number)), errno.ENOSPC)
    until(lambda: not unfinished(seen), "the parts' removal")
    assert stored(seen, "uploads") == set()
    assert query(tmp_path, "SELECT id FROM images") == []

    (seen / "uploads" / small.FILLER).unlink()
    image = upload(server.client, photo)

    assert finished(server.client, f"/images/{image['id']}", ("ready",))["sha256"] == digest(photo)
    assert stored(seen, "uploads") == {image["id"]}


@needs_mounts
def test_variants_for_a_full_disk_are_made_when_there_is_room(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    server = start(small.MODULE, "processed 4m serve")
    seen = as_it_sees(server)
    small.fill(seen / "processed", SPARE_PAGES)
    image = upload(server.client, photo)
    task = f"/tasks/{image['task_id']}"
    failed = finished(server.client, task, ("retrying",))
    assert failed["error"]["code"] == "disk_full"

    (seen / "processed" / small.FILLER).unlink()
    finished(server.client, f"/images/{image['id']}", ("ready",))

    for variant in server.client.get(f"/images/{image['id']}").json()["variants"]:
        answer = server.client.get(variant["url"]).raise_for_status()
        assert answer.headers["ETag"] == f'"{digest(answer.content)}"'
    assert not unfinished(seen)


@needs_mounts
def test_a_database_on_a_full_disk_refuses_until_there_is_room(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/{DISK}/pixmill.db"
    server = start(small.MODULE, f"{DISK} 4m serve", database_url=url, engine="none")
    seen = as_it_sees(server)
    small.fill(seen / DISK, 0)
    numbers = itertools.count()
    until(lambda: post(server, numbered(photo, next(numbers))).status_code != 202, "no room")
    before = server.client.get("/images").json()["items"]
    for number in range(3):
        assert_is_clean(post(server, numbered(photo, number)), errno.ENOSPC)
    assert server.client.get("/images").json()["items"] == before
    until(lambda: stored(tmp_path, "uploads") == {one["id"] for one in before}, "no file")

    (seen / DISK / small.FILLER).unlink()
    image = upload(server.client, photo)

    assert server.client.get(f"/images/{image['id']}").json()["sha256"] == digest(photo)
    assert stored(tmp_path, "uploads") == {image["id"], *(one["id"] for one in before)}


def post(server: Process, data: bytes) -> httpx.Response:
    return server.client.post("/images", files={"file": ("photo.jpg", data)})


def assert_is_clean(answer: httpx.Response, error: int) -> None:
    """A problem that says what is wrong and when to come again."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = (answer.status_code, answer.json()["code"])
    assert said in ((FULL, *FAILED) if error == errno.ENOSPC else FAILED)
    assert int(answer.headers["retry-after"]) > 0


def has_ended_once(folder: Path, task_id: str) -> bool:
    return len(timelines(folder).get(task_id, ())) > 1


def is_settled(folder: Path, ids: set[str]) -> bool:
    """Whether there are these images, their files, and nothing else."""
    known = set(query(folder, "SELECT id FROM images"))
    return known == ids and stored(folder, "uploads") == ids and not unfinished(folder)


def as_it_sees(server: Process) -> Path:
    """The process's folder with the disks that only it sees."""
    return Path(f"/proc/{server.process.pid}/root{server.folder}")
