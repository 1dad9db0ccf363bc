"""The process dies without warning: nothing that was acknowledged is lost, nothing done twice."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
from PIL import Image

from service.config import MIB
from service.storage import LocalFolder
from tests.flow.evidence import (
    Start,
    digest,
    happened,
    is_intact,
    let_a_day_pass,
    query,
    statuses,
    stored,
    timeline,
    timelines,
    unfinished,
    upload,
    uploading,
    wait_for_all,
    wait_for_its_end,
)
from tests.flow.failing import HOLD, MODULE
from tests.pictures import picture_bytes
from tests.servers import finished, until

DONE = ["claimed", "succeeded"]
RESCUED = ["claimed", "rescued", "claimed", "succeeded"]


def test_kill_9_under_load_loses_nothing_and_does_nothing_twice(
    start: Start, photo: bytes, tmp_path: Path
) -> None:
    first = start(threads=1, upload_buffer_bytes=MIB)
    with half_sent(first.url, photo):
        until(lambda: unfinished(tmp_path), "the first half of an upload on the disk")
        with uploading(first.url, photo) as promised:
            until(lambda: is_busy(statuses(tmp_path)), "a process in the midst of its work")
            first.kill()

    wait_for_its_end(tmp_path)
    assert is_intact(tmp_path)
    caught = set(query(tmp_path, "SELECT id FROM tasks WHERE status = 'running'"))
    assert caught, "no task ran when the process died"
    assert promised, "no upload was acknowledged before the process died"
    assert unfinished(tmp_path), "no upload was under way when the process died"
    orphans = [abandon(tmp_path, "uploads", "ab" * 16), abandon(tmp_path, "processed", "cd/x.jpeg")]
    let_a_day_pass(tmp_path)

    second = start()
    for task_id in caught:
        assert "rescued" in timeline(second.client, task_id), "rescued before the first request"
    wait_for_all(tmp_path)
    for image_id, sent in promised.items():
        assert_whole(second.client, image_id, sent)
    until(lambda: not unfinished(tmp_path), "the sweep of temporary files")
    until(lambda: not any(path.exists() for path in orphans), "the sweep of files without a row")
    assert second.terminate() == 0

    lines = timelines(tmp_path)
    assert lines == {task_id: RESCUED if task_id in caught else DONE for task_id in lines}
    counted = query(tmp_path, "SELECT id, kind, status, attempt, crashes FROM tasks")
    assert counted == [
        (task_id, "image.process", "succeeded", 1, int(task_id in caught))
        for task_id, *_ in counted
    ]
    assert {task_id for task_id, *_ in counted} == set(lines)
    assert query(tmp_path, "SELECT id FROM images WHERE status != 'ready'") == []
    assert set(query(tmp_path, "SELECT count(*) FROM variants GROUP BY image_id")) == {4}
    assert stored(tmp_path, "uploads") == set(query(tmp_path, "SELECT id FROM images"))
    assert stored(tmp_path, "uploads") >= set(promised)
    assert stored(tmp_path, "processed") == set(query(tmp_path, "SELECT key FROM variants"))
    assert is_intact(tmp_path)


def test_a_task_that_takes_its_process_down_twice_is_failed(start: Start, tmp_path: Path) -> None:
    (tmp_path / HOLD).touch()
    first = start(MODULE)
    image = upload(first.client, picture_bytes())
    task = f"/tasks/{image['task_id']}"
    finished(first.client, task, ("running",))
    first.kill()
    second = start(MODULE)
    finished(second.client, task, ("running",))
    second.kill()

    third = start(MODULE)

    failed = third.client.get(task).json()
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "worker_lost"
    assert (failed["crashes"], failed["attempt"]) == (2, 1)
    assert happened(failed) == ["enqueued", "claimed", "rescued", "claimed", "rescued", "failed"]
    document = third.client.get(f"/images/{image['id']}").json()
    assert document["status"] == "failed"
    assert document["error"]["code"] == "worker_lost"
    assert {variant["status"] for variant in document["variants"]} == {"failed"}


def is_busy(statuses: Counter[str]) -> bool:
    """Whether some tasks are done, both places of the one thread are taken, and more wait."""
    return statuses["running"] == 2 and statuses["succeeded"] > 0 and statuses["queued"] > 0


@contextmanager
def half_sent(url: str, photo: bytes) -> Iterator[None]:
    """An upload that has begun and does not come to its end."""
    connection = HTTPConnection(httpx.URL(url).netloc.decode(), timeout=30)
    connection.putrequest("POST", "/images")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Content-Length", str(len(photo)))
    connection.endheaders(photo[:-1])
    yield
    connection.close()


def abandon(folder: Path, store: str, key: str) -> Path:
    """A file as a crash between its rename and its row's commit leaves it."""
    storage = LocalFolder(folder / store, MIB)
    path = storage.path(key)
    storage.close()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"nobody knows me")
    return path


def assert_whole(client: httpx.Client, image_id: str, sent: str) -> None:
    """The image is ready, and its files are what was sent and what was announced."""
    image = client.get(f"/images/{image_id}").raise_for_status().json()
    assert image["status"] == "ready", image["error"]
    assert digest(client.get(f"/images/{image_id}/original").raise_for_status().content) == sent
    assert len(image["variants"]) == 4
    for variant in image["variants"]:
        answer = client.get(variant["url"]).raise_for_status()
        assert len(answer.content) == variant["size_bytes"]
        assert answer.headers["ETag"] == f'"{digest(answer.content)}"'
        with Image.open(io.BytesIO(answer.content)) as picture:
            picture.load()
            assert picture.size == (variant["width"], variant["height"])
