"""Clients that go away, send too much, too slowly or not to the end, over real sockets."""

from __future__ import annotations

import json
import select
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.conftest import ON_SQLITE
from tests.flow.evidence import (
    Start,
    digest,
    name_database,
    numbered,
    query,
    stored,
    unfinished,
    upload,
)
from tests.pictures import picture_bytes
from tests.servers import Process, finished, until

MIB = 1024 * 1024
LIMIT = 2 * MIB
FILE_HEAD = b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
FILE = FILE_HEAD + picture_bytes() + b"\r\n"
#: A file smaller than the limit; two of them are more than a request may bring.
PADDED_FILE = FILE_HEAD + picture_bytes() + bytes(MIB + 64 * 1024) + b"\r\n"
#: A form with one whole file and a second one, after which the closing boundary is missing.
CUT_FORM = FILE + FILE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One process for all well-timed clients."""
    folder = tmp_path_factory.mktemp("clients")
    name_database(folder, f"sqlite:///{folder}/pixmill.db")
    process = Process(folder, {"PIXMILL_MAX_UPLOAD_BYTES": str(LIMIT)})
    yield process
    process.kill()


@pytest.fixture
def connection(server: Process) -> Iterator[HTTPConnection]:
    with closing(connect(server)) as connection:
        yield connection


def finish(client: socket.socket) -> None:
    """Say that no more will come, and go."""
    client.shutdown(socket.SHUT_WR)


def reset(client: socket.socket) -> None:
    """Vanish: the system sends a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("go", [finish, reset])
def test_a_client_that_drops_mid_body_leaves_nothing(
    server: Process, connection: HTTPConnection, go: Callable[[socket.socket], None]
) -> None:
    before = kept(server)
    begin(connection, "image/jpeg", LIMIT)
    connection.send(padded(LIMIT - 1))
    until(lambda: unfinished(server.folder), "the first half on the disk")

    go(connection.sock)

    until(lambda: not unfinished(server.folder), "the removal of the first half")
    assert kept(server) == before
    assert upload(server.client, picture_bytes())["status"] == "received", "it goes on serving"


def test_a_body_announced_too_large_is_refused_before_a_byte_of_it_is_sent(
    connection: HTTPConnection,
) -> None:
    begin(connection, "image/jpeg", LIMIT + 1)

    status, problem = answer(connection)

    assert (status, problem["code"]) == (413, "too_large")
    assert (problem["limit"], problem["actual"]) == (LIMIT, LIMIT + 1)


def test_a_client_that_asks_first_is_refused_and_not_invited(connection: HTTPConnection) -> None:
    begin(connection, "image/jpeg", LIMIT + 1, expect="100-continue")

    with connection.sock.makefile("rb") as answers:
        everything = answers.read()

    assert everything.startswith(b"HTTP/1.1 413"), "not 100 Continue"
    assert everything.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("content_type", "chunks"),
    [
        ("image/jpeg", [picture_bytes(), bytes(MIB), bytes(MIB)]),
        ("multipart/form-data; boundary=line", [FILE, PADDED_FILE, PADDED_FILE, b"--line--\r\n"]),
    ],
    ids=["raw", "form"],
)
def test_a_body_of_unknown_length_is_cut_off_at_the_limit(
    server: Process, connection: HTTPConnection, content_type: str, chunks: list[bytes]
) -> None:
    before = kept(server)

    connection.request("POST", "/images", iter(chunks), {"Content-Type": content_type})

    status, problem = answer(connection)
    assert (status, problem["code"]) == (413, "too_large")
    until(lambda: not unfinished(server.folder), "the removal of what was stored")
    assert kept(server) == before


@ON_SQLITE
def test_a_body_slower_than_the_minimum_rate_is_refused(start: Start, tmp_path: Path) -> None:
    server = start(body_grace_seconds=0.3, min_body_bytes_per_second=100_000)
    with closing(connect(server)) as connection:
        begin(connection, "image/jpeg", LIMIT)
        connection.send(padded(5000))
        until(lambda: drip(connection), "the refusal")
        status, problem = answer(connection)

    assert (status, problem["code"], problem["limit"]) == (408, "too_slow", 100_000)
    assert upload(server.client, picture_bytes())["status"] == "received", "others are not"
    assert query(tmp_path, "SELECT count(*) FROM images") == [1]


def test_many_uploads_at_once_are_all_accepted(server: Process) -> None:
    together = Barrier(16)

    def send(number: int) -> tuple[str, str]:
        data = numbered(picture_bytes(), number)
        with httpx.Client(base_url=server.url, timeout=30) as client:
            client.get("/healthz")
            together.wait(30)
            return upload(client, data)["id"], digest(data)

    with ThreadPoolExecutor(16) as pool:
        accepted = dict(pool.map(send, range(16)))

    assert len(accepted) == 16
    for image_id, sent in accepted.items():
        finished(server.client, f"/images/{image_id}", ("ready",))
        assert digest(server.client.get(f"/images/{image_id}/original").content) == sent


def test_a_form_cut_before_its_closing_boundary_leaves_nothing(
    server: Process, connection: HTTPConnection
) -> None:
    before = kept(server)

    status, problem = send_cut_form(connection)

    assert (status, problem["code"]) == (400, "malformed_body")
    assert kept(server) == before
    assert not unfinished(server.folder)


def test_a_connection_outlives_an_error_whose_body_was_read(connection: HTTPConnection) -> None:
    assert send_cut_form(connection)[0] == 400
    kept_open = connection.sock

    connection.request("GET", "/limits")

    assert answer(connection)[0] == 200
    assert connection.sock is kept_open


def test_a_connection_ends_with_an_error_whose_body_was_not_read(
    connection: HTTPConnection,
) -> None:
    begin(connection, "image/jpeg", LIMIT + 1)

    assert answer(connection)[0] == 413
    assert connection.sock is None


def connect(server: Process) -> HTTPConnection:
    return HTTPConnection(httpx.URL(server.url).netloc.decode(), timeout=30)


def begin(
    connection: HTTPConnection, content_type: str, length: int, expect: str | None = None
) -> None:
    """Send the head of an upload and nothing of its body."""
    connection.putrequest("POST", "/images")
    connection.putheader("Content-Type", content_type)
    connection.putheader("Content-Length", str(length))
    if expect:
        connection.putheader("Expect", expect)
    connection.endheaders()


def send_cut_form(connection: HTTPConnection) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    connection.request("POST", "/images", CUT_FORM, headers)
    return answer(connection)


def answer(connection: HTTPConnection) -> tuple[int, dict[str, Any]]:
    with connection.getresponse() as response:
        return response.status, json.load(response)


def drip(connection: HTTPConnection) -> bool:
    """Send a little more, unless there is an answer; a hundred times a second it is too slow."""
    if select.select([connection.sock], [], [], 0)[0]:
        return True
    connection.send(bytes(100))
    return False


def padded(length: int) -> bytes:
    """A picture's bytes and then nothing of interest."""
    picture = picture_bytes()
    return picture + bytes(length - len(picture))


def kept(server: Process) -> tuple[set[str], list[str]]:
    """The originals in the storage and the images in the database."""
    images = [image["id"] for image in server.client.get("/images").json()["items"]]
    return stored(server.folder, "uploads"), images
