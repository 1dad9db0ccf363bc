"""A local folder as storage.

A file is written beside the others under a temporary name, synced, renamed into place, and its
folder synced: in this order, so that after a loss of power it is there whole or not at all. The
writer holds a lock on its temporary file, so the sweep can tell a dead writer's from a live one's.

Bytes gather in memory and go to the disk in large batches, one hop to a thread each: that is
several times faster than a hop a chunk. `Buffers` bounds the memory of all uploads together.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import time
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiofiles
from aiofiles.base import wrap

from service.errors import DiskFull, NotFound, StorageFailed
from service.models import new_id
from service.storage.base import Blob, Check, Chunk
from service.storage.part import Part, append, discard, finish, sync_folder

P = ParamSpec("P")
T = TypeVar("T")

KIB = 1024
#: Bytes a read hands on at once.
READ_BYTES = 256 * KIB
#: A batch is never larger than this nor, under any load, smaller than the other.
MAX_BATCH_BYTES = 1024 * KIB
MIN_BATCH_BYTES = 64 * KIB
#: Threads that write and sync; the disk is no faster with more.
WRITERS = 8
#: What is younger, in seconds, the sweep leaves alone: small files come and go unlocked.
UNLOCKED_SECONDS = 5
#: Folder of the temporary files, inside the root so that a rename stays on one disk.
INCOMING = ".incoming"
#: File that names the installation a folder belongs to.
OWNER = ".installation"


@dataclass
class Buffers:
    """A bound on the memory that batches of all writers hold together."""

    total_bytes: int
    writers: int = 0

    @contextmanager
    def share(self) -> Iterator[Callable[[], int]]:
        """Join the writers; the call inside tells how large a batch may be just now, in bytes."""
        self.writers += 1
        try:
            yield self._batch_bytes
        finally:
            self.writers -= 1

    def _batch_bytes(self) -> int:
        # Half: while one batch is on its way to the disk, the socket fills the next.
        fair = self.total_bytes // (2 * self.writers)
        return max(MIN_BATCH_BYTES, min(MAX_BATCH_BYTES, fair))


class LocalFolder:
    """The folder at `root`, made if it is missing. Implements Storage and LocalFiles."""

    def __init__(self, root: Path, buffer_bytes: int) -> None:
        self.root = root.resolve()
        self._incoming = self.root / INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True)
        _make_shards(self.root)
        self._buffers = Buffers(buffer_bytes)
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="storage")

    def close(self) -> None:
        """Wait for the writes under way."""
        self._threads.shutdown()

    def path(self, key: str) -> Path:
        """Where the file of `key` is: under one of 256 folders, so that none grows too large."""
        return Path(f"{self._shard(key)}/{key}")

    def _shard(self, key: str) -> str:
        first = key.partition("/")[0]
        return f"{self.root}/{zlib.crc32(first.encode()) & 0xFF:02x}"

    async def put(self, key: str, chunks: AsyncIterable[Chunk]) -> Blob:
        """Store `chunks` under `key`, whole and durable on return, or leave nothing."""
        blob, _ = await self.take(key, chunks, lambda _: None)
        return blob

    async def take(self, key: str, chunks: AsyncIterable[Chunk], check: Check[T]) -> tuple[Blob, T]:
        """As `put`, once `check` has seen the whole file, as bytes or as a path, in a thread.

        What `check` raises leaves nothing.
        """
        part = Part(Path(f"{self._incoming}/{new_id()}"))
        try:
            await self._write(part, chunks)
            return await self._in_thread(finish, part, self.path(key), check)
        except BaseException:
            # Not awaited in a cancelled task: the thread goes on by itself.
            self._threads.submit(discard, part)
            raise

    async def _write(self, part: Part, chunks: AsyncIterable[Chunk]) -> None:
        """Gather chunks into batches and send each to the disk; the last stays in `part`."""
        with self._buffers.share() as batch_bytes:
            async for chunk in chunks:
                part.waiting.append(chunk)
                part.waiting_bytes += len(chunk)
                del chunk  # here and upstream: it is large, and must not wait for the next one
                if part.waiting_bytes >= batch_bytes():
                    await self._in_thread(append, part)

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of `key`, in chunks. Raises: NotFound."""
        try:
            async with aiofiles.open(self.path(key), "rb", executor=self._threads) as file:
                while chunk := await file.read(READ_BYTES):
                    yield chunk
        except FileNotFoundError:
            raise _nothing_under(key) from None

    async def stat(self, key: str) -> int:
        """The length of `key` in bytes. Raises: NotFound."""
        return (await self.describe(key)).st_size

    async def describe(self, key: str) -> os.stat_result:
        """What the system knows of the file of `key`. Raises: NotFound."""
        return await self._in_thread(_describe, self.path(key), key)

    async def delete(self, key: str) -> None:
        """Remove `key`, and its folder when that is empty now."""
        await self._in_thread(_delete, self.path(key), self._shard(key))

    async def free_bytes(self) -> int:
        """How much more the disk can take for us, in bytes."""
        disk = await self._in_thread(os.statvfs, self.root)
        return disk.f_bavail * disk.f_frsize

    async def belongs_to(self, installation: str) -> bool:
        """Whether the folder is this installation's; an empty one becomes so."""
        return await self._in_thread(_belongs_to, self.root, installation)

    async def sweep(self) -> None:
        """Remove the temporary files whose writer is dead."""
        await self._in_thread(_sweep, self._incoming)

    async def keys(self, older_than_seconds: float) -> AsyncIterator[str]:
        """The keys whose file is older than that, by modification time."""
        before = time.time() - older_than_seconds
        for folder in await self._in_thread(_folders, self.root):
            for key in await self._in_thread(_keys_below, folder, before):
                yield key

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in one of the writers' threads, by aiofiles' own way of doing so."""
        in_thread = wrap(function)
        with _named_errors():
            return await in_thread(*args, executor=self._threads, **kwargs)


def _describe(path: Path, key: str) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError:
        raise _nothing_under(key) from None


def _nothing_under(key: str) -> NotFound:
    return NotFound(f"Nothing is stored under {key}.")


def _delete(path: Path, shard: str) -> None:
    path.unlink(missing_ok=True)
    if str(path.parent) != shard:
        with suppress(OSError):  # not empty yet
            path.parent.rmdir()


def _make_shards(root: Path) -> None:
    """All folders that `path` names, made ahead: no upload waits for one."""
    for shard in range(256):
        (root / f"{shard:02x}").mkdir(exist_ok=True)
    sync_folder(root)


def _sweep(incoming: Path) -> None:
    before = time.time() - UNLOCKED_SECONDS
    for temp in incoming.iterdir():
        with suppress(OSError), temp.open("rb") as file:
            if os.fstat(file.fileno()).st_mtime < before:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a live writer holds it
                temp.unlink()


def _belongs_to(root: Path, installation: str) -> bool:
    owner = root / OWNER
    if owner.exists():
        return owner.read_text().strip() == installation
    if any(_keys_below(folder, math.inf) for folder in _folders(root)):
        return False
    _mark(root, installation)
    return True


def _mark(root: Path, installation: str) -> None:
    """Name the owner whole or not at all: a name cut short would be nobody's for ever."""
    temp = root / INCOMING / new_id()
    with temp.open("w") as file:
        file.write(f"{installation}\n")
        file.flush()
        os.fsync(file.fileno())
    temp.rename(root / OWNER)
    sync_folder(root)


def _folders(root: Path) -> list[Path]:
    return [folder for folder in root.iterdir() if folder.is_dir() and folder.name != INCOMING]


def _keys_below(folder: Path, before: float) -> list[str]:
    # Of what is removed meanwhile, `walk` passes over folders, where `rglob` fails.
    paths = (Path(within, name) for within, _, names in os.walk(folder) for name in names)
    return [str(path.relative_to(folder)) for path in paths if _is_older(path, before)]


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn the system's errors into ours: a file that somebody took away is a failed storage."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("The disk is full.", retry_after_seconds=30) from error
        raise StorageFailed(
            f"The storage failed: {error.strerror}.", retry_after_seconds=5
        ) from error
