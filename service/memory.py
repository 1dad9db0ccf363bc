"""A budget of memory for runs on pictures: who wants more than is left waits for its turn.

Whoever fits may pass those who do not fit yet, so that small pictures go by a large one that waits;
but nobody is passed more than `PASSES` times, so that the large one comes to its turn as well.
Who wants more than the whole budget runs alone. One object a process, used on its event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Times that one who waits may be passed.
PASSES = 8


@dataclass(eq=False)
class _Waiting:
    """Somebody who wants room."""

    wanted: int
    admitted: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    passed: int = 0


class Memory:
    """The budget, in bytes, and those who wait for a part of it."""

    def __init__(
        self, budget_bytes: int, *, on_wait: Callable[[float], None] = lambda _: None
    ) -> None:
        self.budget = budget_bytes
        self._on_wait = on_wait
        self._admitted = 0
        self._line: list[_Waiting] = []

    @property
    def admitted(self) -> int:
        """Bytes of those who run."""
        return self._admitted

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    @contextmanager
    def held(self, wanted: int) -> Iterator[None]:
        """Give back, at the end, what `admit` gave."""
        try:
            yield
        finally:
            self._admitted -= wanted
            self._admit_whoever_fits()

    async def admit(self, wanted: int) -> None:
        """Wait until there is room for `wanted` bytes, and take it; `held` gives it back."""
        one = _Waiting(wanted)
        self._line.append(one)
        self._admit_whoever_fits()
        began = time.monotonic()
        try:
            await one.admitted
        except asyncio.CancelledError:
            self._leave(one)
            raise
        self._on_wait(time.monotonic() - began)

    def _leave(self, one: _Waiting) -> None:
        if one in self._line:
            self._line.remove(one)
        else:  # its turn came in the moment it was given up
            self._admitted -= one.wanted
        self._admit_whoever_fits()

    def _admit_whoever_fits(self) -> None:
        """Go along the line; past one who was passed often enough nobody goes."""
        before: list[_Waiting] = []
        for one in tuple(self._line):
            if self._fits(one.wanted):
                self._line.remove(one)
                self._admitted += one.wanted
                one.admitted.set_result(None)
                for passed in before:
                    passed.passed += 1
            elif one.passed >= PASSES:
                return
            else:
                before.append(one)

    def _fits(self, wanted: int) -> bool:
        return not self._admitted or self._admitted + wanted <= self.budget
