"""One visitor: uploads a photo, waits for its three variants and fetches them.

Plain blocking sockets of the standard library: the client shares the cores with the server, so it
must cost little, and the same for every server.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from PIL import Image, ImageOps

SIZES = (1600, 800, 200)
JOB_SECONDS = 120.0
POLL_SECONDS = 0.01
JPEG = {"Content-Type": "image/jpeg"}
#: Pixmill then answers when the work has ended; the tutorial takes no notice and is asked again.
WAIT = {"Prefer": "wait=30"}
BOUNDARY = "pixmill-bench-7MA4YWxkTrZu0gW"


class UnexpectedAnswerError(Exception):
    """A server answered something else than it should."""


@dataclass(frozen=True)
class Photo:
    """A photo to send: its bytes, the same in a form, and the sizes its variants must have."""

    name: str
    data: bytes
    form: bytes
    boxes: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, file: Path) -> Photo:
        data = file.read_bytes()
        head = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        form = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        with Image.open(file) as picture:
            width, height = ImageOps.exif_transpose(picture).size
        return cls(file.stem, data, form, tuple(_inside(width, height, size) for size in SIZES))


def _inside(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return round(width * scale), round(height * scale)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def expect(self, *statuses: int) -> Answer:
        if self.status not in statuses:
            raise UnexpectedAnswerError(
                f"status {self.status}, not {statuses}: {self.body[:300]!r}"
            )
        return self

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Visitor:
    """As a browser: a few connections kept alive, and the variants fetched side by side."""

    def __init__(self, port: int) -> None:
        self._pool = ThreadPoolExecutor(len(SIZES))
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
        for _ in SIZES:
            self._idle.put(http.client.HTTPConnection("127.0.0.1", port, timeout=JOB_SECONDS))

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self._idle.get()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            self._idle.put(connection)

    def post_form(self, path: str, photo: Photo) -> Answer:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.send("POST", path, photo.form, {"Content-Type": kind})

    def fetch(self, paths: Sequence[str]) -> list[bytes]:
        """All of them at once, in their order."""
        return list(self._pool.map(self._fetch_one, paths))

    def _fetch_one(self, path: str) -> bytes:
        body = self.send("GET", path).expect(200).body
        if not (body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9")):
            raise UnexpectedAnswerError(f"{path} is not a whole JPEG")
        return body


#: How a server wants to be asked: returns the variants, largest first.
Protocol = Callable[[Visitor, Photo], list[bytes]]


def by_document(visitor: Visitor, photo: Photo) -> list[bytes]:
    """POST a form; poll the document unless it is ready at once; fetch what it lists."""
    document = visitor.post_form("/images", photo).expect(201, 202).document()
    deadline = time.monotonic() + JOB_SECONDS
    while document["status"] != "ready":
        if document["status"] == "failed" or time.monotonic() > deadline:
            raise UnexpectedAnswerError(f"{photo.name} is {document['status']}: {document}")
        time.sleep(POLL_SECONDS)
        answer = visitor.send("GET", f"/images/{document['id']}", headers=WAIT)
        document = answer.expect(200).document()
    urls = {variant["name"]: variant["url"] for variant in document["variants"]}
    return visitor.fetch([urls[f"p{size}"] for size in SIZES])


def by_thumbor(visitor: Visitor, photo: Photo) -> list[bytes]:
    """POST the bytes; each GET makes its variant."""
    headers = JPEG | {"Slug": f"{photo.name}.jpg"}
    answer = visitor.send("POST", "/image", photo.data, headers)
    name = answer.expect(201).headers["Location"].split("/")[2]
    return visitor.fetch([f"/unsafe/fit-in/{size}x{size}/{name}" for size in SIZES])


def by_ipx(visitor: Visitor, photo: Photo) -> list[bytes]:
    """PUT the bytes under a new name; each GET makes its variant."""
    name = f"{uuid.uuid4().hex}.jpg"
    visitor.send("PUT", f"/{name}", photo.data, JPEG).expect(201)
    # `rotate_null` is how IPX is told to turn a photo as its EXIF says; by itself it does not.
    steps = [f"rotate_null,s_{size}x{size},fit_inside,f_jpeg,q_82" for size in SIZES]
    return visitor.fetch([f"/{step}/{name}" for step in steps])
