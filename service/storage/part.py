"""A file on its way in: temporary name, sync, rename, sync of the folder. All in threads."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from service.storage.base import Blob, Check, Chunk

T = TypeVar("T")

#: The data and what is needed to find it; not every system tells the two apart.
_sync = getattr(os, "fdatasync", os.fsync)

#: Chunks that one system call takes (IOV_MAX is 1,024 on Linux).
MAX_VECTOR = 512


@dataclass
class Part:
    """A file on its way in: its temporary name, and the bytes that wait for the disk."""

    temp: Path
    waiting: list[Chunk] = field(default_factory=list)
    waiting_bytes: int = 0
    written_bytes: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    descriptor: int | None = None
    discarded: bool = False
    #: One thread at a time: a cancelled upload is discarded while its last batch still goes out.
    lock: threading.Lock = field(default_factory=threading.Lock)


def append(part: Part) -> None:
    """Write and hash what waits, into a file that is locked: it will be open for a while."""
    with part.lock:
        if part.descriptor is None:
            fcntl.flock(_open(part), fcntl.LOCK_EX)
        _write_waiting(part)


def finish(part: Part, target: Path, check: Check[T]) -> tuple[Blob, T]:
    """Check, write what still waits, sync, rename, sync the folder.

    Few system calls on purpose: the interpreter is given away, and fought for, at each.
    """
    with part.lock:
        if part.descriptor is None:
            # All of it is in memory: what is refused never touches the disk.
            whole = b"".join(part.waiting)
            part.waiting = [whole]
            checked = check(whole)
            _open(part)
            _write_waiting(part)
        else:
            _write_waiting(part)
            checked = check(part.temp)
        sync(part)
        rename(part, target)
        sync_folder(target.parent)
        _close(part)
        return Blob(part.written_bytes, part.digest.hexdigest()), checked


def _open(part: Part) -> int:
    if part.discarded:
        raise FileNotFoundError(part.temp)
    part.descriptor = os.open(part.temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    return part.descriptor


def _write_waiting(part: Part) -> None:
    """Hash the waiting chunks and hand them to the system as they are, without joining them."""
    chunks, part.waiting, part.waiting_bytes = part.waiting, [], 0
    for chunk in chunks:
        part.digest.update(chunk)
        part.written_bytes += len(chunk)
    while chunks and part.descriptor is not None:
        written = os.writev(part.descriptor, chunks[:MAX_VECTOR])
        chunks = _after(chunks, written)


def _after(chunks: list[Chunk], written: int) -> list[Chunk]:
    """What is left of `chunks` once that many bytes of them are written."""
    for at, chunk in enumerate(chunks):
        if written < len(chunk):
            return [chunk[written:], *chunks[at + 1 :]]
        written -= len(chunk)
    return []


def sync(part: Part) -> None:
    """Have what was written on the disk."""
    if part.descriptor is not None:
        _sync(part.descriptor)


def rename(part: Part, target: Path) -> None:
    """Give the file its name, in a folder that is made if it is missing."""
    try:
        part.temp.rename(target)
    except FileNotFoundError:
        make_folder(target.parent)
        part.temp.rename(target)


def discard(part: Part) -> None:
    with part.lock:
        part.discarded = True
        if part.descriptor is not None:
            try:
                part.temp.unlink(missing_ok=True)
            finally:
                _close(part)


def _close(part: Part) -> None:
    if part.descriptor is not None:
        os.close(part.descriptor)
        part.descriptor = None


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, each durable in its parent."""
    if folder.exists():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
