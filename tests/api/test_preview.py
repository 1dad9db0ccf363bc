"""Recipes tried on stored images: seen at once, bounded, and nothing kept."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from PIL import Image

from service.api.previewing import Previews
from service.errors import TooBusy
from service.imaging import Recipe, Rendered
from tests.api.asking import Document, nothing_remains, problem, upload
from tests.pictures import encoded, picture_bytes, truncated
from tests.servers import PATIENCE, Served, until

MakeService = Callable[..., Served]
CARD = {
    "name": "card",
    "operations": [{"op": "resize", "width": 600, "height": 300, "fit": "cover"}],
    "format": "webp",
}


def preview(served: Served, image: Document, recipe: Any, **fields: Any) -> httpx.Response:
    body = {"image_id": image["id"], "recipe": recipe, **fields}
    return served.client.post("/pipelines/preview", json=body)


def test_a_preview_is_the_variant_scaled_down_even_where_nobody_works(idle: Served) -> None:
    image = upload(idle.client, picture_bytes(size=(1000, 800)), preset="none")
    with nothing_remains(idle):
        answer = preview(idle, image, CARD, side_px=100)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.size, picture.format) == ((100, 50), "WEBP")


def test_a_preview_has_512_pixels_a_side_unless_it_is_asked_for_less(service: Served) -> None:
    image = upload(service.client, picture_bytes(size=(1000, 800)), preset="none")

    with Image.open(io.BytesIO(preview(service, image, {"name": "whole"}).content)) as picture:
        assert picture.size == (512, 410)
    problem(preview(service, image, CARD, side_px=513), 422, "invalid")


def test_a_preview_shows_watermarks(make_service: MakeService, tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(encoded(Image.new("RGB", (8, 8), "#ff0000"), "png"))
    served = make_service(watermarks=tmp_path)
    image = upload(served.client, encoded(Image.new("RGB", (64, 64), "white"), "png"))
    mark = {"op": "watermark", "image": "logo", "scale": 1, "opacity": 1, "margin": 0}

    answer = preview(served, image, {"name": "marked", "operations": [mark], "format": "png"})

    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.convert("RGB").getpixel((32, 32)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("recipe", "code", "field"),
    [
        ({"name": "x", "operations": [{"op": "nix"}]}, "invalid", "body.recipe.operations.0"),
        ({"name": "x", "quality": 0}, "invalid", "body.recipe.quality"),
        (
            {"name": "x", "operations": [{"op": "resize", "width": 16000, "enlarge": True}]},
            "bad_pipeline",
            "variants",
        ),
        (
            {"name": "x", "operations": [{"op": "watermark", "image": "nowhere"}]},
            "bad_pipeline",
            "recipe",
        ),
    ],
)
def test_a_recipe_that_cannot_be_carried_out_is_refused(
    service: Served, recipe: Any, code: str, field: str
) -> None:
    image = upload(service.client, picture_bytes(size=(100, 80)), preset="none")

    assert problem(preview(service, image, recipe), 422, code)["field"] == field


def test_what_is_not_there_or_broken_is_said(service: Served) -> None:
    broken = upload(service.client, truncated(picture_bytes(size=(300, 200))), preset="none")

    problem(preview(service, {"id": "nix"}, CARD), 404, "not_found")
    problem(preview(service, broken, CARD), 422, "broken_image")


def test_too_many_at_once_are_refused(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, run = threading.Event(), Previews._run

    async def held(*asked: Any) -> Rendered:
        assert await asyncio.to_thread(go_on.wait, PATIENCE)
        return await run(*asked)

    monkeypatch.setattr(Previews, "_run", held)
    served = make_service(max_previews=1)
    image = upload(served.client, picture_bytes(size=(1000, 800)), preset="none")
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(preview, served, image, CARD)
        until(lambda: served.parts.previews.under_way, "the first")

        refused = preview(served, image, CARD)
        go_on.set()

        problem(refused, 503, "too_busy")
        assert refused.headers["retry-after"] == "1"
        assert first.result(30).status_code == 200
    assert preview(served, image, CARD).status_code == 200


def test_one_that_takes_too_long_is_ended(idle: Served) -> None:
    image = upload(idle.client, picture_bytes(size=(1000, 800)), preset="none")

    async def impatient() -> None:
        previews = Previews(idle.parts.runtime, seconds=0.05)
        with pytest.raises(TooBusy):
            await previews.made(image["id"], Recipe.model_validate(CARD), 512)
        assert previews.under_way == 0
        await previews.close()

    anyio.run(impatient)
