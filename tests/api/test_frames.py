"""One frame of several over HTTP: in pipelines and previews, made, refused, or failed for good."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.api.asking import Document, post, problem, upload
from tests.pictures import animation, encoded, truncated
from tests.servers import Served

THIRD = {"name": "third", "frame": 3, "format": "png"}
BOTH = {"name": "both", "frame": 2, "animated": True}
FAR = {"name": "far", "frame": 10**9}


def pipeline(*variants: Document) -> Document:
    return {"preset": "none", "pipeline": json.dumps({"variants": variants})}


def colour(answer: httpx.Response) -> Any:
    with Image.open(io.BytesIO(answer.raise_for_status().content)) as picture:
        return picture.convert("RGB").getpixel((4, 4))


def test_variants_are_of_their_frames_and_the_placeholder_is_of_the_first(service: Served) -> None:
    first = {"name": "first", "format": "png"}
    sent = upload(service.client, animation(4), **pipeline(first, THIRD))

    image = service.image(sent["id"])

    shown = {one["name"]: colour(service.client.get(one["url"])) for one in image["variants"]}
    assert shown == {"first": (200, 10, 0), "third": (200, 10, 120)}
    assert image["placeholder"]["color"] == "#c80a00"


def test_a_preview_shows_the_frame(idle: Served) -> None:
    image = upload(idle.client, animation(4), preset="none")

    body = {"image_id": image["id"], "recipe": THIRD}
    assert colour(idle.client.post("/pipelines/preview", json=body)) == (200, 10, 120)


@pytest.mark.parametrize(
    ("recipe", "field"),
    [(BOTH, ""), (FAR, ".frame"), ({"name": "none", "frame": 0}, ".frame")],
)
def test_what_contradicts_itself_or_is_no_frame_is_refused(
    idle: Served, recipe: Document, field: str
) -> None:
    image = upload(idle.client, animation(4), preset="none")

    again = {"pipeline": {"variants": [recipe]}}
    processed = idle.client.post(f"/images/{image['id']}/process", json=again)
    body = {"image_id": image["id"], "recipe": recipe}
    previewed = idle.client.post("/pipelines/preview", json=body)
    posted = post(idle.client, [("a.gif", animation(4))], **pipeline(recipe))

    refused = problem(processed, 422, "invalid")
    assert refused["field"] == f"body.pipeline.variants.0{field}"
    assert problem(previewed, 422, "invalid")["field"] == f"body.recipe{field}"
    assert problem(posted, 422, "bad_pipeline")["field"] == f"pipeline.variants.0{field}"


def pages(*sizes: tuple[int, int]) -> bytes:
    first, *others = (Image.new("RGB", size, "white") for size in sizes)
    return encoded(first, "tiff", save_all=True, append_images=others)


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (truncated(animation(4, size=(64, 64)), 0.9), "broken_image", "cannot be decoded"),
        (pages((40, 30), (30, 40), (40, 31)), "bad_pipeline", "40 × 31 pixels, not 40 × 30"),
    ],
)
def test_a_frame_that_cannot_be_made_fails_once_and_says_why(
    service: Served, data: bytes, code: str, said: str
) -> None:
    image = upload(service.client, data, **pipeline({**THIRD, "frame": 4}))

    task = service.task(image["task_id"])

    assert (task["status"], task["attempt"]) == ("failed", 1)
    error = service.client.get(f"/images/{image['id']}").json()["error"]
    assert error["code"] == code
    assert said in error["message"]
