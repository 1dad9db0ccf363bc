"""Threads and children are one port: the same tests for both, and then what only each can do."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from service.config import MIB
from service.errors import BrokenPicture, OutOfMemory, TimeLimitExceeded, WorkerCrashed
from service.isolation.process import start_child
from service.tasks.engines.children import Children
from service.tasks.engines.threads import PixelThreads
from service.tasks.work import TIME_LIMIT, Place
from tests import harm

pytestmark = pytest.mark.anyio

MEMORY_BYTES = 128 * MIB
#: No condition here takes longer, in seconds.
PATIENCE = 20.0


@pytest.fixture
async def threads(anyio_backend: str) -> AsyncIterator[PixelThreads]:
    """One thread, and one more should it hang."""
    threads = PixelThreads(1, spare=1, grace_seconds=0.02)
    yield threads
    threads.close()


@pytest.fixture
async def children(anyio_backend: str) -> AsyncIterator[Children]:
    """One place for children that know nothing but the standard library."""
    children = Children(PixelThreads(1).limiter, MEMORY_BYTES, modules=())
    yield children
    await children.close()


@pytest.fixture(params=["threads", "children"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


async def come_true(look: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not look():
            await asyncio.sleep(0.002)


async def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """Do it as an attempt with that time limit."""
    async with asyncio.timeout(seconds) as limit:
        token = TIME_LIMIT.set(limit)
        try:
            return await work
        finally:
            TIME_LIMIT.reset(token)


def let_time_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the event loop's clock go on by more than any time limit here, in no time."""
    loop = asyncio.get_running_loop()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + 2 * PATIENCE)


async def give_up(threads: PixelThreads, held: Path) -> None:
    """Have a thread hang for as long as `held` is there, and stop waiting for it."""
    begun = Path(f"{held}.begun")
    begun.unlink(missing_ok=True)
    caller = asyncio.create_task(threads.run(harm.hang_while, str(held)))
    await come_true(begun.exists)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


# Either


async def test_a_function_is_called_and_its_result_comes_back(place: Place) -> None:
    assert await place.run(harm.double, 21) == 42


async def test_values_come_in_their_order(place: Place) -> None:
    async with aclosing(place.stream(harm.count, 100)) as values:
        assert [value async for value in values] == list(range(100))


