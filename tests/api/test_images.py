"""Images over HTTP, from the upload to the bytes of the variants."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from service.api.files import SMALL_BYTES
from tests.api.asking import JPEG, nothing_remains, pages, post, problem, stored, upload
from tests.pictures import encoded, photo, picture_bytes, stored_turned, truncated
from tests.servers import Served, until

CARD = {
    "name": "card",
    "operations": [{"op": "resize", "width": 30, "height": 20, "fit": "cover"}, {"op": "sharpen"}],
    "format": "webp",
}
PIPELINE = json.dumps({"variants": [CARD]})
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}


def names(document: dict[str, Any]) -> list[str]:
    return [variant["name"] for variant in document["variants"]]


def size_of(client: httpx.Client, url: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(client.get(url).raise_for_status().content)) as image:
        return image.size


# The answer


def test_an_upload_is_answered_with_the_whole_document(idle: Served) -> None:
    answer = post(idle.client, [("photo.jpg", JPEG)])

    assert answer.status_code == 202
    document = answer.json()
    assert answer.headers["location"] == f"/images/{document['id']}"
    assert document.keys() == {
        "id", "filename", "content_type", "format", "size_bytes", "sha256", "width", "height",
        "status", "item_id", "task_id", "created_at", "placeholder", "variants", "srcset",
        "picture", "removed", "error",
    }  # fmt: skip
    assert (document["filename"], document["format"]) == ("photo.jpg", "jpeg")
    assert document["content_type"] == "image/jpeg"
    assert (document["width"], document["height"]) == (96, 64)
    assert document["size_bytes"] == len(JPEG)
    assert document["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert document["status"] == "received"
    assert document["error"] is document["placeholder"] is None
    assert names(document) == ["thumbnail", "small", "medium", "large"]
    assert {variant["status"] for variant in document["variants"]} == {"pending"}


def test_the_document_is_the_same_wherever_it_appears(idle: Served) -> None:
    document = upload(idle.client)

    assert idle.client.get(f"/images/{document['id']}").json() == document
    assert idle.client.get("/images", params={"limit": 1}).json()["items"] == [document]


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "gif", "avif", "tiff", "bmp"])
def test_every_format_is_taken_and_becomes_ready(service: Served, picture_format: str) -> None:
    data = picture_bytes("P" if picture_format == "gif" else "RGB", picture_format=picture_format)

    document = service.image(upload(service.client, data)["id"])

    assert (document["status"], document["format"]) == ("ready", picture_format)
    assert {variant["status"] for variant in document["variants"]} == {"ready"}
    assert document["placeholder"]["color"].startswith("#")


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_sizes_of_the_first_answer_are_those_of_the_files(
    service: Served, orientation: int
) -> None:
    turned = stored_turned(photo((901, 601)), orientation)
    fits = ["cover", "contain", "inside", "outside", "fill"]
    pipeline = {
        "variants": [
            {"name": fit, "operations": [{"op": "resize", "width": 333, "height": 77, "fit": fit}]}
            for fit in fits
        ]
    }

    first = upload(
        service.client,
        encoded(turned, "jpeg", orientation=orientation),
        pipeline=json.dumps(pipeline),
    )
    document = service.image(first["id"])

    assert (first["width"], first["height"]) == (901, 601)
    assert names(first) == ["thumbnail", "small", "medium", "large", *fits]
    for told, made in zip(first["variants"], document["variants"], strict=True):
        assert (told["width"], told["height"]) == size_of(service.client, made["url"])
        assert told["url"] == made["url"]
        answer = service.client.get(made["url"])
        assert len(answer.content) == made["size_bytes"]
        assert answer.headers["content-type"] == told["content_type"]


def test_the_srcset_names_the_variants_of_the_whole_picture(service: Served) -> None:
    document = upload(service.client, picture_bytes(size=(1_000, 500)))

    widths = [entry.split()[1] for entry in document["srcset"].split(", ")]

    assert widths == ["400w", "800w", "1000w"]  # no thumbnail, which is cut


def test_urls_begin_with_the_public_prefix(make_service: Callable[..., Served]) -> None:
    served = make_service(engine="none", public_url="https://cdn.example")

    document = upload(served.client)

    assert document["variants"][0]["url"] == (
        f"https://cdn.example/images/{document['id']}/variants/thumbnail"
    )


# Ways to send


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "application/octet-stream"])
def test_an_image_may_be_the_body_itself(idle: Served, content_type: str) -> None:
    answer = idle.client.post(
        "/images",
        params={"filename": "raw.jpg", "preset": "small", "item_id": "7", "priority": "low"},
        content=JPEG,
        headers={"content-type": content_type},
    )

    assert answer.status_code == 202
    document = answer.json()
    assert (document["filename"], document["item_id"], names(document)) == (
        "raw.jpg",
        "7",
        ["small"],
    )
    assert document["content_type"] == "image/jpeg"  # what it is, not what it was called
    assert idle.client.get(f"/tasks/{document['task_id']}").json()["priority"] == "low"


def test_a_body_without_an_announced_length_is_taken(idle: Served) -> None:
    pieces = (JPEG[at : at + 100] for at in range(0, len(JPEG), 100))

    answer = idle.client.post("/images", content=pieces, headers={"content-type": "image/jpeg"})

    assert answer.status_code == 202
    assert answer.json()["size_bytes"] == len(JPEG)


def test_the_file_may_come_before_or_after_the_fields(idle: Served) -> None:
    before = idle.client.post("/images", files=[("preset", (None, "small")), ("file", ("a", JPEG))])
    after = idle.client.post("/images", files=[("file", ("a", JPEG)), ("preset", (None, "small"))])

    assert names(before.json()) == names(after.json()) == ["small"]


def test_a_file_name_is_shown_without_its_folders(idle: Served) -> None:
    assert upload(idle.client, name="../../etc/Zürich.jpg")["filename"] == "Zürich.jpg"


def test_several_files_get_a_result_each_in_their_order(service: Served) -> None:
    answer = post(
        service.client, [("a.jpg", JPEG), ("b.txt", b"no image"), ("c.jpg", JPEG), ("d.jpg", b"")]
    )

    assert answer.status_code == 202
    results = answer.json()["items"]
    assert [result["filename"] for result in results] == ["a.jpg", "b.txt", "c.jpg", "d.jpg"]
    assert [(result["error"] or {}).get("code") for result in results] == [
        None, "unsupported_format", None, "empty_file",
    ]  # fmt: skip
    for result in results[0::2]:
        assert service.image(result["image"]["id"])["status"] == "ready"


def test_when_all_of_several_files_are_refused_the_request_is(idle: Served) -> None:
    with nothing_remains(idle):
        answer = post(idle.client, [("a.txt", b"no image"), ("b.txt", b"nor this")])

    problem(answer, 415, "unsupported_format")


# What is made


def test_presets_are_chosen_by_name(idle: Served) -> None:
    assert names(upload(idle.client, preset=["small", "large"])) == ["small", "large"]


def test_a_pipeline_comes_on_top_of_the_presets(idle: Served) -> None:
    assert names(upload(idle.client, pipeline=PIPELINE, preset="small")) == ["small", "card"]


def test_preset_none_leaves_the_pipeline_alone(service: Served) -> None:
    first = upload(service.client, pipeline=PIPELINE, preset="none")

    document = service.image(first["id"])

    (card,) = document["variants"]
    assert (card["name"], card["status"], card["format"]) == ("card", "ready", "webp")
    assert size_of(service.client, card["url"]) == (card["width"], card["height"]) == (30, 20)


def test_a_pipelines_variant_takes_the_place_of_a_preset(idle: Served) -> None:
    small = {"variants": [{"name": "small", "operations": [], "format": "png"}]}

    document = upload(idle.client, pipeline=json.dumps(small), preset=["small", "large"])

    assert [(one["name"], one["format"]) for one in document["variants"]] == [
        ("small", "png"), ("large", "jpeg"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "code", "field"),
    [
        ({"preset": "nix"}, "unknown_preset", "preset"),
        ({"pipeline": "{"}, "bad_pipeline", "pipeline"),
        ({"pipeline": "[" * 100_00}, "bad_pipeline", "pipeline"),
        ({"pipeline": "[]"}, "bad_pipeline", "pipeline."),
        ({"pipeline": '{"variants": []}'}, "bad_pipeline", "pipeline.variants"),
        (
            {"pipeline": '{"variants": [{"name": "../x"}]}'},
            "bad_pipeline",
            "pipeline.variants.0.name",
        ),
        (
            {"pipeline": '{"variants": [{"name": "a", "operations": [{"op": "nix"}]}]}'},
            "bad_pipeline",
            "pipeline.variants.0.operations.0",
        ),
        ({"item_id": "../x"}, "invalid", "item_id"),
        ({"priority": "urgent"}, "invalid", "priority"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named_and_nothing_is_kept(
    idle: Served, form: dict[str, str], code: str, field: str
) -> None:
    with nothing_remains(idle):
        answer = post(idle.client, [("a.jpg", JPEG)], **form)

    assert problem(answer, 422, code)["field"] == field


def test_a_pipeline_that_would_make_too_much_is_refused(idle: Served) -> None:
    huge = {"op": "resize", "width": 16_000, "height": 16_000, "fit": "fill", "enlarge": True}
    pipeline = {"variants": [{"name": "huge", "operations": [huge]}]}

    with nothing_remains(idle):
        answer = post(idle.client, [("a.jpg", JPEG)], pipeline=json.dumps(pipeline))

    document = problem(answer, 422, "bad_pipeline")
    assert document["actual"] > document["limit"]


def test_an_upload_may_name_its_item_and_priority(service: Served) -> None:
    document = upload(service.client, item_id="item-7", priority="high")

    assert document["item_id"] == "item-7"
    assert service.task(document["task_id"])["priority"] == "high"
    assert service.client.get("/items/item-7").status_code == 200


# Lists


def test_lists_are_pages_newest_first(make_service: Callable[..., Served]) -> None:
    idle = make_service(engine="none")
    ids = [upload(idle.client, item_id=item)["id"] for item in ("a", "b", "a", "a", "b")]

    found = pages(idle.client, "/images", limit=2)

    assert [len(page) for page in found] == [2, 2, 1]
    assert [one["id"] for page in found for one in page] == ids[::-1]
    (of_a,) = pages(idle.client, "/images", item_id="a")
    assert [one["id"] for one in of_a] == [ids[3], ids[2], ids[0]]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"cursor": "x" * 65}, {"item_id": "/"}]
)
def test_a_list_refuses_what_makes_no_page(client: httpx.Client, query: dict[str, Any]) -> None:
    problem(client.get("/images", params=query), 422, "invalid")


# What was chosen


def test_a_document_tells_what_was_chosen_and_what_a_trim_left(service: Served) -> None:
    framed = Image.new("RGB", (300, 200), "white")
    framed.paste(photo((120, 80)), (40, 50))
    variants = [
        {"name": "cut", "operations": [{"op": "trim"}], "format": "png"},
        {"name": "alike", "similarity": 0.9, "format": "avif"},
        {"name": "small", "max_bytes": 2_000, "format": "webp"},
    ]
    pipeline = json.dumps({"variants": variants})
    document = upload(service.client, encoded(framed, "png"), preset="none", pipeline=pipeline)
    assert [(v["width"], v["quality"], v["score"]) for v in document["variants"]] == (
        [(300, None, None)] * 3
    )

    made = service.image(document["id"])
    cut, alike, small = made["variants"]

    assert ((cut["width"], cut["height"]), cut["quality"]) == ((120, 80), None)
    assert size_of(service.client, cut["url"]) == (120, 80)
    assert alike["score"] >= 0.9
    assert 20 <= alike["quality"] <= 95
    assert (small["score"], small["size_bytes"] <= 2_000) == (None, True)
    assert len(made["placeholder"]["blurhash"]) == 28
    assert made["picture"].startswith('<picture><source type="image/avif" srcset="/images/')
    assert made["picture"].count("<source") == 2


def test_a_watermark_that_is_not_there_is_refused(idle: Served) -> None:
    mark = {"op": "watermark", "image": "nowhere"}
    pipeline = {"variants": [{"name": "marked", "operations": [mark]}]}
    document = upload(idle.client)

    form = post(idle.client, [("a.jpg", JPEG)], pipeline=json.dumps(pipeline))
    body = idle.client.post(f"/images/{document['id']}/process", json={"pipeline": pipeline})

    problem(form, 422, "bad_pipeline")
    problem(body, 422, "bad_pipeline")


# Bytes


def test_the_original_is_what_was_sent_as_an_attachment(idle: Served) -> None:
    document = upload(idle.client, name='Zürich "1".jpg')

    answer = idle.client.get(f"/images/{document['id']}/original")

    assert answer.content == JPEG
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "Z%C3%BCrich" in answer.headers["content-disposition"]
    assert answer.headers["etag"] == f'"{document["sha256"]}"'
    assert SAFE.items() <= dict(answer.headers).items()
    assert "private" in answer.headers["cache-control"]


def test_an_original_is_served_without_its_place(idle: Served) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    exif.get_ifd(0x8825)[0x1D] = "place-4711"
    sent = picture_bytes(size=(900, 700), exif=exif)
    document = upload(idle.client, sent)
    url = f"/images/{document['id']}/original"

    answer = idle.client.get(url)
    part = idle.client.get(url, headers={"range": "bytes=20-199"})
    parts = idle.client.get(url, headers={"range": "bytes=20-29,40-99"})

    assert document["removed"] == ["exif", "gps"]
    assert document["sha256"] == hashlib.sha256(sent).hexdigest()
    assert answer.headers["etag"] == f'"{document["sha256"]}-clean"'
    assert b"place-4711" in sent
    assert b"place-4711" not in answer.content
    assert (len(answer.content), answer.content[-900:]) == (len(sent), sent[-900:])
    assert (part.status_code, part.content) == (206, answer.content[20:200])
    assert (parts.status_code, parts.content) == (200, answer.content)
    assert dict(Image.open(io.BytesIO(answer.content)).getexif()) == {0x0112: 3}


@pytest.fixture
def ready(service: Served) -> dict[str, Any]:
    return service.image(upload(service.client)["id"])


@pytest.fixture
def url(ready: dict[str, Any]) -> str:
    found: str = ready["variants"][0]["url"]
    return found


@pytest.mark.parametrize("what", ["original", "variants/thumbnail"])
def test_bytes_a_client_has_already_are_not_sent_again(
    client: httpx.Client, ready: dict[str, Any], what: str
) -> None:
    path = f"/images/{ready['id']}/{what}"
    tag = client.get(path).headers["etag"]

    for known in (tag, f'"other", W/{tag}', "*"):
        answer = client.get(path, headers={"if-none-match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_variant_is_safe_to_show_and_to_cache(client: httpx.Client, url: str) -> None:
    answer = client.get(url)

    assert SAFE.items() <= dict(answer.headers).items()
    assert "public" in answer.headers["cache-control"]
    assert "content-disposition" not in answer.headers
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == "JPEG"


def test_a_part_of_a_variant_can_be_asked_for(client: httpx.Client, url: str) -> None:
    whole = client.get(url)

    part = client.get(url, headers={"range": "bytes=10-19"})
    beyond = client.get(url, headers={"range": "bytes=9999999-"})
    renewed = client.get(url, headers={"range": "bytes=10-19", "if-range": '"older"'})

    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert beyond.status_code == 416
    assert (renewed.status_code, renewed.content) == (200, whole.content)


def test_small_files_and_large_ones_come_whole(service: Served) -> None:
    """Those that are read at once, and those that are read in parts."""
    noise = Image.effect_noise((400, 400), 90).convert("RGB")
    variants = [
        {"name": name, "operations": [{"op": "crop", "width": side, "height": side}]}
        for name, side in (("small", 20), ("large", 400))
    ]
    pipeline = json.dumps({"variants": [one | {"format": "png"} for one in variants]})
    document = upload(service.client, encoded(noise, "PNG"), preset="none", pipeline=pipeline)

    small, large = service.image(document["id"])["variants"]

    assert small["size_bytes"] < SMALL_BYTES < large["size_bytes"]
    for variant in (small, large):
        answer = service.client.get(variant["url"])
        assert len(answer.content) == variant["size_bytes"]
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'


@pytest.mark.parametrize("what", ["original", "variants/thumbnail"])
def test_head_answers_as_get_does_without_the_bytes(
    client: httpx.Client, ready: dict[str, Any], what: str
) -> None:
    path = f"/images/{ready['id']}/{what}"
    get = client.get(path)

    head = client.head(path)

    assert (head.status_code, head.content) == (200, b"")
    same = ("content-length", "content-type", "etag", "cache-control")
    assert {name: head.headers.get(name) for name in same} == {
        name: get.headers.get(name) for name in same
    }


def test_a_variant_that_is_being_made_is_a_conflict_for_now(idle: Served) -> None:
    document = upload(idle.client)

    answer = idle.client.get(document["variants"][0]["url"])

    problem(answer, 409, "not_ready")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/images/nix"),
        ("DELETE", "/images/nix"),
        ("GET", "/images/nix/original"),
        ("GET", "/images/nix/variants/small"),
        ("POST", "/images/nix/process"),
    ],
)
def test_an_image_that_is_not_there_is_not_found(
    client: httpx.Client, method: str, path: str
) -> None:
    problem(client.request(method, path, json={} if method == "POST" else None), 404, "not_found")


def test_a_variant_nobody_asked_for_is_not_found(
    client: httpx.Client, ready: dict[str, Any]
) -> None:
    problem(client.get(f"/images/{ready['id']}/variants/nix"), 404, "not_found")


# Afterwards


def test_deleting_removes_the_rows_at_once_and_then_the_files(
    make_service: Callable[..., Served],
) -> None:
    service = make_service()
    kept = service.image(upload(service.client)["id"])
    gone = service.image(upload(service.client)["id"])

    answer = service.client.delete(f"/images/{gone['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    for path in (
        f"/images/{gone['id']}",
        f"/images/{gone['id']}/original",
        gone["variants"][0]["url"],
    ):
        problem(service.client.get(path), 404, "not_found")
    until(
        lambda: (len(stored(service)), len(stored(service, "processed"))) == (1, 4), "the removal"
    )
    assert service.client.get(kept["variants"][0]["url"]).status_code == 200
    problem(service.client.delete(f"/images/{gone['id']}"), 404, "not_found")


def test_a_stored_image_can_be_processed_further(service: Served, ready: dict[str, Any]) -> None:
    answer = service.client.post(
        f"/images/{ready['id']}/process",
        json={"pipeline": {"variants": [CARD]}, "priority": "high"},
    )

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/images/{ready['id']}"
    pending = answer.json()
    assert names(pending) == [*names(ready), "card"]
    assert pending["status"] == "processing"
    assert pending["task_id"] != ready["task_id"]
    assert service.task(pending["task_id"])["priority"] == "high"
    document = service.image(ready["id"])
    assert {variant["status"] for variant in document["variants"]} == {"ready"}
    assert size_of(service.client, document["variants"][-1]["url"]) == (30, 20)


def test_a_variant_can_be_made_anew_in_its_place(service: Served, ready: dict[str, Any]) -> None:
    smaller = {"name": "small", "operations": [{"op": "resize", "width": 10}], "format": "png"}

    service.client.post(
        f"/images/{ready['id']}/process", json={"pipeline": {"variants": [smaller]}}
    ).raise_for_status()
    document = service.image(ready["id"])

    small = {variant["name"]: variant for variant in document["variants"]}["small"]
    assert len(document["variants"]) == 4
    assert (small["format"], small["width"], small["height"]) == ("png", 10, 7)
    assert size_of(service.client, small["url"]) == (10, 7)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"presets": ["nix"]}, "unknown_preset"),
        ({"pipeline": {"variants": []}}, "invalid"),
        ({"unknown": 1}, "invalid"),
        ({"priority": "urgent"}, "invalid"),
    ],
)
def test_what_cannot_be_made_of_an_image_is_refused(
    client: httpx.Client, ready: dict[str, Any], body: dict[str, Any], code: str
) -> None:
    problem(client.post(f"/images/{ready['id']}/process", json=body), 422, code)

    assert client.get(f"/images/{ready['id']}").json() == ready


def test_an_image_whose_pixels_are_cut_short_fails_once_and_leaves_no_variant(
    service: Served,
) -> None:
    first = upload(service.client, truncated(picture_bytes(size=(600, 400))))

    document = service.image(first["id"])
    task = service.task(first["task_id"])

    assert (document["status"], document["error"]["code"]) == ("failed", "broken_image")
    assert {variant["status"] for variant in document["variants"]} == {"failed"}
    assert (task["status"], task["attempt"], task["error"]["code"]) == ("failed", 1, "broken_image")
    assert [path for path in stored(service, "processed") if first["id"] in str(path)] == []
    problem(service.client.get(document["variants"][0]["url"]), 404, "not_found")
    assert service.client.get(f"/images/{first['id']}/original").status_code == 200


def test_a_failed_image_is_ready_again_once_all_of_its_variants_are(
    make_service: Callable[..., Served],
) -> None:
    idle = make_service(engine="none")
    document = upload(idle.client)
    idle.client.post(f"/tasks/{document['task_id']}/cancel").raise_for_status()
    cancelled = idle.client.get(f"/images/{document['id']}").json()
    assert (cancelled["status"], cancelled["error"]["code"]) == ("failed", "cancelled")
    working = make_service()

    process = f"/images/{document['id']}/process"

    some = working.client.post(process, json={"presets": ["small"]}).json()
    working.task(some["task_id"])
    again = working.image(document["id"])
    assert again["status"] == "failed"
    assert [one["name"] for one in again["variants"] if one["status"] == "ready"] == ["small"]

    every = working.client.post(process, json={}).json()
    working.task(every["task_id"])
    again = working.image(document["id"])
    assert (again["status"], again["error"]) == ("ready", None)


def test_a_failed_image_is_made_when_its_task_is_retried(
    make_service: Callable[..., Served],
) -> None:
    idle = make_service(engine="none")
    document = upload(idle.client)
    idle.client.post(f"/tasks/{document['task_id']}/cancel").raise_for_status()
    working = make_service()

    working.client.post(f"/tasks/{document['task_id']}/retry").raise_for_status()
    working.task(document["task_id"])

    again = working.client.get(f"/images/{document['id']}").json()
    assert (again["status"], again["error"]) == ("ready", None)
    assert {variant["status"] for variant in again["variants"]} == {"ready"}
