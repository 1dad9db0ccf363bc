"""The bytes of originals and variants over HTTP: with ETag and Range, and as nothing but bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import FileResponse

from service import images
from service.api.deps import ImageId, PartsDep
from service.api.problems import responses
from service.errors import NotFound, NotReady
from service.storage import LocalStorage

router = APIRouter(tags=["images"])

VariantName = Annotated[str, Path(max_length=64, description="The variant's name.")]

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


@router.get(
    "/images/{image_id}/original",
    response_class=FileResponse,
    responses=responses(NotFound),
    summary="The bytes that were uploaded",
)
async def get_original(image_id: ImageId, request: Request, parts: PartsDep) -> Response:
    """As an attachment: it is what the client sent, with all its metadata."""
    image = await parts.runtime.database.read(images.found, image_id)
    what = File(image.id, image.sha256, image.content_type, "private", image.filename)
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
    return FileResponse(
        storage.path(what.key),
        stat_result=await storage.describe(what.key),
        media_type=what.content_type,
        headers=headers,
        filename=what.filename,
    )


def _is_fresh(request: Request, digest: str) -> bool:
    """Whether the client has these bytes already. Source: RFC 9110, section 13.1.2."""
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return f'"{digest}"' in tags or "*" in tags
