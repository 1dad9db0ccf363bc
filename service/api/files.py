"""The bytes of originals and variants over HTTP: with ETag and Range, and as nothing but bytes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.orm import Session
from starlette.responses import FileResponse

from service import images
from service.api.deps import ImageId, PartsDep
from service.api.problems import responses
from service.errors import NotFound, NotReady
from service.models import Image

router = APIRouter(tags=["images"])

VariantName = Annotated[str, Path(max_length=64, description="The variant's name.")]

#: What keeps a browser from making anything of a file but a picture.
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@router.get(
    "/images/{image_id}/original",
    response_class=FileResponse,
    responses=responses(NotFound),
    summary="The bytes that were uploaded",
)
async def get_original(image_id: ImageId, request: Request, parts: PartsDep) -> Response:
    """As an attachment: it is what the client sent, with all its metadata."""
    image = await parts.runtime.database.read(_find_original, image_id)
    headers = _file_headers(image.sha256) | {"Cache-Control": "private, max-age=3600"}
    if _is_fresh(request, image.sha256):
        return Response(status_code=304, headers=headers)
    storage = parts.runtime.uploads
    return FileResponse(
        storage.path(image.id),
        stat_result=await storage.describe(image.id),
        media_type=image.content_type,
        headers=headers,
        filename=image.filename,
    )


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
    digest = variant.sha256 or ""
    headers = _file_headers(digest) | {"Cache-Control": "public, max-age=3600"}
    if _is_fresh(request, digest):
        return Response(status_code=304, headers=headers)
    storage = parts.runtime.processed
    return FileResponse(
        storage.path(variant.key),
        stat_result=await storage.describe(variant.key),
        media_type=variant.content_type,
        headers=headers,
    )


def _find_original(session: Session, image_id: str) -> Image:
    image = images.find(session, image_id)
    session.expunge(image)
    return image


def _file_headers(digest: str) -> dict[str, str]:
    return {"ETag": f'"{digest}"', **_SAFE}


def _is_fresh(request: Request, digest: str) -> bool:
    """Whether the client has these bytes already. Source: RFC 9110, section 13.1.2."""
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return f'"{digest}"' in tags or "*" in tags
