"""Images over HTTP: upload, look, fetch, process again, delete."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from service import images, presets, request_keys
from service.api.deps import (
    BODY_ERRORS,
    Cursor,
    ImageId,
    JsonRoute,
    Limit,
    Parts,
    PartsDep,
    QueueRoom,
    RequestKey,
)
from service.api.ingest import Refused, Submission
from service.api.openapi import UPLOAD_BODY
from service.api.problems import field_errors, problem_of, responses
from service.api.waiting import wanted_wait
from service.errors import (
    BadPipeline,
    ClientGone,
    DatabaseFailed,
    DiskFull,
    EmptyFile,
    Invalid,
    KeyReused,
    MalformedBody,
    MissingFile,
    NotFound,
    PictureTooLarge,
    QueueFull,
    ServiceError,
    StorageFailed,
    TooBusy,
    TooLarge,
    TooSlow,
    UnknownPreset,
    UnreadablePicture,
    UnsupportedFormat,
)
from service.imaging import Pipeline, Recipe
from service.logs import current_request_id
from service.models import new_id
from service.picture import Row, document
from service.schemas import (
    ImageAccepted,
    ImageDocument,
    ImageStatus,
    ItemId,
    Page,
    PriorityName,
    UploadResult,
    UploadResults,
)
from service.tasks import Priority

router = APIRouter(tags=["images"], route_class=JsonRoute)


UPLOAD_ERRORS = (
    MalformedBody,
    ClientGone,
    TooSlow,
    TooLarge,
    UnsupportedFormat,
    Invalid,
    MissingFile,
    EmptyFile,
    UnknownPreset,
    BadPipeline,
    UnreadablePicture,
    PictureTooLarge,
    QueueFull,
    TooBusy,
    StorageFailed,
    DatabaseFailed,
    DiskFull,
)

_ITEM_ID: TypeAdapter[str] = TypeAdapter(ItemId)
_PRIORITY: TypeAdapter[str] = TypeAdapter(PriorityName)

#: Statuses of an image that a task is still to work on.
UNFINISHED = ("received", "processing")


class ProcessRequest(BaseModel):
    """What to make of a stored image."""

    model_config = ConfigDict(extra="forbid")

    presets: list[str] = Field(default=[], max_length=20, examples=[["medium"]])
    pipeline: Pipeline | None = None
    priority: PriorityName | None = None


@router.post(
    "/images",
    status_code=202,
    response_model=ImageDocument | UploadResults,
    responses=responses(*UPLOAD_ERRORS),
    openapi_extra=UPLOAD_BODY,
    summary="Upload one image, or several in one form",
)
async def upload(request: Request, parts: PartsDep, background: BackgroundTasks) -> Response:
    """Stream the upload to storage and answer with all the variants to come.

    One file: its image document, and `Location`. Several files: a result for each.
    """
    submission, accepted = await _ingest(request, parts, background)
    if len(submission.files) > 1:
        return _json(_results(submission, accepted), 202)
    return _accepted(next(iter(accepted.values())))


@router.post(
    "/upload-image",
    status_code=202,
    response_model=ImageAccepted,
    responses=responses(*UPLOAD_ERRORS),
    openapi_extra=UPLOAD_BODY,
    tags=["tutorial"],
    summary="Upload an image, as the tutorial does",
)
async def upload_image(request: Request, parts: PartsDep, background: BackgroundTasks) -> Response:
    """The first file's document with a message."""
    _, accepted = await _ingest(request, parts, background)
    document = next(iter(accepted.values()))
    message = f"{document.filename} was received and is processed in the background."
    return _accepted(ImageAccepted(**dict(document), message=message))


@router.get("/images", summary="List images, newest first")
async def list_images(
    parts: PartsDep,
    cursor: Cursor = None,
    limit: Limit = 50,
    item_id: Annotated[ItemId | None, Query(description="Only this item's.")] = None,
    status: Annotated[ImageStatus | None, Query(description="Only with this status.")] = None,
) -> Page[ImageDocument]:
    """A page of image documents."""
    runtime = parts.runtime
    found = await runtime.database.read(
        images.page, cursor, limit, item_id=item_id, status=status, view=runtime.view
    )
    return Page(items=found, next=found[-1].id if len(found) == limit else None)


@router.get(
    "/images/{image_id}",
    response_model=ImageDocument,
    responses=responses(NotFound),
    summary="An image's document",
)
async def get_image(image_id: ImageId, request: Request, parts: PartsDep) -> Response:
    """The image, its variants and how far they are.

    With `Prefer: wait=10` the answer comes when the work has ended, or after ten seconds.
    """
    read, view = parts.runtime.database.read, parts.runtime.view
    document = await read(images.get, image_id, view)
    until = time.monotonic() + wanted_wait(request)
    ended = False
    while document.status in UNFINISHED and not ended and (left := until - time.monotonic()) > 0:
        ended = await parts.waiting.for_task(document.task_id, left)
        document = await read(images.get, image_id, view)
    return _json(document, 200)


@router.delete(
    "/images/{image_id}",
    status_code=204,
    responses=responses(NotFound),
    summary="Delete an image with its files",
)
async def delete_image(image_id: ImageId, parts: PartsDep, background: BackgroundTasks) -> None:
    """The rows go at once, the files by a task."""
    await parts.runtime.database.write(images.remove, image_id, current_request_id())
    parts.wake(background)


