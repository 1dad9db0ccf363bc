"""What every storage promises, on each of them: whole and durable, or nothing at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import pytest

from service.errors import NotFound, StorageFailed, UnreadablePicture
from service.models import new_id
from service.storage import LocalFolder, LocalStorage
from tests.servers import PATIENCE, until

pytestmark = pytest.mark.anyio

#: A file that stays in memory to its end, and one that goes to the disk in batches.
SMALL = b"small" * 100
LARGE = bytes(range(256)) * 20_000
BUFFER_BYTES = 1024 * 1024

Storage = LocalStorage
Open = Callable[[Path], LocalFolder]

#: Every adapter: a new one is a line here.
ADAPTERS: dict[str, Open] = {"local": lambda root: LocalFolder(root, BUFFER_BYTES)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=ADAPTERS)
def storage(request: pytest.FixtureRequest, root: Path) -> Iterator[LocalFolder]:
    opened = ADAPTERS[request.param](root)
    yield opened
    opened.close()


async def stream(data: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def breaking(data: bytes) -> AsyncIterator[bytes]:
    async for chunk in stream(data):
        yield chunk
    raise ConnectionError("the client went away")


async def read(storage: Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.open(key)])


async def keys(storage: Storage, older_than_seconds: float = -1) -> list[str]:
    return sorted([key async for key in storage.keys(older_than_seconds)])


def files(root: Path) -> list[Path]:
    """Everything below, temporary files included."""
    return [path for path in root.rglob("*") if path.is_file()]


def nothing_is_left(root: Path) -> bool:
    return until(lambda: not files(root), "the part's removal")


sizes = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


@pytest.mark.parametrize("data", [b"", b"x", SMALL, LARGE], ids=["empty", "byte", "small", "large"])
async def test_what_was_put_is_there_whole(storage: Storage, data: bytes) -> None:
    key = new_id()

    blob = await storage.put(key, stream(data))

    assert await read(storage, key) == data
    assert await storage.stat(key) == len(data)
    assert (blob.size_bytes, blob.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("size", [1_000, 64 * 1024, 1024 * 1024, 10**7])
async def test_the_size_of_the_chunks_makes_no_difference(storage: Storage, size: int) -> None:
    blob = await storage.put("a", stream(LARGE, size))

    assert await read(storage, "a") == LARGE
    assert blob.sha256 == hashlib.sha256(LARGE).hexdigest()


async def test_empty_chunks_are_nothing(storage: Storage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"", b"a", b"", b"b", b""):
            yield chunk

    assert (await storage.put("a", chunks())).size_bytes == 2
    assert await read(storage, "a") == b"ab"


async def test_keys_with_a_folder_are_their_own(storage: Storage) -> None:
    await storage.put("image/one.jpeg", stream(b"1"))
    await storage.put("image/two.jpeg", stream(b"2"))
    await storage.put("other", stream(b"3"))

    assert await read(storage, "image/one.jpeg") == b"1"
    assert await keys(storage) == ["image/one.jpeg", "image/two.jpeg", "other"]


@sizes
async def test_a_second_put_replaces_the_whole(storage: Storage, data: bytes) -> None:
    await storage.put("a", stream(b"much longer than what comes after it" * 99_999))

    await storage.put("a", stream(data))

    assert await read(storage, "a") == data


async def test_a_reader_keeps_the_file_it_began_with(storage: Storage) -> None:
    old, new = b"o" * 2_000_000, b"n" * 2_000_000
    await storage.put("a", stream(old))
    reading = storage.open("a")
    seen = await anext(reading)

    await storage.put("a", stream(new))

    async for chunk in reading:
        seen += chunk
    assert seen == old
    assert await read(storage, "a") == new


async def test_of_puts_that_race_one_wins_whole(storage: Storage) -> None:
    contents = [bytes([letter]) * 1_500_000 for letter in b"abcdef"]

    await asyncio.gather(*(storage.put("k", stream(content)) for content in contents))

    assert await read(storage, "k") in contents


# Nothing at all


@sizes
async def test_chunks_that_fail_leave_nothing(storage: Storage, root: Path, data: bytes) -> None:
    with pytest.raises(ConnectionError):
        await storage.put("a", breaking(data))

    assert nothing_is_left(root)
    assert await keys(storage) == []


@sizes
async def test_chunks_that_fail_leave_what_was_there(
    storage: Storage, root: Path, data: bytes
) -> None:
    await storage.put("a", stream(b"before"))

    with pytest.raises(ConnectionError):
        await storage.put("a", breaking(data))

    assert await read(storage, "a") == b"before"
    until(lambda: len(files(root)) == 1, "the part's removal")


async def test_a_part_that_somebody_removes_is_a_failed_storage(
    storage: Storage, root: Path
) -> None:
    async def robbed() -> AsyncIterator[bytes]:
        async for chunk in stream(LARGE):
            yield chunk
        for part in parts(root):
            part.unlink()

    with pytest.raises(StorageFailed):
        await storage.put("a", robbed())

    assert nothing_is_left(root)
    await storage.put("a", stream(LARGE))
    assert await read(storage, "a") == LARGE


@sizes
async def test_a_check_that_refuses_leaves_nothing(
    storage: Storage, root: Path, data: bytes
) -> None:
    def refuse(_: Path | bytes) -> None:
        raise UnreadablePicture("no picture")

    with pytest.raises(UnreadablePicture):
        await storage.take("a", stream(data), refuse)

    assert nothing_is_left(root)


@sizes
async def test_a_check_that_breaks_leaves_nothing(
    storage: Storage, root: Path, data: bytes
) -> None:
    with pytest.raises(ZeroDivisionError):
        await storage.take("a", stream(data), lambda _: 1 // 0)

    assert nothing_is_left(root)


@sizes
async def test_a_check_sees_the_whole_file_and_its_finding_comes_back(
    storage: Storage, data: bytes
) -> None:
    def look(file: Path | bytes) -> tuple[str, str]:
        seen = file if isinstance(file, bytes) else file.read_bytes()
        return hashlib.sha256(seen).hexdigest(), threading.current_thread().name

    blob, (digest, thread) = await storage.take("a", stream(data), look)

    assert digest == blob.sha256
    assert thread != threading.current_thread().name


@sizes
async def test_until_the_check_has_passed_nobody_sees_the_file(
    storage: Storage, data: bytes
) -> None:
    seen: list[bool] = []

    await storage.take("a", stream(data), lambda _: seen.append(storage.path("a").exists()))

    assert seen == [False]
    assert storage.path("a").read_bytes() == data


@sizes
async def test_a_put_that_is_cancelled_leaves_nothing(
    storage: Storage, root: Path, data: bytes
) -> None:
    gone = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in stream(data):
            yield chunk
        gone.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(storage.put("a", endless()))
    await gone.wait()
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)

    assert putting.cancelled()
    assert nothing_is_left(root)


@sizes
async def test_a_take_that_is_cancelled_during_its_check_is_whole_or_nothing(
    storage: Storage, root: Path, data: bytes
) -> None:
    checking, go_on = threading.Event(), threading.Event()

    def check(_: Path | bytes) -> None:
        checking.set()
        go_on.wait(PATIENCE)

    taking = asyncio.create_task(storage.take("a", stream(data), check))
    assert await asyncio.to_thread(checking.wait, PATIENCE)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    go_on.set()

    def is_settled() -> bool:
        return not [path for path in files(root) if path != storage.path("a")]

    await asyncio.to_thread(until, is_settled, "the end of the part")
    assert not storage.path("a").exists() or storage.path("a").read_bytes() == data


# The other verbs


async def test_what_is_not_there_is_not_found(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.stat("nix")
    with pytest.raises(NotFound):
        await read(storage, "nix")


async def test_what_was_deleted_is_not_found(storage: Storage) -> None:
    await storage.put("a/b", stream(SMALL))

    await storage.delete("a/b")

    with pytest.raises(NotFound):
        await storage.stat("a/b")
    assert await keys(storage) == []


async def test_deleting_what_is_not_there_is_no_error(storage: Storage) -> None:
    await storage.delete("nix")
    await storage.delete("nix/nix")


async def test_deleting_one_key_leaves_its_neighbours(storage: Storage) -> None:
    await storage.put("a/one", stream(b"1"))
    await storage.put("a/two", stream(b"2"))

    await storage.delete("a/one")

    assert await keys(storage) == ["a/two"]


async def test_putting_after_deleting_the_last_of_a_folder_works(storage: Storage) -> None:
    await storage.put("a/one", stream(b"1"))
    await storage.delete("a/one")

    await storage.put("a/one", stream(b"2"))

    assert await read(storage, "a/one") == b"2"


async def test_the_free_room_is_the_disks(storage: Storage, root: Path) -> None:
    disk = os.statvfs(root)

    assert 0 < await storage.free_bytes() <= disk.f_blocks * disk.f_frsize


async def test_the_keys_are_those_that_are_old_enough(storage: Storage) -> None:
    for key in ("new", "old"):
        await storage.put(key, stream(SMALL))
    hour_ago = time.time() - 3600
    os.utime(storage.path("old"), (hour_ago, hour_ago))

    assert await keys(storage, 1_800) == ["old"]
    assert await keys(storage) == ["new", "old"]


async def test_what_was_put_is_there_after_opening_again(storage: Storage, root: Path) -> None:
    await storage.put("a/b", stream(LARGE))

    again = LocalFolder(root, BUFFER_BYTES)

    assert await read(again, "a/b") == LARGE
    again.close()


async def test_an_empty_folder_becomes_the_installations_that_asks_first(
    storage: Storage,
) -> None:
    assert await storage.belongs_to("one")
    await storage.put("a", stream(SMALL))

    assert await storage.belongs_to("one")
    assert not await storage.belongs_to("two")
    assert await keys(storage) == ["a"]


async def test_a_folder_with_files_of_unknown_origin_is_nobodys(storage: Storage) -> None:
    await storage.put("a", stream(SMALL))

    assert not await storage.belongs_to("one")


# The sweep


def parts(root: Path) -> list[Path]:
    return files(root / ".incoming")


def age(paths: Iterable[Path]) -> None:
    hour_ago = time.time() - 3600
    for path in paths:
        os.utime(path, (hour_ago, hour_ago))


async def test_the_sweep_leaves_the_part_of_a_live_writer(storage: Storage, root: Path) -> None:
    go_on = asyncio.Event()

    async def paused() -> AsyncIterator[bytes]:
        async for chunk in stream(LARGE):
            yield chunk
        await go_on.wait()
        yield b"the end"

    putting = asyncio.create_task(storage.put("a", paused()))
    await asyncio.to_thread(until, lambda: parts(root), "the part")
    age(parts(root))

    await storage.sweep()

    assert len(parts(root)) == 1
    go_on.set()
    await putting
    assert await read(storage, "a") == LARGE + b"the end"


WRITER = """
import asyncio, pathlib, sys
from service.storage import LocalFolder
async def chunks():
    yield b"x" * 4_000_000
    print("written", flush=True)
    await asyncio.Event().wait()
