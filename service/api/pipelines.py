"""Pipelines over HTTP: tried before they are used."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api import files
from service.api.deps import BODY_ERRORS, JsonRoute, PartsDep
from service.api.problems import responses
from service.errors import BadPipeline, BrokenPicture, DatabaseFailed, Invalid, NotFound, TooBusy
from service.imaging import Recipe

router = APIRouter(tags=["images"], route_class=JsonRoute)

MAX_PREVIEW_SIDE_PX = 512


class PreviewRequest(BaseModel):
    """A recipe to be tried on a stored image."""

    model_config = ConfigDict(extra="forbid")

    image_id: str = Field(max_length=64)
    recipe: Recipe
    side_px: int = Field(
        MAX_PREVIEW_SIDE_PX,
        ge=16,
        le=MAX_PREVIEW_SIDE_PX,
        description="Longest side of the answer, in pixels.",
    )


@router.post(
    "/pipelines/preview",
    response_class=Response,
    responses={
        200: {"description": "The picture.", "content": {"image/*": {}}},
        **responses(
            *BODY_ERRORS, NotFound, Invalid, BadPipeline, BrokenPicture, TooBusy, DatabaseFailed
        ),
    },
    summary="Try a recipe on a stored image",
)
async def preview(wanted: PreviewRequest, parts: PartsDep) -> Response:
    """What the recipe would make, scaled down; nothing is stored."""
    made = await parts.previews.made(wanted.image_id, wanted.recipe, wanted.side_px)
    headers = {"Cache-Control": "no-store", **files.SAFE}
    return Response(made.data, media_type=made.content_type, headers=headers)
