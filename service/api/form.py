"""A multipart form as a stream of parts, each a stream of chunks: nothing is gathered or spooled.

python-multipart finds the parts and calls back; the callbacks' findings wait in a queue no longer
than one network chunk makes it, and the caller pulls them from there. Source: RFC 7578.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedBody
from service.storage import Chunk

#: More headers than this, or longer ones, no part of a form has.
MAX_HEADERS = 8
MAX_HEADER_BYTES = 2048

_END: Final = "end of part"


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a `multipart/form-data` content type, None for any other.

    Raises: MalformedBody when it is multipart without a usable boundary.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise MalformedBody("The form names no usable boundary.")
    return boundary


@dataclasses.dataclass
class Part:
    """One part: its name, its file name if it is a file, and its bytes, to be read once."""

    name: str
    filename: str | None
    form: Form

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The part's bytes as they come."""
        while (found := await self.form.next()) is not _END:
            if isinstance(found, (bytes, memoryview)):
                yield found
                del found

    async def text(self, max_bytes: int) -> str:
        """All of a small part. Raises: MalformedBody when it is longer or not UTF-8."""
        gathered = bytearray()
        async for chunk in self.chunks():
            gathered += chunk
            if len(gathered) > max_bytes:
                raise MalformedBody(f"The field {self.name!r} is longer than {max_bytes} bytes.")
        try:
            return gathered.decode()
        except UnicodeDecodeError:
            raise MalformedBody(f"The field {self.name!r} is not UTF-8.") from None


class Form:
    """Parse `chunks` with `boundary`; iterate over `parts`, reading each to its end."""

    def __init__(self, chunks: AsyncIterator[Chunk], boundary: bytes) -> None:
        self._chunks = chunks
        self._found: deque[Chunk | str | _Head] = deque()
        self._head = _Head()
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in order; what the caller leaves unread of one is passed over.

        Raises: MalformedBody.
        """
        while (found := await self.next()) is not None:
            if isinstance(found, _Head):
                yield _part(found, self)

    async def next(self) -> Chunk | str | _Head | None:
        """The next thing found: a part's head, a chunk of it, its end; None after the last part.

        Raises: MalformedBody.
        """
        while not self._found:
            chunk = await anext(self._chunks, None)
            if chunk is None and not self._complete:
                raise MalformedBody("The form ends before its closing boundary.")
            if chunk is None:
                return None
            self._feed(chunk)
            del chunk
        return self._found.popleft()

    def _feed(self, chunk: Chunk) -> None:
        try:
            self._parser.write(bytes(chunk))
        except FormParserError as error:
            raise MalformedBody(f"The form is malformed: {error}.") from None

    def _on_part_begin(self) -> None:
        self._head = _Head()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._head.field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._head.value += data[start:end]

    def _on_header_end(self) -> None:
        self._head.headers[self._head.field.lower()] = self._head.value
        self._head.field = self._head.value = b""

    def _on_headers_finished(self) -> None:
        self._found.append(self._head)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        self._found.append(_END)

    def _on_end(self) -> None:
        self._complete = True


@dataclasses.dataclass
class _Head:
    """A part's headers while they come in."""

    field: bytes = b""
    value: bytes = b""
    headers: dict[bytes, bytes] = dataclasses.field(default_factory=dict)


def _part(head: _Head, form: Form) -> Part:
    disposition = head.headers.get(b"content-disposition", b"").decode("utf-8", "replace")
    kind, options = _options(disposition)
    if kind != "form-data" or "name" not in options:
        raise MalformedBody("A part of the form has no name.")
    return Part(options["name"], options.get("filename"), form)


def _options(disposition: str) -> tuple[str, dict[str, str]]:
    """The disposition and its parameters; browsers write names in UTF-8 and escape quotes."""
    # The parser speaks Latin-1 inside; carry UTF-8 through it unharmed.
    carried = disposition.encode().decode("latin-1")
    kind, options = parse_options_header(carried)
    return kind.decode("latin-1"), {
        key.decode("latin-1"): value.decode("utf-8", "replace").replace("%22", '"')
        for key, value in options.items()
    }