asyncio.run(LocalFolder(pathlib.Path(sys.argv[1]), 2**20).put("a", chunks()))
"""


async def test_the_sweep_removes_the_part_of_a_writer_that_was_killed(
    storage: Storage, root: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
    assert len(parts(root)) == 1
    age(parts(root))

    await storage.sweep()

    assert parts(root) == []


async def test_the_sweep_leaves_parts_that_are_very_young(storage: Storage, root: Path) -> None:
    """A small file is written without a lock, and is gone in an instant."""
    (root / ".incoming" / "young").write_bytes(b"x")

    await storage.sweep()

    assert len(parts(root)) == 1


async def test_the_sweep_touches_no_file_that_is_complete(storage: Storage, root: Path) -> None:
    await storage.put("a", stream(SMALL))
    age(files(root))

    await storage.sweep()

    assert await read(storage, "a") == SMALL


async def test_keys_are_listed_while_others_are_removed(storage: LocalFolder) -> None:
    await storage.put("stays/one", stream(SMALL))
    ended = threading.Event()

    def come_and_go() -> None:
        for number in range(600):
            path = storage.path(f"goes/{number}")
            path.parent.mkdir(exist_ok=True)
            path.touch()
            path.unlink()
            path.parent.rmdir()
        ended.set()

    async with asyncio.TaskGroup() as beside:
        beside.create_task(asyncio.to_thread(come_and_go))
        while not ended.is_set():
            assert "stays/one" in await keys(storage)
