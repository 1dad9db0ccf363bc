"""Two services on one database, asked for the same things at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from service.models import new_id
from service.tasks.words import LIVE
from tests.api.asking import upload
from tests.servers import Served, finished, until

MakeService = Callable[..., Served]
CLIENTS = 4


def two(make_service: MakeService) -> list[Served]:
    """Two services, one after the other asked for what none of their routers has.

    The framework makes a router ready when a request first comes by, and these two threads would
    do so at once; processes, which real services are, each have their own.
    """
    served = [make_service(), make_service()]
    for one in served:
        assert one.client.get("/nowhere").status_code == 404
    return served


def card(width: int) -> dict[str, object]:
    resize = {"op": "resize", "width": width}
    return {"pipeline": {"variants": [{"name": f"w{width}", "operations": [resize]}]}}


def test_tasks_of_one_image_that_end_together_leave_it_ready(make_service: MakeService) -> None:
    """Each sees the other's variants when it says how the image is."""
    served = two(make_service)
    image = upload(served[0].client)

    def ask(number: int) -> int:
        client = served[number % 2].client
        return client.post(f"/images/{image['id']}/process", json=card(20 + number)).status_code

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert Counter(pool.map(ask, range(12))) == {202: 12}
    ended(served[0])

    found = finished(served[1].client, f"/images/{image['id']}", ("ready", "failed"))
    assert {one["status"] for one in found["variants"]} == {"ready"}
    assert (found["status"], len(found["variants"])) == ("ready", 16)


def test_an_items_statistics_count_what_both_took_in_and_removed(
    make_service: MakeService,
) -> None:
    served = two(make_service)
    item_id = new_id()

    def ask(number: int) -> None:
        client = served[number % 2].client
        image = upload(client, item_id=item_id)
        if number % 4 == 0:
            client.delete(f"/images/{image['id']}").raise_for_status()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(16)))
    ended(served[0])

    item = served[1].client.get(f"/items/{item_id}").json()
    images = served[1].client.get("/images", params={"item_id": item_id, "limit": 100}).json()
    assert item["image_count"] == len(images["items"]) == 12
    assert item["variant_count"] == 12 * 4


def test_an_action_and_a_cancel_of_its_task_come_one_after_the_other(
    make_service: MakeService,
) -> None:
    served = two(make_service)

    def ask(number: int) -> str:
        task_id = served[0].client.post(f"/items/{number}?action=create").json()["task_id"]
        answer = served[number % 2].client.post(f"/tasks/{task_id}/cancel")
        assert answer.status_code in (200, 202, 409)
        status: str = served[0].task(task_id)["status"]
        assert status == ("cancelled" if answer.status_code == 200 else "succeeded")
        return status

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert sum(Counter(pool.map(ask, range(24))).values()) == 24


def ended(served: Served) -> None:
    """Wait until no task is left to do.

    All statuses in one look: between two, one task may end and leave another behind.
    """

    def left() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = served.client.get("/tasks", params={"status": LIVE}).json()[
            "items"
        ]
        return found

    until(lambda: not left(), "the end of all tasks")
