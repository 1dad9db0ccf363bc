"""From a request's body to stored originals: one write of each byte, nothing spooled.

A body is a form with one or more parts named `file`, or the image itself. Each file is sniffed by
its first bytes, counted, stored, and its header probed. What is refused is not stored; what was
stored for a request that fails later is removed by `discard`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from fastapi import Request
from starlette.datastructures import QueryParams

from service import images
from service.api import body
from service.api.form import Form, Part, boundary_of
from service.config import FORM_OVERHEAD_BYTES
from service.errors import (
    CapacityError,
    EmptyFile,
    MalformedBody,
    MissingFile,
    PictureError,
    ServiceError,
    TooLarge,
    UnsupportedFormat,
)
from service.images import Upload
from service.imaging import SNIFF_BYTES, Probe, probe, sniff
from service.models import new_id
from service.runtime import Runtime
from service.storage import Chunk

#: How the content type of a raw body begins.
RAW_TYPES = ("image/", "application/octet-stream", "binary/octet-stream")
#: Fields of a form that are not files.
MAX_FIELDS = 40

#: What to do about the one format that could be accepted.
_ABOUT_HEIC = (
    " It is HEIC: send JPEG, or have the operator install pixmill[heic] and name heic in"
    " PIXMILL_FORMATS."
)


@dataclass(frozen=True)
class Refused:
    """A file that was not taken, and why."""

    filename: str
    error: ServiceError


@dataclass
class Submission:
    """What a request brought: a result for each file, in order, and the other fields."""

    files: list[Upload | Refused] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)

    @property
    def uploads(self) -> list[Upload]:
        """The files that were taken."""
        return [one for one in self.files if isinstance(one, Upload)]

    def first(self, name: str) -> str | None:
        """The first non-empty value of a field."""
        return next((value for value in self.fields.get(name, ()) if value), None)


class Ingest:
    """Takes in uploads for one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings

    def check(self, request: Request) -> bytes | None:
        """Refuse by the headers alone what can be refused so; return a form's boundary.

        Raises: UnsupportedFormat, MalformedBody, TooLarge.
        """
        body.announce(request)
        content_type = request.headers.get("content-type", "")
        boundary = boundary_of(content_type)
        if boundary is None and not content_type.startswith(RAW_TYPES):
            raise UnsupportedFormat(
                "Send a form (multipart/form-data) with a field `file`, or an image as the body."
            )
        body.check_head(request, self._limit(boundary))
        return boundary

    async def read(self, request: Request, boundary: bytes | None) -> Submission:
        """Read and store what `request` brings, a form or the image itself.

        Raises: MalformedBody, TooLarge, TooSlow, ClientGone, MissingFile for the request as a
        whole, when nothing of it stays stored; a single file's refusal is in the result.
        """
        submission = Submission(fields=_query_fields(request.query_params))
        chunks = body.chunks(request, self._settings, self._limit(boundary))
        try:
            if boundary:
                await self._read_form(Form(chunks, boundary), submission)
            else:
                await self._read_raw(submission, chunks)
        except BaseException:
            await self.discard(submission)
            raise
        return submission

    def _limit(self, boundary: bytes | None) -> int:
        return self._settings.request_bytes if boundary else self._settings.max_upload_bytes

    async def discard(self, submission: Submission) -> None:
        """Remove what was stored for a request that will not be answered with success."""
        with anyio.CancelScope(shield=True):
            for upload in submission.uploads:
                await self._runtime.uploads.delete(upload.id)

    async def _read_raw(self, submission: Submission, chunks: AsyncIterator[Chunk]) -> None:
        filename = submission.first("filename") or "image"
        submission.files.append(await self._take(filename, chunks))

    async def _read_form(self, form: Form, submission: Submission) -> None:
        parts = 0
        async for part in form.parts():
            parts += 1
            if parts > self._settings.max_files + MAX_FIELDS:
                raise MalformedBody(f"The form has more than {parts - 1} parts.")
            if part.name == "file":
                await self._read_file(part, submission)
            elif part.filename is None:
                await _read_field(part, submission)
        if not submission.files:
            raise MissingFile("The form has no field `file`.", field="file")

    async def _read_file(self, part: Part, submission: Submission) -> None:
        limit = self._settings.max_files
        if len(submission.files) >= limit:
            raise TooLarge(
                "The form has too many files.", limit=limit, actual=len(submission.files) + 1
            )
        chunks = part.chunks()
        submission.files.append(await self._take(part.filename or "image", chunks))
        async for _ in chunks:
            pass  # the rest of a refused file: the next part comes after it

    async def _take(self, filename: str, chunks: AsyncIterator[Chunk]) -> Upload | Refused:
        """Store one file, or say why not; errors of the request as a whole pass through."""
        name = images.clean_filename(filename)
        upload_id = new_id()
        metrics = self._runtime.metrics
        try:
            with metrics.uploads_in_progress.track_inprogress(), metrics.upload_seconds.time():
                blob, header = await self._runtime.uploads.take(
                    upload_id, self._checked(chunks), self._probe
                )
        except (EmptyFile, UnsupportedFormat, PictureError, FileTooLarge) as error:
            metrics.uploads.labels("refused", error.code).inc()
            return Refused(name, error)
        except CapacityError:
            # It has its name already if it was only its folder that could not be synced.
            with suppress(CapacityError):
                await self._runtime.uploads.delete(upload_id)
            raise
        return Upload(upload_id, name, blob, header)

    async def _checked(self, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        """Pass the chunks on, once the first bytes are an accepted format's, up to the limit."""
        sized = self._sized(chunks)
        held: list[Chunk] = []
        head = b""
        async for chunk in sized:
            held.append(chunk)
            head += bytes(chunk[:SNIFF_BYTES])
            if len(head) >= SNIFF_BYTES:
                break
        if not head:
            raise EmptyFile("The file is empty.", field="file")
        self._check_format(head)
        while held:
            yield held.pop(0)
        async for chunk in sized:
            yield chunk
            del chunk

    async def _sized(self, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        """Pass the chunks on as long as they are together within the limit."""
        limit = self._settings.max_upload_bytes
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise FileTooLarge(
                    f"The file is larger than {limit:,} bytes.", limit=limit, actual=size
                )
            yield chunk
            del chunk

    def _check_format(self, head: bytes) -> None:
        found = sniff(head)
        accepted = self._settings.formats
        if found not in accepted:
            raise UnsupportedFormat(
                f"The file is not an image of an accepted format ({', '.join(accepted)})."
                f"{_ABOUT_HEIC if found == 'heic' else ''}",
                field="file",
            )

    def _probe(self, file: Path | bytes) -> Probe:
        return probe(file, self._runtime.limits)


class FileTooLarge(TooLarge):
    """One file of a form passed the limit; the others may still be good."""


async def _read_field(part: Part, submission: Submission) -> None:
    count = sum(len(values) for values in submission.fields.values())
    if count >= MAX_FIELDS:
        raise MalformedBody(f"The form has more than {MAX_FIELDS} fields.")
    value = await part.text(FORM_OVERHEAD_BYTES)
    submission.fields.setdefault(part.name, []).append(value)


def _query_fields(query: QueryParams) -> dict[str, list[str]]:
    """The fields may stand in the query as well, where a raw body has no other place."""
    return {name: query.getlist(name) for name in query}