@router.post(
    "/images/{image_id}/process",
    status_code=202,
    response_model=ImageDocument,
    responses=responses(
        *BODY_ERRORS, NotFound, Invalid, UnknownPreset, BadPipeline, KeyReused, QueueFull, DiskFull
    ),
    dependencies=[QueueRoom],
    summary="Run presets or a pipeline on a stored image",
)
async def process_image(
    image_id: ImageId,
    wanted: ProcessRequest,
    parts: PartsDep,
    background: BackgroundTasks,
    key: RequestKey = None,
) -> Response:
    """Add variants, or make existing ones anew."""
    await parts.admission.check_disk()
    runtime = parts.runtime
    names = wanted.presets or ([presets.NO_PRESET] if wanted.pipeline else [])
    marks = runtime.settings.watermarks
    recipes = presets.recipes_for(runtime.presets, names, wanted.pipeline, marks)
    priority = Priority.named(wanted.priority) if wanted.priority else None
    request_id, view, task_id = current_request_id(), runtime.view, new_id()
    asked = image_id + wanted.model_dump_json()

    def add(session: Session) -> ImageDocument:
        first = request_keys.first(session, "/images/process", key, asked, task_id)
        if first != task_id:
            document = images.get(session, image_id, view)
            return document.model_copy(update={"task_id": first})
        return images.add_variants(
            session,
            image_id,
            recipes,
            priority=priority,
            request_id=request_id,
            view=view,
            task_id=task_id,
        )

    document = await runtime.database.write(add)
    parts.wake(background, document.task_id)
    return _accepted(document)


async def _ingest(
    request: Request, parts: Parts, background: BackgroundTasks
) -> tuple[Submission, dict[str, ImageDocument]]:
    """Read the body, write the rows of all that was taken in one transaction, wake the engine."""
    metrics = parts.runtime.metrics
    try:
        boundary = parts.ingest.check(request)
        await parts.admission.check_queue()
        await parts.admission.check_disk()
        with parts.admission.body():
            submission = await parts.ingest.read(request, boundary)
    except ServiceError as error:
        metrics.uploads.labels("refused", error.code).inc()
        raise
    if not submission.uploads:
        raise next(one.error for one in submission.files if isinstance(one, Refused))
    accepted = await _commit(submission, parts)
    for upload in submission.uploads:
        metrics.uploads.labels("accepted", "").inc()
        metrics.upload_bytes.inc(upload.blob.size_bytes)
        metrics.upload_size.observe(upload.blob.size_bytes)
        metrics.megapixels.observe(upload.probe.width * upload.probe.height / 1e6)
    parts.wake(background, *(document.task_id for document in accepted.values()))
    return submission, accepted


async def _commit(submission: Submission, parts: Parts) -> dict[str, ImageDocument]:
    """The documents of what was taken, by id, once their rows are on the disk.

    Whatever is wrong with the fields, or with the database, leaves no file behind.
    """
    runtime = parts.runtime
    try:
        recipes = _recipes(submission, parts)
        item_id = _checked(_ITEM_ID, submission.first("item_id"), "item_id")
        priority = _priority(submission.first("priority"))
        request_id = current_request_id()
        manifests = [
            images.manifest(upload.id, upload.probe, recipes) for upload in submission.uploads
        ]

        def receive(session: Session) -> list[Row]:
            return [
                images.receive(
                    session,
                    upload,
                    manifest,
                    item_id=item_id,
                    priority=priority,
                    request_id=request_id,
                )
                for upload, manifest in zip(submission.uploads, manifests, strict=True)
            ]

        received = await runtime.database.write(receive)
    except Exception as error:  # not a cancellation: the commit may still come
        # Rows that may be there after all need their files; if they are not, the sweep finds out.
        if not (isinstance(error, DatabaseFailed) and error.in_doubt):
            await parts.ingest.discard(submission)
        raise
    return {
        image["id"]: document(image, manifest, runtime.view)
        for image, manifest in zip(received, manifests, strict=True)
    }


def _recipes(submission: Submission, parts: Parts) -> Sequence[Recipe]:
    names = [name for name in submission.fields.get("preset", ()) if name]
    pipeline = _pipeline(submission.first("pipeline"))
    runtime = parts.runtime
    return presets.recipes_for(runtime.presets, names, pipeline, runtime.settings.watermarks)


def _pipeline(text: str | None) -> Pipeline | None:
    """Raises: BadPipeline, naming the field that is wrong."""
    if text is None:
        return None
    try:
        return Pipeline.model_validate(json.loads(text))
    except ValidationError as error:
        first = field_errors(error)[0]
        raise BadPipeline(first.detail, field=f"pipeline.{first.field}") from None
    except (ValueError, RecursionError) as error:  # not JSON, or a number nobody can read
        raise BadPipeline(f"The pipeline is not JSON: {error}.", field="pipeline") from None


def _priority(text: str | None) -> Priority | None:
    label = _checked(_PRIORITY, text, "priority")
    return Priority.named(label) if label else None


def _checked(kind: TypeAdapter[str], text: str | None, name: str) -> str | None:
    """Raises: Invalid, naming the field."""
    if text is None:
        return None
    try:
        return kind.validate_python(text)
    except ValidationError as error:
        raise Invalid(field_errors(error)[0].detail, field=name) from None


def _results(submission: Submission, accepted: dict[str, ImageDocument]) -> UploadResults:
    return UploadResults(
        items=[
            UploadResult(filename=one.filename, error=problem_of(one.error))
            if isinstance(one, Refused)
            else UploadResult(filename=one.filename, image=accepted[one.id])
            for one in submission.files
        ]
    )


def _accepted(document: ImageDocument) -> Response:
    response = _json(document, 202)
    response.headers["Location"] = f"/images/{document.id}"
    return response


def _json(document: BaseModel, status: int) -> Response:
    # Straight from the document: the framework would validate it a second time.
    return Response(document.model_dump_json(), status, media_type="application/json")
