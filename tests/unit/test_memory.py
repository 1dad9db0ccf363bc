"""The budget of memory: nobody starves, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.memory import PASSES, Memory

pytestmark = pytest.mark.anyio


class Runs:
    """Runs that take room and keep it until they are told to end."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.running: list[str] = []

    async def begin(self, name: str, wanted: int) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name, wanted))
        await settled()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await settled()

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait([self._tasks[name]])
        await settled()

    async def _run(self, name: str, wanted: int) -> None:
        await self._memory.admit(wanted)
        with self._memory.held(wanted):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)


async def settled() -> None:
    """Let all that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_runs_share_the_budget_and_no_more() -> None:
    memory = Memory(10)
    runs = Runs(memory)
    for name in "abc":
        await runs.begin(name, 4)

    assert (runs.running, memory.admitted, memory.waiting) == (["a", "b"], 8, 1)
    await runs.end("a")
    assert (runs.running, memory.admitted, memory.waiting) == (["b", "c"], 8, 0)


async def test_what_exceeds_the_budget_runs_alone() -> None:
    memory = Memory(10)
    runs = Runs(memory)
    await runs.begin("small", 1)
    await runs.begin("huge", 25)
    assert runs.running == ["small"]

    await runs.end("small")
    await runs.begin("another", 1)

    assert runs.running == ["huge"]
    await runs.end("huge")
    assert runs.running == ["another"]
    await runs.end("another")
    assert memory.admitted == 0


async def test_small_ones_pass_a_large_one_but_not_for_ever() -> None:
    memory = Memory(10)
    runs = Runs(memory)
    await runs.begin("first", 5)
    await runs.begin("large", 10)
    passed = []
    for number in range(PASSES + 3):
        name = str(number)
        await runs.begin(name, 5)
        if name in runs.running:
            passed.append(name)
            await runs.end(name)

    assert passed == [str(number) for number in range(PASSES)]
    await runs.end("first")
    assert runs.running == ["large"]
    await runs.end("large")
    assert runs.running == [str(PASSES), str(PASSES + 1)]


@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "admitted"])
async def test_one_that_gives_up_takes_nothing_along(waits: bool) -> None:
    memory = Memory(10)
    runs = Runs(memory)
    await runs.begin("first", 10 if waits else 5)
    await runs.begin("second", 5)
    await runs.begin("third", 10)
    assert ("second" in runs.running) is not waits

    await runs.give_up("second")
    await runs.end("first")

    assert (runs.running, memory.admitted) == (["third"], 10)


async def test_one_whose_turn_comes_as_it_gives_up_takes_nothing_along() -> None:
    memory = Memory(10)
    await memory.admit(10)
    late: Callable[[], Coroutine[Any, Any, None]] = lambda: memory.admit(10)  # noqa: E731
    waiting = asyncio.create_task(late())
    await settled()

    with memory.held(10):
        pass  # admits the one that waits, which has not heard of it yet
    waiting.cancel()
    await asyncio.wait([waiting])

    assert (memory.admitted, memory.waiting) == (0, 0)


async def test_waits_are_told() -> None:
    told: list[float] = []
    memory = Memory(10, on_wait=told.append)
    runs = Runs(memory)
    await runs.begin("first", 10)
    await runs.begin("second", 10)
    await asyncio.sleep(0.02)
    await runs.end("first")

    assert told[0] < 0.02 <= told[1]
