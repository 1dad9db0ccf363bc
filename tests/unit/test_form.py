"""Multipart forms as they come over a network: in pieces, and not always well made."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.form import MAX_HEADER_BYTES, MAX_HEADERS, Form, boundary_of
from service.errors import MalformedBody

BOUNDARY = b"b-r"
Found = list[tuple[str, str | None, bytes]]


async def _stream(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _read(pieces: Iterable[bytes]) -> Found:
    form = Form(_stream(pieces), BOUNDARY)
    return [
        (part.name, part.filename, b"".join([chunk async for chunk in part.chunks()]))
        async for part in form.parts()
    ]


def read(*pieces: bytes) -> Found:
    return asyncio.run(_read(pieces))


def part(content: bytes, disposition: str = 'form-data; name="a"', *headers: bytes) -> bytes:
    lines = [f"Content-Disposition: {disposition}".encode(), *headers]
    return b"--" + BOUNDARY + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"

#: Bytes that look like the beginnings of a boundary, and others.
contents = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"\r\n--b", b"b-r", b"x", b"\xff"])
).map(b"".join).filter(lambda content: b"\r\n--" + BOUNDARY not in b"\r\n" + content)  # fmt: skip
names = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters='"\\%'),
    min_size=1,
    max_size=20,
)


@given(
    st.lists(st.tuples(names, st.none() | names, contents), max_size=4),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_however_the_body_is_cut_up_the_parts_are_the_same(
    parts: list[tuple[str, str | None, bytes]], cuts: list[int]
) -> None:
    body = b"".join(part(content, _disposition(name, file)) for name, file, content in parts) + END

    assert read(*_cut(body, cuts)) == parts


def _disposition(name: str, filename: str | None) -> str:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'form-data; name="{name}"{file}'


def _cut(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    at = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    return [body[start:end] for start, end in itertools.pairwise(at)]


def test_a_body_that_comes_byte_by_byte_is_the_same_form() -> None:
    body = part(b"one\r\n--b") + part(b"", 'form-data; name="b"; filename="x.png"') + END

    assert read(*(bytes([byte]) for byte in body)) == [
        ("a", None, b"one\r\n--b"),
        ("b", "x.png", b""),
    ]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_whatever_raise_anything_but_a_malformed_body(
    body: bytes, cuts: list[int]
) -> None:
    with contextlib.suppress(MalformedBody):
        read(*_cut(body, cuts))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_no_damage_raises_anything_but_a_malformed_body(at: int, damage: bytes) -> None:
    body = part(b"one", 'form-data; name="a"; filename="x"', b"Content-Type: image/png") * 2 + END

    with contextlib.suppress(MalformedBody):
        read(body[:at] + damage + body[at + len(damage) :])


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ('form-data; name="file"; filename="Zürich.png"', "file", "Zürich.png"),
        ('form-data; name="file"; filename="写真.jpg"', "file", "写真.jpg"),
        ('form-data; name="file"; filename="a %22quoted%22 name"', "file", 'a "quoted" name'),
        ('form-data; name="file"; filename="a;b=c.png"', "file", "a;b=c.png"),
        ('form-data; name="file"; filename=""', "file", ""),
        ("form-data; name=file; filename=plain.png", "file", "plain.png"),
        ('FORM-DATA; NAME="file"', "file", None),
        ('form-data; name="größe"', "größe", None),
    ],
)
def test_names_are_read_as_browsers_write_them(
    disposition: str, name: str, filename: str | None
) -> None:
    assert read(part(b"x", disposition) + END) == [(name, filename, b"x")]


def test_a_file_name_that_is_not_utf_8_is_still_read() -> None:
    body = part(b"x").replace(b'name="a"', b'name="a"; filename="\xff.png"') + END

    assert read(body) == [("a", "\ufffd.png", b"x")]


def test_a_form_without_parts_has_none() -> None:
    assert read(END) == []


def test_what_follows_the_closing_boundary_is_passed_over() -> None:
    assert read(part(b"x") + END, b"\r\nepilogue") == [("a", None, b"x")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of the kind",
        part(b"x"),
        part(b"x")[:-3],
        part(b"x") + b"--" + BOUNDARY,
        part(b"x") + b"--" + BOUNDARY + b"-",
        part(b"x", 'form-data; filename="no-name"') + END,
        part(b"x", 'attachment; name="a"') + END,
        part(b"x", "") + END,
        b"--" + BOUNDARY + b"\r\n\r\nno headers\r\n" + END,
        part(b"x", 'form-data; name="a"', b"Bad Header: x") + END,
        part(b"x", 'form-data; name="a"', b"no colon") + END,
        b"--other\r\n" + part(b"x") + END,
        b"--" + BOUNDARY + b"x\r\n",
    ],
)
def test_a_malformed_form_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read(body)


def test_as_many_headers_as_allowed_are_read_and_one_more_refused() -> None:
    more = [b"X-%d: y" % n for n in range(MAX_HEADERS)]

    assert read(part(b"x", 'form-data; name="a"', *more[:-1]) + END) == [("a", None, b"x")]
    with pytest.raises(MalformedBody):
        read(part(b"x", 'form-data; name="a"', *more) + END)


def test_a_header_as_long_as_allowed_is_read_and_a_byte_more_refused() -> None:
    longest = b"X: " + b"y" * (MAX_HEADER_BYTES - 3)

    assert read(part(b"x", 'form-data; name="a"', longest) + END) == [("a", None, b"x")]
    with pytest.raises(MalformedBody):
        read(part(b"x", 'form-data; name="a"', longest + b"y") + END)


def test_a_header_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    def endless() -> Iterable[bytes]:
        yield b"--" + BOUNDARY + b"\r\nX: "
        for _ in range(10):
            yield b"y" * MAX_HEADER_BYTES
        raise AssertionError("it was read on and on")

    with pytest.raises(MalformedBody):
        asyncio.run(_read(endless()))


async def _text(body: bytes, max_bytes: int) -> list[str]:
    form = Form(_stream([body]), BOUNDARY)
    return [await part.text(max_bytes) async for part in form.parts()]


def test_a_field_may_be_as_long_as_allowed_and_no_longer() -> None:
    assert asyncio.run(_text(part(b"12345") + END, 5)) == ["12345"]
    with pytest.raises(MalformedBody):
        asyncio.run(_text(part(b"123456") + END, 5))


def test_a_field_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(MalformedBody):
        asyncio.run(_text(part(b"\xff\xfe") + END, 5))


def test_what_is_left_unread_of_a_part_is_passed_over() -> None:
    async def names() -> list[str]:
        body = part(b"one" * 100) + part(b"two", 'form-data; name="b"') + END
        form = Form(_stream([body]), BOUNDARY)
        return [part.name async for part in form.parts()]

    assert asyncio.run(names()) == ["a", "b"]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b c"', b"a b c"),
        ("Multipart/Form-Data; charset=utf-8; Boundary=abc", b"abc"),
        ("multipart/form-data; boundary=" + "x" * 200, b"x" * 200),
        ("multipart/mixed; boundary=abc", None),
        ("application/json", None),
        ("", None),
    ],
)
def test_the_boundary_is_that_of_a_form(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 201,
    ],
)
def test_a_form_without_a_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedBody):
        boundary_of(content_type)
