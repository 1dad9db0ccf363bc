"""What operators and frontends ask: health, readiness, metrics, limits, presets."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.api.deps import Parts, PartsDep
from service.api.problems import responses
from service.errors import Invalid
from service.imaging.words import MAX_SIDE_PX
from service.presets import PresetDocument, explained
from service.schemas import Document
from service.tasks.engines import EmbeddedEngine, RelayEngine

router = APIRouter()


class LimitsDocument(Document):
    """What will be refused, so that a page can say so before it sends."""

    max_upload_bytes: int
    max_request_bytes: int
    max_files: int
    max_pixels: int
    max_side_px: int
    max_frames: int
    formats: list[str]
    min_body_bytes_per_second: int


class HealthDocument(Document):
    """Whether the service is well; `checks` names what is not."""

    status: Literal["ok", "unready"]
    checks: dict[str, str]


#: Longest wait for any one part of the readiness check, in seconds.
CHECK_SECONDS = 3
ExampleSide = Annotated[
    int, Query(ge=1, le=MAX_SIDE_PX, description="Of the example's picture, in pixels.")
]


@router.get("/healthz", tags=["system"], summary="Whether the process answers")
async def healthz() -> HealthDocument:
    """Liveness: looks at nothing else."""
    return HealthDocument(status="ok", checks={})


@router.get(
    "/readyz",
    tags=["system"],
    summary="Whether requests should be sent here",
    responses={503: {"model": HealthDocument, "description": "Something is not well."}},
)
async def readyz(parts: PartsDep, response: Response) -> HealthDocument:
    """Readiness: the database answers, the disk has room, the engine runs.

    A broker that is out is told and no reason to send requests elsewhere: uploads are taken, and
    their tasks run when it is back.
    """
    checks = {
        "database": await _check(parts.runtime.database.read(_select_one)),
        "storage": await _check(parts.admission.look_at_disk()),
        "engine": _engine(parts),
    }
    ready = all(word == "ok" for word in checks.values())
    response.status_code = 200 if ready else 503
    if isinstance(parts.engine, RelayEngine):
        checks["broker"] = parts.engine.outage or "ok"
    return HealthDocument(status="ok" if ready else "unready", checks=checks)


@router.get("/metrics", tags=["system"], summary="Prometheus metrics", response_class=Response)
async def metrics(parts: PartsDep) -> Response:
    """All series, in the text format."""
    await parts.looks.refresh()
    return Response(parts.runtime.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/limits", tags=["images"], summary="What will be refused")
async def limits(parts: PartsDep) -> LimitsDocument:
    """So that a page can say so before it sends."""
    settings = parts.runtime.settings
    return LimitsDocument(
        max_upload_bytes=settings.max_upload_bytes,
        max_request_bytes=settings.request_bytes,
        max_files=settings.max_files,
        max_pixels=settings.max_pixels,
        max_side_px=settings.max_side_px,
        max_frames=settings.max_frames,
        formats=list(settings.formats),
        min_body_bytes_per_second=settings.min_body_bytes_per_second,
    )


@router.get(
    "/presets",
    tags=["images"],
    summary="What may be asked for by name",
    responses=responses(Invalid),
)
async def presets(
    parts: PartsDep, width: ExampleSide = 4000, height: ExampleSide = 3000
) -> list[PresetDocument]:
    """The presets, and what each would make of a picture of that size.

    All of them are made of an upload that names none.
    """
    return [explained(recipe, width, height) for recipe in parts.runtime.presets.values()]


async def _check(check: Awaitable[object]) -> str:
    try:
        with anyio.fail_after(CHECK_SECONDS):
            await check
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return getattr(error, "detail", None) or type(error).__name__
    return "ok"


def _select_one(session: Session) -> None:
    session.execute(text("SELECT 1"))


def _engine(parts: Parts) -> str:
    engine = parts.engine
    return engine.health if isinstance(engine, EmbeddedEngine | RelayEngine) else "ok"
