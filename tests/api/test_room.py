"""Where there is no room: in the queue, on the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.asking import JPEG, nothing_remains, post, problem, upload
from tests.servers import Served, until

MakeService = Callable[..., Served]


@pytest.fixture
def make_idle(make_service: MakeService) -> MakeService:
    return lambda **changes: make_service(engine="none", **changes)


ENQUEUING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/users?email=b@example.com", {}),
    ("/items/7", {}),
    ("/items/7/process", {}),
    ("/process/7", {}),
    ("/send-notification/b@example.com", {}),
    ("/notifications", {"json": {"recipient": "b", "body": "x"}}),
    ("/images", {"files": {"file": JPEG}}),
    ("/upload-image/", {"files": {"file": JPEG}}),
    ("/images/{image_id}/process", {"json": {}}),
)


def test_as_many_tasks_as_allowed_may_wait_and_one_more_is_refused_everywhere(
    make_idle: MakeService,
) -> None:
    served = make_idle(max_queued_tasks=2)
    image_id = upload(served.client)["id"]
    upload(served.client)

    for path, body in ENQUEUING:
        with nothing_remains(served):
            answer = served.client.post(path.format(image_id=image_id), **body)
        document = problem(answer, 503, "queue_full")
        assert (document["limit"], document["actual"]) == (2, 2)
        assert int(answer.headers["retry-after"]) >= 1


def test_there_is_room_again_once_a_task_is_cancelled(make_idle: MakeService) -> None:
    served = make_idle(max_queued_tasks=1)
    task_id = upload(served.client)["task_id"]
    problem(post(served.client, [("a", JPEG)]), 503, "queue_full")

    served.client.post(f"/tasks/{task_id}/cancel").raise_for_status()

    until(lambda: post(served.client, [("a", JPEG)]).status_code == 202, "room")


def test_a_disk_that_is_nearly_full_takes_no_more_files(make_idle: MakeService) -> None:
    served = make_idle(min_free_bytes=2**60)

    with nothing_remains(served):
        answer = post(served.client, [("a.jpg", JPEG)])

    document = problem(answer, 507, "disk_full")
    assert document["limit"] == 2**60 > document["actual"]
    assert int(answer.headers["retry-after"]) >= 1
