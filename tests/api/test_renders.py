"""Renders on the fly: signed, negotiated, made once, bounded, gone with their image."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from service.signing import sign
from tests.api.asking import Document, problem, stored, upload
from tests.api.conftest import serving
from tests.conftest import NewDatabase
from tests.pictures import animation, encoded, picture_bytes, truncated
from tests.servers import Served, until

KEY, PREVIOUS = "0123456789abcdef" * 2, "fedcba9876543210" * 2
MakeService = Callable[..., Served]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Served]:
    """A service that renders on the fly."""
    keys = {"render_key": KEY, "previous_render_key": PREVIOUS, "max_renders_per_image": 3}
    with serving(tmp_path_factory.mktemp("renders"), "embedded", new_database, **keys) as served:
        yield served


@pytest.fixture
def image(signed: Served) -> Document:
    return upload(signed.client, picture_bytes(size=(96, 64)), preset="none")


def address(image: Document, query: str = "") -> str:
    return f"/images/{image['id']}/render{query}"


def render(
    served: Served, image: Document, query: str = "", key: str = KEY, **headers: str
) -> httpx.Response:
    return served.client.get(sign(key, address(image, query)), headers=headers)


def test_a_render_keeps_the_part_it_is_told_to(signed: Served) -> None:
    halves = Image.new("RGB", (40, 80), "#ff0000")
    halves.paste("#0000ff", (0, 40, 40, 80))
    image = upload(signed.client, encoded(halves, "png"), preset="none")

    for gravity, colour in (("north", (255, 0, 0)), ("south", (0, 0, 255))):
        answer = render(signed, image, f"?w=40&h=20&fit=cover&g={gravity}&format=png")
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert picture.convert("RGB").getpixel((20, 10)) == colour


@pytest.mark.parametrize(
    ("query", "size", "shown"),
    [
        ("?w=48", (48, 32), "jpeg"),
        ("?w=24&dpr=2", (48, 32), "jpeg"),
        ("?w=30&h=30&fit=cover&format=webp&q=50", (30, 30), "webp"),
        ("?w=30&h=30&fit=contain&bg=%23ff000080&format=png", (30, 30), "png"),
        ("?w=30&h=30&fit=cover&g=smart&format=gif", (30, 30), "gif"),
        ("?w=30&h=30&fit=contain&bg=blur", (30, 30), "jpeg"),
        ("?h=128&enlarge=true&format=avif", (192, 128), "avif"),
        ("", (96, 64), "jpeg"),
    ],
)
def test_a_picture_is_made_as_the_address_asks(
    signed: Served, query: str, size: tuple[int, int], shown: str
) -> None:
    image = upload(signed.client, picture_bytes(size=(96, 64)), preset="none")

    answer = render(signed, image, query)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == f"image/{shown}"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.size, (picture.format or "").lower()) == (size, shown)


@pytest.mark.parametrize("source", ["gif", "webp", "tiff"])
def test_a_render_shows_the_frame_or_the_last(signed: Served, source: str) -> None:
    image = upload(signed.client, animation(4, source), preset="none")

    for frame, blue in (("", 0), ("&frame=3", 120), ("&frame=1000000", 180)):
        answer = render(signed, image, f"?format=png{frame}")
        with Image.open(io.BytesIO(answer.raise_for_status().content)) as picture:
            found = picture.convert("RGB").getpixel((4, 4))
        assert found == pytest.approx((200, 10, blue), abs=4)


@pytest.mark.parametrize(
    ("accept", "shown"),
    [
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "avif"),
        ("image/webp,*/*", "webp"),
        ("image/avif;q=0, image/webp;q=0.5", "webp"),
        ("*/*", "jpeg"),
        ("", "jpeg"),
    ],
)
def test_the_format_is_what_the_client_takes(signed: Served, accept: str, shown: str) -> None:
    image = upload(signed.client, picture_bytes(size=(96, 64)), preset="none")

    answer = render(signed, image, "?w=20", accept=accept)

    assert answer.headers["content-type"] == f"image/{shown}"
    assert answer.headers["vary"] == "Accept"


def test_what_is_transparent_stays_so_for_those_who_take_nothing_new(signed: Served) -> None:
    image = upload(signed.client, picture_bytes("RGBA", (96, 64), "png"), preset="none")

    assert render(signed, image, "?w=20", accept="*/*").headers["content-type"] == "image/png"
    assert "vary" not in render(signed, image, "?w=20&format=png").headers


def test_it_is_served_as_a_variant_is_and_made_once(signed: Served, image: Document) -> None:
    first = render(signed, image, "?w=20")
    again = render(signed, image, "?w=20")
    part = render(signed, image, "?w=20", range="bytes=0-9")
    known = render(signed, image, "?w=20", **{"if-none-match": first.headers["etag"]})

    assert first.content == again.content
    assert (part.status_code, part.content) == (206, first.content[:10])
    assert (known.status_code, known.headers["vary"]) == (304, "Accept")
    assert first.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert len(tasks_of(signed, image)) == 1


def test_many_who_ask_at_once_have_it_made_once(signed: Served, image: Document) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: render(signed, image, "?w=40"), range(16)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(tasks_of(signed, image)) == 1


def test_no_document_shows_it(signed: Served, image: Document) -> None:
    render(signed, image, "?w=20")

    document = signed.client.get(f"/images/{image['id']}").json()
    assert (document["variants"], document["srcset"]) == ([], "")
    assert signed.client.get(f"/images/{image['id']}/variants/render").status_code == 404


@pytest.mark.parametrize("query", ["", "?w=20", "?w=20&s=", "?w=20&s=" + "0" * 64])
def test_what_is_not_signed_is_refused(signed: Served, image: Document, query: str) -> None:
    problem(signed.client.get(address(image, query)), 403, "bad_signature")


def test_a_signature_is_for_one_address(signed: Served, image: Document) -> None:
    good = sign(KEY, address(image, "?w=20"))

    problem(signed.client.get(good.replace("w=20", "w=21")), 403, "bad_signature")
    problem(signed.client.get(f"{good}&w=21"), 403, "bad_signature")


def test_the_key_before_is_taken_as_well(signed: Served, image: Document) -> None:
    assert render(signed, image, "?w=20", key=PREVIOUS).status_code == 200
    problem(render(signed, image, "?w=20", key="x" * 32), 403, "bad_signature")


def test_an_address_expires(signed: Served, image: Document) -> None:
    now = int(time.time())
    late, early = (sign(KEY, address(image, "?w=20"), now + seconds) for seconds in (-1, 60))

    assert problem(signed.client.get(late), 403, "bad_signature")["field"] == "e"
    assert signed.client.get(early).status_code == 200


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("?w=0", "invalid", "query.w"),
        ("?w=20&x=1", "invalid", "query.x"),
        ("?w=20&fit=crop", "invalid", "query.fit"),
        ("?w=9000&dpr=2", "invalid", "query.w"),
        ("?w=20&frame=0", "invalid", "query.frame"),
        ("?w=20&frame=1000000000", "invalid", "query.frame"),
        ("?w=16000&h=16000&fit=fill&enlarge=true", "bad_pipeline", "variants"),
    ],
)
def test_what_cannot_be_made_is_said(
    signed: Served, image: Document, query: str, code: str, field: str
) -> None:
    refused = problem(render(signed, image, query), 422, code)

    assert refused["field"] == field


def test_an_image_has_so_many_and_no_more(signed: Served, image: Document) -> None:
    for width in (20, 21, 22):
        assert render(signed, image, f"?w={width}").status_code == 200

    refused = problem(render(signed, image, "?w=23"), 409, "too_many_renders")

    assert (refused["limit"], refused["actual"]) == (3, 4)
    assert render(signed, image, "?w=22").status_code == 200


def test_a_picture_that_is_broken_is_told_and_takes_no_place(signed: Served) -> None:
    image = upload(signed.client, truncated(picture_bytes(size=(300, 200))), preset="none")

    for width in (20, 21, 22, 23):
        problem(render(signed, image, f"?w={width}"), 422, "broken_image")


def test_what_is_not_there_is_not_found(signed: Served) -> None:
    problem(render(signed, {"id": "nix"}, "?w=20"), 404, "not_found")


def test_without_a_key_nothing_is_rendered(service: Served) -> None:
    image = upload(service.client, preset="none")

    refused = problem(render(service, image, "?w=20"), 404, "not_found")
    assert "PIXMILL_RENDER_KEY" in refused["detail"]


def test_it_goes_with_its_image(make_service: MakeService) -> None:
    served = make_service(render_key=KEY)
    image = upload(served.client, preset="none")
    assert render(served, image, "?w=20").status_code == 200
    (file,) = stored(served, "processed")

    assert served.client.delete(f"/images/{image['id']}").status_code == 204

    until(lambda: not file.exists(), "the removal of the file")
    problem(render(served, image, "?w=20"), 404, "not_found")


def test_too_many_at_once_are_refused(make_service: MakeService) -> None:
    served = make_service(render_key=KEY, max_renders=1)
    image = upload(served.client, picture_bytes(size=(96, 64)), preset="none")
    served.client.post("/kinds/image.render/pause").raise_for_status()
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(render, served, image, "?w=20")
        until(lambda: tasks_of(served, image), "the task")

        refused = render(served, image, "?w=21")

        problem(refused, 503, "too_busy")
        assert refused.headers["retry-after"] == "1"
        served.client.post("/kinds/image.render/resume").raise_for_status()
        assert waiting.result(30).status_code == 200


def test_a_flood_leaves_room_for_uploads(make_service: MakeService) -> None:
    served = make_service(render_key=KEY, threads=1, max_renders_per_image=10**6)
    image = upload(served.client, picture_bytes(size=(1200, 900)), preset="none")
    stop, statuses = threading.Event(), []

    def flood(first: int) -> None:
        for quality in itertools.count(first, 8):
            if stop.is_set():
                return
            query = f"?w={1 + quality // 100}&q={1 + quality % 100}"
            statuses.append(render(served, image, query).status_code)

    with ThreadPoolExecutor(8) as clients:
        flooding = [clients.submit(flood, first) for first in range(8)]
        try:
            until(lambda: len(statuses) > 8, "the flood")
            for _ in range(3):
                ready = served.image(upload(served.client, picture_bytes(size=(1200, 900)))["id"])
                assert ready["status"] == "ready"
            there = len(statuses)
            until(lambda: len(statuses) > there, "that it goes on")
        finally:
            stop.set()
        for one in flooding:
            one.result()
    assert set(statuses) == {200}


def test_a_render_of_a_deleted_image_is_not_found(make_service: MakeService) -> None:
    served = make_service(render_key=KEY)
    image = upload(served.client, preset="none")
    served.client.post("/kinds/image.render/pause").raise_for_status()
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(render, served, image, "?w=20")
        until(lambda: tasks_of(served, image), "the task")

        served.client.delete(f"/images/{image['id']}").raise_for_status()

        problem(waiting.result(30), 404, "not_found")


def test_the_name_is_taken(signed: Served) -> None:
    answer = signed.client.post(
        "/images",
        files={"file": picture_bytes()},
        data={"pipeline": '{"variants": [{"name": "render"}]}'},
    )

    problem(answer, 422, "bad_pipeline")


def tasks_of(served: Served, image: Document) -> list[Document]:
    query = {"kind": "image.render", "subject_type": "image", "subject_id": image["id"]}
    found: list[Document] = served.client.get("/tasks", params=query).json()["items"]
    return found