async def test_a_function_is_never_more_than_one_value_ahead(place: Place, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    async with aclosing(place.stream(harm.journal, str(journal), 5)) as values:
        async for number in values:
            ahead = min(number + 2, 5)
            await come_true(lambda: lines(journal) == ahead)  # noqa: B023 - waited for here
            for _ in range(5):
                await asyncio.sleep(0.002)
            assert lines(journal) == ahead


async def test_an_error_comes_after_the_values_before_it_and_with_its_traceback(
    place: Place,
) -> None:
    async with aclosing(place.stream(harm.half, 2)) as values:
        assert [await anext(values), await anext(values)] == [0, 1]
        with pytest.raises(BrokenPicture, match="The rest is missing") as caught:
            await anext(values)

    told = "".join(getattr(caught.value, "__notes__", ())) + str(caught.traceback)
    assert "harm.py" in told


async def test_an_error_costs_nothing_but_its_call(place: Place) -> None:
    with pytest.raises(ZeroDivisionError, match="of all things"):
        await place.run(harm.refuse, ZeroDivisionError("of all things"))

    assert await place.run(harm.double, 1) == 2


async def test_whoever_stops_early_frees_the_place(place: Place) -> None:
    async with aclosing(place.stream(harm.count, 1_000_000)) as values:
        assert await anext(values) == 0

    async with asyncio.timeout(PATIENCE):
        assert await place.run(harm.double, 2) == 4


async def test_a_cancelled_caller_frees_the_place(place: Place, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def take_for_ever(values: AsyncGenerator[int]) -> None:
        async with aclosing(values):
            async for _ in values:
                await asyncio.sleep(0)

    caller = asyncio.create_task(take_for_ever(place.stream(harm.journal, str(journal), 10**9)))
    await come_true(lambda: lines(journal) > 2)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)

    assert caller.cancelled()
    async with asyncio.timeout(PATIENCE):
        assert await place.run(harm.double, 3) == 6


async def test_waiting_for_a_place_is_off_the_clock(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "held"
    held.touch()
    first = asyncio.create_task(place.run(harm.hang_while, str(held)))
    await come_true(Path(f"{held}.begun").exists)
    second = asyncio.create_task(within(PATIENCE, place.run(harm.double, 4)))
    await asyncio.sleep(0)

    let_time_pass(monkeypatch)
    _, waiting = await asyncio.wait([second], timeout=0.01)
    held.unlink()

    assert waiting == {second}
    assert await second == 8
    await first


# Threads alone


async def test_a_thread_that_hangs_takes_no_place_from_the_others(
    threads: PixelThreads, tmp_path: Path
) -> None:
    held = tmp_path / "held"
    held.touch()
    await give_up(threads, held)
    await come_true(lambda: threads.abandoned == 1)

    assert (threads.busy, threads.limiter.total_tokens) == (1, 2)
    assert await threads.run(harm.double, 5) == 10

    held.unlink()
    await come_true(lambda: threads.busy == 0)
    assert (threads.abandoned, threads.limiter.total_tokens) == (0, 1)


async def test_the_pool_grows_no_further_than_it_may(threads: PixelThreads, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.touch()
    for _ in range(2):
        await give_up(threads, held)
    await come_true(lambda: threads.abandoned == 2)

    assert threads.limiter.total_tokens == 2
    waiting = asyncio.create_task(threads.run(harm.double, 6))
    _, still = await asyncio.wait([waiting], timeout=0.1)
    held.unlink()

    assert still == {waiting}
    assert await waiting == 12


async def test_a_thread_that_stops_in_time_is_not_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    threads = PixelThreads(
        1, spare=1, grace_seconds=PATIENCE, on_abandoned=lambda: told.append(True)
    )
    held = tmp_path / "held"
    held.touch()
    await give_up(threads, held)
    held.unlink()
    await come_true(lambda: threads.busy == 0)
    let_time_pass(monkeypatch)
    await asyncio.sleep(0.01)  # what is due by then comes first

    assert not told
    threads.close()


# Children alone


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        (harm.segfault, (), "SIGSEGV"),
        (harm.kill_itself, (signal.SIGKILL,), "SIGKILL"),
        (harm.leave, (3,), "status 3"),
        (harm.leave, (0,), "status 0"),
        (harm.riddle, (), "no data"),
    ],
    ids=["segfault", "killed", "exit", "quiet exit", "riddle"],
)
async def test_a_child_that_dies_or_lies_costs_its_call_alone(
    children: Children,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(WorkerCrashed, match=message):
        await children.run(function, *args)

    assert (children.alive, children.busy) == (0, 0)
    assert await children.run(harm.double, 7) == 14
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("function", [harm.spin, harm.spin_in_c, harm.hang])
async def test_a_child_that_hangs_is_killed_at_the_time_limit(
    children: Children, function: Callable[[], None]
) -> None:
    pid = await children.run(harm.pid)

    with pytest.raises(TimeoutError):
        await within(0.2, children.run(function))

    await come_true(lambda: is_gone(pid))
    assert children.alive == 0
    assert await children.run(harm.double, 8) == 16


async def test_a_child_ends_when_it_has_used_up_its_time_even_if_nobody_looks(
    children: Children,
) -> None:
    child = await start_child(MEMORY_BYTES, ())

    with pytest.raises(TimeLimitExceeded):
        async for _ in child.call(harm.spins, (), {}, 0.0):
            pass


async def test_a_child_that_takes_too_much_memory_is_told_so_and_replaced(
    children: Children,
) -> None:
    pid = await children.run(harm.pid)

    with pytest.raises(OutOfMemory, match="128 MiB"):
        await children.run(harm.allocate)

    await come_true(lambda: is_gone(pid))
    assert await children.run(harm.double, 9) == 18


async def test_a_child_is_used_again_and_then_replaced(
    threads: PixelThreads,
) -> None:
    children = Children(threads.limiter, MEMORY_BYTES, modules=(), calls=2)

    pids = [await children.run(harm.pid) for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]
    await children.close()
    await come_true(lambda: is_gone(pids[0]) and is_gone(pids[2]))


async def test_an_idle_child_ends_after_a_while(threads: PixelThreads) -> None:
    children = Children(threads.limiter, MEMORY_BYTES, modules=(), idle_seconds=0.05)
    pid = await children.run(harm.pid)
    assert (children.alive, children.busy) == (1, 0)

    await come_true(lambda: is_gone(pid))

    assert children.alive == 0
    assert await children.run(harm.double, 10) == 20
    await children.close()


async def test_a_child_that_died_while_idle_harms_no_call(children: Children) -> None:
    pid = await children.run(harm.pid)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert await children.run(harm.double, 11) == 22


async def test_a_child_is_bounded_and_knows_no_secret(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXMILL_SMTP_URL", "smtp://a:secret@b")
    pid = await children.run(harm.pid)
    process = Path(f"/proc/{pid}")
    limits = {
        line[:26].strip(): line[26:].split()[0]
        for line in (process / "limits").read_text().splitlines()[1:]
    }
    pages = int((process / "statm").read_text().split()[0])

    assert limits["Max core file size"] == "0"
    assert limits["Max open files"] == "64"
    assert limits["Max file size"] == str(MEMORY_BYTES)
    taken = pages * os.sysconf("SC_PAGESIZE")
    assert taken < int(limits["Max address space"]) <= taken + MEMORY_BYTES
    assert os.getpriority(os.PRIO_PROCESS, pid) == 10
    assert (process / "oom_score_adj").read_text().strip() == "1000"
    assert "secret" not in (process / "environ").read_text()


HOUSE_OF_A_CHILD = (
    "service.imaging",
    "service.isolation",
    "service.errors",
    "service.interrupting",
)


async def test_a_child_with_the_pipeline_loads_nothing_of_the_house_beside_it(
    threads: PixelThreads,
) -> None:
    children = Children(threads.limiter, MEMORY_BYTES)

    loaded = set(await children.run(harm.loaded))

    assert "service.imaging" in loaded
    house = {name for name in loaded if name.startswith("service.")}
    assert all(name.startswith(HOUSE_OF_A_CHILD) for name in house)
    assert loaded.isdisjoint({"sqlalchemy", "asyncio", "anyio", "fastapi", "pydantic_settings"})
    await children.close()


def is_gone(pid: int) -> bool:
    """Whether the process has ended and been waited for."""
    return not Path(f"/proc/{pid}").exists()
