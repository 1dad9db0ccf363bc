"""Long work in a thread looks now and then whether anybody still waits for it.

Nothing can stop a thread, so it has to stop by itself. Whoever starts it says with `asking` what
to ask; the work calls `checkpoint` between two of its steps, and need not know who asks. Where
nobody does, in a child process that can simply be killed, `checkpoint` costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class GivenUp(BaseException):
    """Nobody waits for this work any more. No handler of ordinary errors may hold it up."""


def _nobody_asks() -> bool:
    return False


_IS_GIVEN_UP: ContextVar[Callable[[], bool]] = ContextVar("is_given_up", default=_nobody_asks)


@contextmanager
def asking(is_given_up: Callable[[], bool]) -> Iterator[None]:
    """Have every `checkpoint` inside, in this thread, ask that."""
    token = _IS_GIVEN_UP.set(is_given_up)
    try:
        yield
    finally:
        _IS_GIVEN_UP.reset(token)


def checkpoint() -> None:
    """Raises: GivenUp when nobody waits any more."""
    if _IS_GIVEN_UP.get()():
        raise GivenUp
