"""Kinds of task that leave a trace, wait for a file, or fail; files are in the cluster's folder."""

from __future__ import annotations

import asyncio
import ctypes
from pathlib import Path

from service.errors import DeliveryFailed, DeliveryRefused
from service.tasks import Lane, Outcome, Retry, Work, task

FEW = Retry(max_attempts=3, base_seconds=0.05)


@task("test.notes", lane=Lane.PIXELS, retry=FEW)
async def notes(work: Work, journal: str, line: str) -> None:
    """Add a line to a journal."""
    with Path(journal).open("a") as file:
        file.write(f"{line}\n")


@task("test.waits", lane=Lane.PIXELS, retry=FEW)
async def waits(work: Work, file: str) -> None:
    """Run until `file` is there."""
    while not Path(file).exists():
        await asyncio.sleep(0.01)


@task("test.needs", lane=Lane.PIXELS, retry=FEW)
async def needs(work: Work, file: str) -> None:
    """Fail for good while `file` is missing."""
    if not Path(file).exists():
        raise DeliveryRefused(f"There is no {file}.")


@task("test.third_time", lane=Lane.PIXELS, retry=FEW)
async def third_time(work: Work) -> Outcome:
    """Fail twice in a way that may pass."""
    if work.task.attempt < 3:
        raise DeliveryFailed("Not yet.")
    return Outcome({"attempt": work.task.attempt})


@task("test.segfault", lane=Lane.PIXELS, retry=FEW)
async def segfault(work: Work) -> None:
    """Do what a hole in a decoder may do."""
    ctypes.string_at(0)


@task("test.spins", lane=Lane.PIXELS, retry=FEW, time_limit=0.1)
async def spins(work: Work) -> None:
    """Go on for ever, and keep even the event loop from noticing."""
    while True:
        pass


KINDS = (notes, waits, needs, third_time, segfault, spins)
