"""Pictures made as an address asks: signed, made once, kept, served as variants are."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import FileResponse

from service import renders
from service.api import files
from service.api.deps import ImageId, PartsDep
from service.api.problems import field_errors, responses
from service.errors import (
    BadPipeline,
    BadSignature,
    BrokenPicture,
    DatabaseFailed,
    DiskFull,
    Invalid,
    NotFound,
    QueueFull,
    TooBusy,
    TooManyRenders,
)
from service.imaging import Recipe
from service.imaging.presets import Format, Frame
from service.imaging.words import MAX_SIDE_PX, Fit, Gravity, Resize
from service.imaging.words.base import Padding
from service.signing import has_expired, is_signed

router = APIRouter(tags=["images"])

#: Formats that a client is given only if it says that it takes them, the smallest first.
NEGOTIATED: tuple[Format, ...] = ("avif", "webp")


class RenderQuery(BaseModel):
    """What an address may ask for."""

    model_config = ConfigDict(extra="forbid")

    w: int | None = Field(None, ge=1, le=MAX_SIDE_PX, description="Width of the box, in pixels.")
    h: int | None = Field(None, ge=1, le=MAX_SIDE_PX, description="Height of the box, in pixels.")
    fit: Fit = Field(Fit.INSIDE, description="How the picture meets the box.")
    enlarge: bool = Field(False, description="Whether a smaller picture is scaled up.")
    g: Gravity = Field(Gravity.CENTER, description="What `cover` keeps.")
    bg: Padding = "#ffffff"
    dpr: float = Field(1, ge=0.1, le=8, description="Both sides of the box are times this.")
    format: Format | Literal["auto"] = Field(
        "auto", description="auto: what `Accept` names, AVIF before WebP, else JPEG or PNG."
    )
    q: int = Field(82, ge=1, le=100, description="Quality.")
    frame: Frame = 1
    e: int | None = Field(None, ge=0, description="When it expires, in seconds since 1970.")
    s: str = Field("", max_length=64, description="The signature; the last parameter.")

    def recipe(self, accepted: str, *, alpha: bool) -> Recipe:
        """The recipe for a picture that can be transparent or not. Raises: Invalid."""
        try:
            operations = (self._resize(),) if self.w or self.h else ()
            chosen = self._format(accepted, alpha=alpha)
            return Recipe(
                name=renders.RENDER,
                operations=operations,
                format=chosen,
                quality=self.q,
                frame=self.frame,
            )
        except ValidationError as error:
            first = field_errors(error)[0]
            given = first.field[0]  # what a recipe calls width and height is w and h here
            raise Invalid(first.detail, field=f"query.{given}") from None

    def _resize(self) -> Resize:
        width, height = (side and max(1, round(side * self.dpr)) for side in (self.w, self.h))
        return Resize(
            width=width,
            height=height,
            fit=self.fit,
            gravity=self.g,
            enlarge=self.enlarge,
            background=self.bg,
        )

    def _format(self, accepted: str, *, alpha: bool) -> Format:
        if self.format != "auto":
            return self.format
        taken = _named(accepted)
        found = (one for one in NEGOTIATED if f"image/{one}" in taken)
        return next(found, "png" if alpha else "jpeg")


def _named(accept: str) -> set[str]:
    """The types that an `Accept` names and does not refuse. Source: RFC 9110, section 12.5.1."""
    named = set()
    for part in accept.lower().split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        if not any(_is_nought(word) for word in parameters):
            named.add(kind)
    return named


def _is_nought(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")


async def _signed(request: Request, parts: PartsDep) -> None:
    """Raises: NotFound where there is no key; BadSignature."""
    keys = parts.runtime.settings.render_keys
    if not keys:
        raise NotFound("Nothing is rendered on the fly here: PIXMILL_RENDER_KEY is not set.")
    query = request.scope["query_string"].decode("latin-1")
    if not is_signed(keys, request.url.path, query):
        raise BadSignature("The address is not signed, or was changed after it was.", field="s")
    if has_expired(query, time.time()):
        raise BadSignature("The address has expired.", field="e")


@router.get(
    "/images/{image_id}/render",
    response_class=FileResponse,
    responses=responses(
        NotFound,
        BadSignature,
        TooManyRenders,
        Invalid,
        BadPipeline,
        BrokenPicture,
        QueueFull,
        TooBusy,
        DatabaseFailed,
        DiskFull,
    ),
    dependencies=[Depends(_signed)],
    summary="A picture made as the address asks",
)
async def get_render(
    image_id: ImageId, wanted: Annotated[RenderQuery, Query()], request: Request, parts: PartsDep
) -> Response:
    """Made when it is first asked for, then kept; with ETag and Range, as a variant."""
    accepted = request.headers.get("accept", "")
    recipe, row = await parts.runtime.database.read(
        renders.asked_for, image_id, lambda alpha: wanted.recipe(accepted, alpha=alpha)
    )
    if row is None:
        await parts.admission.check_queue()
        await parts.admission.check_disk()
        row = await parts.rendering.made(image_id, recipe, parts.submit)
    what = files.File(row.key, row.sha256 or "", row.content_type, "public")
    response = await files.send(what, parts.runtime.processed, request)
    if wanted.format == "auto":
        response.headers["Vary"] = "Accept"
    return response
