"""What a hostile client sent once, and must not get away with again."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest

from tests.api.asking import JPEG, nothing_remains, post, problem, upload
from tests.servers import Served


def exchange(service: Served, *pieces: bytes) -> bytes:
    """Send raw bytes as far as the server takes them, and return the whole answer."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # it closed: the answer says why
        answer = b""
        try:
            while chunk := connection.recv(65_536):
                answer += chunk
        except OSError:
            pass
    return answer


@pytest.mark.parametrize(
    "flood",
    [
        b"a: b\r\n" * 20_000,
        b"a: " + b"b" * 200_000,
        b"".join(b"h%d: b\r\n" % n for n in range(200)),
    ],
    ids=["many bytes", "one long header", "many fields"],
)
def test_the_head_of_a_request_is_bounded(service: Served, flood: bytes) -> None:
    answer = exchange(service, b"GET /healthz HTTP/1.1\r\nhost: x\r\n", flood, b"\r\n")

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert service.client.get("/healthz").status_code == 200


def test_an_ordinary_head_with_many_fields_is_taken(service: Served) -> None:
    headers = {f"x-{number}": "v" * 200 for number in range(80)}

    assert service.client.get("/healthz", headers=headers).status_code == 200


def test_a_content_length_of_thousands_of_digits_is_no_fault(service: Served) -> None:
    head = b"POST /images HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: "

    answer = exchange(service, head + b"0" * 5000 + b"5\r\nconnection: close\r\n\r\nhello")

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_number_nobody_can_read_in_a_pipeline_is_refused(service: Served) -> None:
    with nothing_remains(service):
        answer = post(
            service.client, [("a.jpg", JPEG)], pipeline='{"variants":[%s]}' % ("9" * 5000)
        )

        assert problem(answer, 422, "bad_pipeline")["field"] == "pipeline"


def test_a_disposition_outside_of_ascii_is_malformed(service: Served) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data\xc3\x80; name="file"\r\n\r\n'
        + JPEG
        + b"\r\n--x--\r\n"
    )
    with nothing_remains(service):
        answer = service.client.post(
            "/images", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
        )

        problem(answer, 400, "malformed_body")


def test_the_parts_of_a_form_are_counted_whatever_they_are_called(service: Served) -> None:
    files = [("other", ("f", b"x"))] * 200 + [("file", ("a.jpg", JPEG))]
    with nothing_remains(service):
        problem(service.client.post("/images", files=files), 400, "malformed_body")


def test_variants_that_are_together_too_large_are_refused(service: Served) -> None:
    big = {"op": "resize", "width": 7000, "height": 7000, "fit": "fill", "enlarge": True}
    variants = [{"name": f"v{number}", "operations": [big], "format": "png"} for number in range(3)]
    document = upload(service.client)

    answer = service.client.post(
        f"/images/{document['id']}/process", json={"pipeline": {"variants": variants}}
    )

    refusal = problem(answer, 422, "bad_pipeline")
    assert (refusal["limit"], refusal["actual"]) == (100_000_000, 147_000_000)


def test_deleting_an_image_cancels_what_waits_for_it(
    make_service: Callable[..., Served],
) -> None:
    service = make_service(engine="none")
    document = upload(service.client)

    service.client.delete(f"/images/{document['id']}").raise_for_status()

    found = service.client.get(f"/tasks/{document['task_id']}").json()
    assert found["status"] == "cancelled"


def test_an_items_statistics_are_queued_once(make_service: Callable[..., Served]) -> None:
    service = make_service(engine="none")
    ids = [upload(service.client, item_id="many")["id"] for _ in range(4)]

    for image_id in ids:
        service.client.delete(f"/images/{image_id}").raise_for_status()

    found = service.client.get("/tasks", params={"kind": "item.statistics"}).json()
    assert len(found["items"]) == 1


@pytest.mark.parametrize(
    "path", ["/images/%00", "/tasks/%00", "/users/%00", "/notifications/%00", "/images?cursor=%00"]
)
def test_a_nul_in_an_address_is_no_fault(service: Served, path: str) -> None:
    assert service.client.get(path).status_code in (200, 404, 422)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/users", {"email": "nul@example.com", "name": "a\0b"}),
        ("/notifications", {"recipient": "a\0b", "subject": "a\0b", "body": "a\0b"}),
        ("/notifications", {"recipient": "log", "subject": "\ud800", "body": "\udfff"}),
    ],
    ids=["user", "notification", "surrogates"],
)
def test_a_text_that_no_database_keeps_is_no_fault(
    service: Served, path: str, document: dict[str, str]
) -> None:
    answer = service.client.post(
        path, content=json.dumps(document), headers={"content-type": "application/json"}
    )

    assert answer.status_code in (201, 202, 422)
