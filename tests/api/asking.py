"""Words that several API tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.pictures import picture_bytes
from tests.servers import Served, until

Document = dict[str, Any]
JPEG = picture_bytes()


def upload(client: httpx.Client, data: bytes = JPEG, name: str = "a.jpg", **form: Any) -> Document:
    """Post one file as a form and return the image's document."""
    answer = post(client, [(name, data)], **form)
    assert answer.status_code == 202, answer.text
    document: Document = answer.json()
    return document


def post(
    client: httpx.Client, files: Sequence[tuple[str, bytes]], path: str = "/images", **form: Any
) -> httpx.Response:
    """Post files as a form with its other fields."""
    return client.post(path, files=[("file", file) for file in files], data=form)


def problem(answer: httpx.Response, status: int, code: str) -> Document:
    """The problem document of a refusal, once its form is what RFC 9457 asks for."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: Document = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:pixmill:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


def stored(served: Served, store: str = "uploads") -> list[Path]:
    """The files below a store, temporary ones included, but for the mark of whose it is."""
    root: Path = getattr(served.parts.runtime.settings, store)
    # Where `rglob` fails at a folder that is removed meanwhile, this passes over it.
    found = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return [path for path in found if path.is_file() and path.name != ".installation"]


@contextmanager
def nothing_remains(served: Served) -> Iterator[None]:
    """What is done inside leaves neither a row nor a file behind."""
    rows, files = _newest(served), sorted(stored(served))
    yield
    assert _newest(served) == rows
    until(lambda: sorted(stored(served)) == files, "the removal of the files")


def _newest(served: Served) -> list[Document]:
    paths = ("/images", "/tasks", "/users", "/items", "/notifications")
    return [served.client.get(path, params={"limit": 100}).json() for path in paths]


def notices(served: Served) -> list[Document]:
    """The messages in the notifications file."""
    path = served.parts.runtime.settings.notifications_file
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tasks_about(served: Served, kind: str, subject_id: str) -> list[Document]:
    """The newest tasks about something, newest first."""
    about = {"subject_type": kind, "subject_id": subject_id}
    tasks: list[Document] = served.client.get("/tasks", params=about).json()["items"]
    return tasks


def pages(client: httpx.Client, path: str, **query: Any) -> list[list[Document]]:
    """All pages of a list."""
    found: list[list[Document]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(path, params={**query, **cursor}).raise_for_status().json()
        found.append(page["items"])
        if not page["next"]:
            return found
        cursor = {"cursor": page["next"]}
