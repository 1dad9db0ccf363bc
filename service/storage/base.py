"""Where bytes are kept: four verbs over keys.

A key is made by us, never by a client: an id, a slash, a name. What `put` has returned is whole
and durable: no reader ever sees a part of it, and it survives the loss of power.

What is not done here: no locking (two puts of one key race, one wins whole), no listing beyond
what the sweep needs, no content type (the rows know it).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")
#: Bytes on their way, perhaps a view into a larger buffer: passed on, never copied.
Chunk = bytes | memoryview
#: Looks at a whole file, before it takes its name, and returns what it found or raises.
Check = Callable[[Path | bytes], T]


@dataclass(frozen=True)
class Blob:
    """What was put: its length and its digest, both taken while the bytes went by."""

    size_bytes: int
    sha256: str


class Storage(Protocol):
    """The port. Errors: StorageFailed, DiskFull; NotFound for a key that is not there."""

    async def put(self, key: str, chunks: AsyncIterable[Chunk]) -> Blob:
        """Store all of `chunks` under `key`, replacing what was there, or nothing at all.

        An error of `chunks` itself passes through, and leaves nothing.
        """
        ...

    def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of `key`, in chunks."""
        ...

    async def stat(self, key: str) -> int:
        """The length of `key` in bytes."""
        ...

    async def delete(self, key: str) -> None:
        """Remove `key`; not an error if it is not there."""
        ...


class LocalFiles(Protocol):
    """A storage whose keys are files of this machine: decoded and sent without a copy."""

    async def take(self, key: str, chunks: AsyncIterable[Chunk], check: Check[T]) -> tuple[Blob, T]:
        """As `put`, but `check` sees the whole file first, in a thread, and may refuse it.

        It gets the file's bytes where they are still in memory, else the file's path. What it
        raises passes through, and leaves nothing.
        """
        ...

    def path(self, key: str) -> Path:
        """Where the file of `key` is, whether or not it exists."""
        ...

    async def describe(self, key: str) -> os.stat_result:
        """What the system knows of the file of `key`. Raises: NotFound."""
        ...

    async def free_bytes(self) -> int:
        """How much more the disk can take, in bytes."""
        ...

    async def belongs_to(self, installation: str) -> bool:
        """Whether the folder is this installation's; an empty one becomes so."""
        ...

    async def sweep(self) -> None:
        """Remove the parts that uploads of dead processes left behind."""
        ...

    def keys(self, older_than_seconds: float) -> AsyncIterator[str]:
        """The keys that have been there for longer than that."""
        ...


class LocalStorage(Storage, LocalFiles, Protocol):
    """Both: what this release runs on."""
