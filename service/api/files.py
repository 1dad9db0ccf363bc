"""The bytes of originals and variants over HTTP: with ETag and Range, and as nothing but bytes."""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from service import images
from service.api.deps import ImageId, PartsDep
from service.api.problems import responses
from service.errors import NotFound, NotReady, Unshowable
from service.imaging import Patch, patched, patches
from service.storage import LocalStorage

router = APIRouter(tags=["images"])

VariantName = Annotated[str, Path(max_length=64, description="The variant's name.")]

PATHSEND = "http.response.pathsend"
#: The largest file that is read at once, in bytes: no more than others have in memory.
SMALL_BYTES = 128 * 1024

#: What keeps a browser from making anything of a file but a picture.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@dataclass(frozen=True)
class File:
    """What is sent: where it is stored, whose cache may keep it, and its name as an attachment."""

    key: str
    sha256: str
    content_type: str
    audience: Literal["private", "public"]
    filename: str | None = None
    #: What is changed of it on the way out.
    changes: tuple[Patch, ...] = ()


class _Small(FileResponse):
    """A file that is read at once: opening, reading and closing are one hop to a thread, not three.

    Source: ASGI's extension for a path to be sent, which the server does not have.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def read(message: Message) -> None:
            if message["type"] == PATHSEND:
                body = await to_thread.run_sync(pathlib.Path(message["path"]).read_bytes)
                message = {"type": "http.response.body", "body": body}
            await send(message)

        await super().__call__({**scope, "extensions": {PATHSEND: {}}}, receive, read)


class _Cleaned(FileResponse):
    """A file with some of its bytes changed on the way out; several ranges at once get it all."""

    def __init__(self, changes: tuple[Patch, ...], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(k, v) for k, v in scope["headers"] if k != b"range" or b"," not in v]
        position = 0

        async def change(message: Message) -> None:
            nonlocal position
            if message["type"] == "http.response.start":
                position = _first_byte(Headers(raw=message["headers"]))
            elif body := message.get("body"):
                message = {**message, "body": patched(body, position, self._changes)}
                position += len(body)
            await send(message)

        await super().__call__({**scope, "headers": headers, "extensions": {}}, receive, change)


def _first_byte(headers: Headers) -> int:
    """Where an answer's bytes begin in the file. Source: RFC 9110, section 14.4."""
    found = re.match(r"bytes (\d+)-", headers.get("content-range", ""))
    return int(found[1]) if found else 0


@router.get(
    "/images/{image_id}/original",
    response_class=FileResponse,
    responses=responses(NotFound, Unshowable),
    summary="The picture that was uploaded",
)
async def get_original(image_id: ImageId, request: Request, parts: PartsDep) -> Response:
    """As an attachment, less what it tells about its maker: EXIF, XMP, IPTC, comments."""
    image = await parts.runtime.database.read(images.found, image_id)
    await parts.runtime.uploads.describe(image.id)
    path = parts.runtime.uploads.path(image.id)
    changes = await to_thread.run_sync(patches, path, image.format)
    # With changes, it is not what the client sent, to the byte.
    digest = f"{image.sha256}-clean" if changes else image.sha256
    what = File(image.id, digest, image.content_type, "private", image.filename, changes)
    return await send(what, parts.runtime.uploads, request)


@router.get(
    "/images/{image_id}/variants/{name}",
    response_class=FileResponse,
    responses=responses(NotFound, NotReady),
    summary="The bytes of a variant",
)
async def get_variant(
    image_id: ImageId, name: VariantName, request: Request, parts: PartsDep
) -> Response:
    """With ETag and Range; 409 with Retry-After while it is being made."""
    variant = await parts.runtime.database.read(images.variant, image_id, name)
    what = File(variant.key, variant.sha256 or "", variant.content_type, "public")
    return await send(what, parts.runtime.processed, request)


async def send(what: File, storage: LocalStorage, request: Request) -> Response:
    """The file, or that the client has it already. Raises: NotFound when it is gone."""
    headers = {
        "ETag": f'"{what.sha256}"',
        "Cache-Control": f"{what.audience}, max-age=3600",
        **SAFE,
    }
    if _is_fresh(request, what.sha256):
        return Response(status_code=304, headers=headers)
    stat = await storage.describe(what.key)
    plain = _Small if stat.st_size <= SMALL_BYTES else FileResponse
    kind = partial(_Cleaned, what.changes) if what.changes else plain
    return kind(
        storage.path(what.key),
        stat_result=stat,
        media_type=what.content_type,
        headers=headers,
        filename=what.filename,
    )


def _is_fresh(request: Request, digest: str) -> bool:
    """Whether the client has these bytes already. Source: RFC 9110, section 13.1.2."""
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return f'"{digest}"' in tags or "*" in tags
