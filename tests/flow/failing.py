"""The real command line with kinds of task that fail, hang, or wait for a file.

Run as `python -m tests.flow.failing serve`. Files are named relative to the process's folder:
while `hold` is there, pictures wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from service import kinds, processing
from service.errors import DeliveryFailed, DeliveryRefused
from service.tasks import Isolation, Lane, Outcome, Retry, Work, task
from tests import harm

MODULE = "tests.flow.failing"
HOLD = "hold"
FEW = Retry(max_attempts=3, base_seconds=0.05)


@task("test.transient", retry=FEW)
async def transient(work: Work) -> None:
    raise DeliveryFailed(f"Nobody answered attempt {work.task.attempt}.")


@task("test.unforeseen", retry=FEW)
async def unforeseen(work: Work) -> None:
    raise ZeroDivisionError("a bug in a handler")


@task("test.permanent", retry=FEW)
async def permanent(work: Work) -> None:
    raise DeliveryRefused("There is no such receiver.")


@task("test.third_time", retry=FEW)
async def third_time(work: Work) -> Outcome:
    if work.task.attempt < 3:
        raise DeliveryFailed("Not yet.")
    return Outcome({"attempt": work.task.attempt})


@task("test.endless", retry=replace(FEW, max_attempts=2), time_limit=0.1)
async def endless(work: Work) -> None:
    await asyncio.Event().wait()


@task("test.needs", retry=FEW)
async def needs(work: Work, file: str, journal: str) -> None:
    """Fail for good while `file` is missing."""
    if not Path(file).exists():
        raise DeliveryRefused(f"There is no {file}.")
    _write(journal, "first")


@task("test.follows", retry=FEW)
async def follows(work: Work, journal: str) -> None:
    _write(journal, "second")


@task("test.waits")
async def waits(work: Work, file: str) -> None:
    """Run until `file` is there."""
    while not Path(file).exists():
        await asyncio.sleep(0.01)


@task("test.harms", retry=FEW, lane=Lane.PIXELS, isolation=Isolation.PROCESS)
async def harms(work: Work, what: str) -> None:
    """Do harm in a child process, by the name of a function of `tests.harm`."""
    await work.place.run(getattr(harm, what))


@task("test.spins", retry=FEW, time_limit=0.3, lane=Lane.PIXELS, isolation=Isolation.PROCESS)
async def spins(work: Work, what: str) -> None:
    """The same, within a time limit."""
    await work.place.run(getattr(harm, what))


@task("test.hangs", retry=FEW, time_limit=0.5, lane=Lane.PIXELS)
async def hangs(work: Work, file: str) -> Outcome:
    """Hang in a thread for as long as the file is there; else tell which process it was."""
    if not work.task.isolated:
        await work.place.run(harm.hang_while, file)
    return Outcome({"pid": await work.place.run(harm.pid)})


@task("test.rests", lane=Lane.PIXELS, isolation=Isolation.PROCESS)
async def rests(work: Work, file: str) -> None:
    """Be busy in a child process for as long as the file is there."""
    await work.place.run(harm.hang_while, file)


@task("test.crashes", retry=FEW, lane=Lane.PIXELS)
async def crashes(work: Work) -> None:
    """Take the process down in which it runs."""
    await work.place.run(harm.segfault)


async def _held(work: Work, **payload: Any) -> Outcome | None:
    while Path(HOLD).exists():
        await asyncio.sleep(0.01)
    return await processing.process.handler(work, **payload)


def _write(journal: str, line: str) -> None:
    with Path(journal).open("a") as file:
        file.write(f"{line}\n")


HARMING = (harms, spins, hangs, rests, crashes)
FAILING = (transient, unforeseen, permanent, third_time, endless, needs, follows, waits, *HARMING)


def main() -> None:
    honest = (kind for kind in kinds.KINDS if kind is not processing.process)
    kinds.KINDS = (*honest, replace(processing.process, handler=_held), *FAILING)
    from service.__main__ import main as command_line

    command_line()


if __name__ == "__main__":
    main()
