"""Pictures made behind a request's back, and for one that waits, on every engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from service.imaging import Recipe
from service.refreshing import refresh
from service.signing import sign
from tests.conformance.engines import Cluster
from tests.conformance.engines.base import RENDER_KEY
from tests.flow.evidence import query, upload
from tests.pictures import picture_bytes
from tests.servers import finished, until


def test_a_variant_is_made_by_another_recipe_and_swapped(cluster: Cluster) -> None:
    image = upload(cluster.client, picture_bytes(size=(96, 64)), preset="thumbnail")
    finished(cluster.client, f"/images/{image['id']}", ("ready",))
    recipe = Recipe.model_validate(
        {"name": "thumbnail", "operations": [{"op": "resize", "width": 50}]}
    )

    (task_id,) = cluster.enqueue(refresh, {"image_id": image["id"], "recipes": [recipe.as_json]})

    assert cluster.wait_for(task_id)["status"] == "succeeded"
    (variant,) = cluster.client.get(f"/images/{image['id']}").json()["variants"]
    assert (variant["width"], variant["status"], variant["stale"]) == (50, "ready", True)


def test_a_render_is_made_once_though_two_processes_are_asked(cluster: Cluster) -> None:
    image = upload(cluster.client, picture_bytes(size=(96, 64)), preset="none")
    address = sign(RENDER_KEY, f"/images/{image['id']}/render?w=30&format=webp")
    other = cluster.process("serve", PIXMILL_ENGINE="none")
    urls = [f"{process.url}{address}" for process in (cluster.api, other) * 4]

    with ThreadPoolExecutor(len(urls)) as clients:
        answers = list(clients.map(lambda url: httpx.get(url, timeout=30), urls))
    other.kill()

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    mine = f"SELECT result FROM tasks WHERE kind = 'image.render' AND subject_id = '{image['id']}'"
    until(lambda: None not in query(cluster.folder, mine), "the end of whoever came late")
    assert sum("bytes" in str(result) for result in query(cluster.folder, mine)) == 1
