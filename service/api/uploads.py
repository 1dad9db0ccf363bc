"""Uploads over HTTP: the body read and stored, the rows written, the engine woken."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fastapi import APIRouter, BackgroundTasks, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from service import images, presets
from service.api.answers import accepted, answer
from service.api.deps import (
    JsonRoute,
    Parts,
    PartsDep,
)
from service.api.ingest import Refused, Submission
from service.api.openapi import UPLOAD_BODY
from service.api.problems import field_errors, problem_of, responses
from service.errors import (
    BadPipeline,
    ClientGone,
    DatabaseFailed,
    DiskFull,
    EmptyFile,
    Invalid,
    MalformedBody,
    MissingFile,
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
from service.picture import Row, document
from service.schemas import (
    ImageAccepted,
    ImageDocument,
    ItemId,
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
    submission, taken = await _ingest(request, parts, background)
    if len(submission.files) > 1:
        return answer(_results(submission, taken), 202)
    return accepted(next(iter(taken.values())))


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
    _, taken = await _ingest(request, parts, background)
    document = next(iter(taken.values()))
    message = f"{document.filename} was received and is processed in the background."
    return accepted(ImageAccepted(**dict(document), message=message))


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
    taken = await _commit(submission, parts)
    for upload in submission.uploads:
        metrics.uploads.labels("accepted", "").inc()
        metrics.upload_bytes.inc(upload.blob.size_bytes)
        metrics.upload_size.observe(upload.blob.size_bytes)
        metrics.megapixels.observe(upload.probe.width * upload.probe.height / 1e6)
    parts.wake(background, *(document.task_id for document in taken.values()))
    return submission, taken


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


def _results(submission: Submission, taken: dict[str, ImageDocument]) -> UploadResults:
    return UploadResults(
        items=[
            UploadResult(filename=one.filename, error=problem_of(one.error))
            if isinstance(one, Refused)
            else UploadResult(filename=one.filename, image=taken[one.id])
            for one in submission.files
        ]
    )
