"""What is refused: how it is said, at which limit, and that nothing of it remains."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from tests.api.asking import JPEG, nothing_remains, post, problem, upload
from tests.conftest import ON_SQLITE
from tests.pictures import animation, jpeg_header, picture_bytes, png_header
from tests.servers import PATIENCE, Served, until

MakeService = Callable[..., Served]

pytestmark = ON_SQLITE  # refused before the database is asked


@pytest.fixture
def make_idle(make_service: MakeService) -> MakeService:
    return lambda **changes: make_service(engine="none", **changes)


# One file


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "empty_file"),
        (b"x", 415, "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>" * 9, 415, "unsupported_format"),
        (b"%PDF-1.7 " * 99, 415, "unsupported_format"),
        (JPEG[:20], 422, "unreadable_image"),
        (picture_bytes(picture_format="png")[:40], 422, "unreadable_image"),
        (png_header(60_000, 10), 422, "image_too_large"),
        (jpeg_header(16_000, 16_000), 422, "image_too_large"),
    ],
    ids=["empty", "byte", "svg", "pdf", "cut-jpeg", "cut-png", "long-side", "bomb"],
)
@pytest.mark.parametrize("raw", [False, True], ids=["form", "raw"])
def test_a_file_that_is_no_good_picture_is_refused(
    idle: Served, data: bytes, status: int, code: str, raw: bool
) -> None:
    with nothing_remains(idle):
        if raw:
            headers = {"content-type": "image/jpeg"}
            answer = idle.client.post("/images", content=data, headers=headers)
        else:
            answer = post(idle.client, [("a.jpg", data)])

    problem(answer, status, code)


def test_a_format_off_the_allow_list_is_refused(make_idle: MakeService) -> None:
    served = make_idle(formats=("png", "webp"))

    with nothing_remains(served):
        answer = post(served.client, [("a.jpg", JPEG)])

    document = problem(answer, 415, "unsupported_format")
    assert "png, webp" in document["detail"]
    upload(served.client, picture_bytes(picture_format="png"))


@pytest.mark.parametrize(
    ("setting", "value", "data"),
    [
        ("max_pixels", 96 * 64, JPEG),
        ("max_side_px", 96, JPEG),
        ("max_frames", 3, animation(3)),
    ],
)
def test_a_picture_at_a_limit_is_taken_and_one_above_refused(
    make_idle: MakeService, setting: str, value: int, data: bytes
) -> None:
    upload(make_idle(**{setting: value}).client, data)
    stricter = make_idle(**{setting: value - 1})

    with nothing_remains(stricter):
        answer = post(stricter.client, [("a", data)])

    document = problem(answer, 422, "image_too_large")
    assert (document["limit"], document["actual"]) == (value - 1, value)


# Bytes


def _form(client: httpx.Client, data: bytes) -> httpx.Response:
    return post(client, [("a.jpg", data)])


def _raw(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/images", content=data, headers={"content-type": "image/jpeg"})


def _chunked(client: httpx.Client, data: bytes) -> httpx.Response:
    pieces = (data[at : at + 500] for at in range(0, len(data), 500))
    return client.post("/images", content=pieces, headers={"content-type": "image/jpeg"})


@pytest.mark.parametrize("send", [_form, _raw, _chunked])
def test_a_file_of_the_largest_size_is_taken_and_a_byte_more_refused(
    make_idle: MakeService, send: Callable[[httpx.Client, bytes], httpx.Response]
) -> None:
    limit = len(JPEG) + 10
    served = make_idle(max_upload_bytes=limit)
    assert send(served.client, JPEG + bytes(10)).status_code == 202

    with nothing_remains(served):
        answer = send(served.client, JPEG + bytes(11))

    document = problem(answer, 413, "too_large")
    assert (document["limit"], document["actual"]) == (limit, limit + 1)


def test_of_several_files_only_the_one_that_is_too_large_is_refused(
    make_idle: MakeService,
) -> None:
    served = make_idle(max_upload_bytes=len(JPEG))

    answer = post(served.client, [("a.jpg", JPEG), ("b.jpg", JPEG + b"x"), ("c.jpg", JPEG)])

    codes = [(result["error"] or {}).get("code") for result in answer.json()["items"]]
    assert codes == [None, "too_large", None]


def test_a_body_far_beyond_the_limit_still_gets_its_answer(make_idle: MakeService) -> None:
    served = make_idle(max_upload_bytes=1_000)

    with nothing_remains(served):
        answer = _raw(served.client, JPEG + bytes(5_000_000))

    assert problem(answer, 413, "too_large")["limit"] == 1_000
    assert answer.headers["connection"] == "close"
    assert served.client.get("/healthz").status_code == 200


def test_more_files_than_allowed_are_refused_together(make_idle: MakeService) -> None:
    served = make_idle(max_files=2)
    assert post(served.client, [("a", JPEG)] * 2).status_code == 202

    with nothing_remains(served):
        answer = post(served.client, [("a", JPEG)] * 3)

    document = problem(answer, 413, "too_large")
    assert (document["limit"], document["actual"]) == (2, 3)


@pytest.mark.parametrize("path", ["/users", "/notifications", "/send-notification/a@example.com",
                                  "/images/nix/process"])  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_json_body_beyond_64_kib_is_refused(idle: Served, path: str, chunked: bool) -> None:
    body = b'{"message": "' + b"x" * 65_536 + b'"}'
    content = iter([body]) if chunked else body

    with nothing_remains(idle):
        answer = idle.client.post(
            path, content=content, headers={"content-type": "application/json"}
        )

    assert problem(answer, 413, "too_large")["limit"] == 65_536


# The form of the request


def test_a_form_without_a_file_is_refused(idle: Served) -> None:
    with nothing_remains(idle):
        answer = idle.client.post("/images", files={"preset": (None, "small")})

    assert problem(answer, 422, "missing_file")["field"] == "file"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a form",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + JPEG,
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + JPEG + b"\r\n--b\r\nbad",
    ],
    ids=["empty", "none", "unclosed", "nameless", "broken-after-a-file"],
)
def test_a_malformed_form_is_refused_and_its_files_are_removed(idle: Served, body: bytes) -> None:
    with nothing_remains(idle):
        answer = idle.client.post(
            "/images", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
        )

    problem(answer, 400, "malformed_body")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(idle: Served, content_type: str) -> None:
    headers = {"content-type": content_type}

    problem(idle.client.post("/images", content=b"x", headers=headers), 400, "malformed_body")


def test_more_fields_than_any_client_needs_are_refused(idle: Served) -> None:
    with nothing_remains(idle):
        answer = post(idle.client, [("a.jpg", JPEG)], preset=["small"] * 41)

    problem(answer, 400, "malformed_body")


@pytest.mark.parametrize(
    "headers", [{"content-type": "text/plain"}, {"content-type": "application/json"}, {}]
)
def test_a_body_that_is_neither_form_nor_image_is_refused(
    idle: Served, headers: dict[str, str]
) -> None:
    with nothing_remains(idle):
        answer = idle.client.post("/images", content=JPEG, headers=headers)

    problem(answer, 415, "unsupported_format")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate"])
def test_a_compressed_body_is_refused(idle: Served, coding: str) -> None:
    headers = {"content-type": "image/jpeg", "content-encoding": coding}

    with nothing_remains(idle):
        answer = idle.client.post("/images", content=gzip.compress(JPEG), headers=headers)

    problem(answer, 415, "unsupported_format")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"recipient": "\\ud800"}', b""])
def test_json_that_is_none_is_refused(idle: Served, body: bytes) -> None:
    with nothing_remains(idle):
        answer = idle.client.post(
            "/notifications", content=body, headers={"content-type": "application/json"}
        )

    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code, {400: "malformed_body", 422: "invalid"}[answer.status_code])


def test_what_the_framework_refuses_is_a_problem_too(client: httpx.Client) -> None:
    problem(client.get("/nix"), 404, "not_found")
    answer = client.put("/images")
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


# Clients that do not finish


@pytest.fixture
def connect(make_idle: MakeService) -> Iterator[Callable[[Served], socket.socket]]:
    """Begin an upload of 10 kB on a bare socket, and send no more than its first bytes."""
    opened: list[socket.socket] = []

    def begin(served: Served) -> socket.socket:
        host, port = served.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), PATIENCE)
        opened.append(connection)
        head = f"POST /images HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\n"
        connection.sendall(head.encode() + b"Content-Length: 10000\r\n\r\n" + JPEG[:500])
        return connection

    yield begin
    for connection in opened:
        connection.close()


def test_a_body_slower_than_the_minimum_rate_is_cut_off(
    make_idle: MakeService, connect: Callable[[Served], socket.socket]
) -> None:
    served = make_idle(body_grace_seconds=0.2)

    with nothing_remains(served), closing(connect(served)) as connection:
        answer = connection.recv(65_536).decode()

    assert answer.startswith("HTTP/1.1 408")
    assert '"code":"too_slow"' in answer


def test_of_an_upload_whose_client_went_away_nothing_remains(
    make_idle: MakeService, connect: Callable[[Served], socket.socket]
) -> None:
    served = make_idle()

    with nothing_remains(served):
        connect(served).close()
        gone = 'pixmill_uploads_total{outcome="refused",reason="client_gone"} 1.0'
        until(lambda: gone in served.client.get("/metrics").text, "the end of the upload")
