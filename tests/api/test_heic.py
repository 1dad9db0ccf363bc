"""HEIC over HTTP: refused with a way out, or made in a child process and served clean."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx
from PIL import Image, ImageOps

from tests.api.asking import post, problem, upload
from tests.heic import PLACE, with_place
from tests.pictures import photo
from tests.servers import Served, finished
from tests.unit.imaging.similar import difference

MakeService = Callable[..., Served]


def test_where_it_is_not_named_it_is_refused_with_a_way_out(idle: Served) -> None:
    document = problem(post(idle.client, [("a.heic", with_place())]), 415, "unsupported_format")
    assert "pixmill[heic]" in document["detail"]
    assert "PIXMILL_FORMATS" in document["detail"]


def test_a_child_process_makes_it_and_its_original_tells_no_place(
    make_service: MakeService,
) -> None:
    served = make_service(formats=("heic",), isolation=("process",))
    client: httpx.Client = served.client
    data = with_place(orientation=6)
    document = upload(client, data, "a.heic", preset="large")
    assert (document["format"], document["content_type"]) == ("heic", "image/heic")
    assert (document["width"], document["height"]) == (64, 96)
    assert document["removed"] == ["exif", "gps", "icc", "xmp"]

    done = finished(client, f"/images/{document['id']}", ("ready", "failed"))
    assert done["status"] == "ready"
    (variant,) = done["variants"]
    made = Image.open(io.BytesIO(client.get(variant["url"]).content))
    turned = photo()
    turned.getexif()[0x0112] = 6
    assert difference(made, ImageOps.exif_transpose(turned)) < 8

    original = client.get(f"/images/{document['id']}/original")
    assert original.headers["content-type"] == "image/heic"
    assert original.headers["etag"] == f'"{document["sha256"]}-clean"'
    assert len(original.content) == len(data)
    assert PLACE not in original.content
