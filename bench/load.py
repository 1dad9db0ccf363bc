"""A closed loop: so many visitors, each starting its next photo when it has the one before."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from bench.client import Photo, Protocol, Visitor
from bench.servers import Running


@dataclass(frozen=True)
class Load:
    """How long it took, and how long each photo took."""

    seconds: float
    job_ms: tuple[float, ...]

    @property
    def per_second(self) -> float:
        return len(self.job_ms) / self.seconds


def drive(
    server: Running, protocol: Protocol, photos: Sequence[Photo], passes: int, visitors: int
) -> Load:
    """Send every photo `passes` times."""
    todo: SimpleQueue[Photo] = SimpleQueue()
    for photo in _order(photos, passes):
        todo.put(photo)
    start = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        futures = [pool.submit(_visit, server.port, protocol, todo) for _ in range(visitors)]
        job_ms = [ms for future in futures for ms in future.result()]
    return Load(time.perf_counter() - start, tuple(job_ms))


def _order(photos: Sequence[Photo], passes: int) -> list[Photo]:
    """Shuffled, the same for everybody; the last pass ends with the lightest photos.

    At the end of a turn fewer visitors are busy. That is to be short, or the turns of slow servers,
    which have fewer passes, would look slower than they are.
    """
    shuffled = random.Random(1)
    order = [photo for _ in range(passes - 1) for photo in shuffled.sample(photos, len(photos))]
    return order + sorted(photos, key=lambda photo: len(photo.data), reverse=True)


def _visit(port: int, protocol: Protocol, todo: SimpleQueue[Photo]) -> list[float]:
    job_ms = []
    with Visitor(port) as visitor:
        while photo := _next(todo):
            start = time.perf_counter()
            protocol(visitor, photo)
            job_ms.append((time.perf_counter() - start) * 1e3)
    return job_ms


def _next(todo: SimpleQueue[Photo]) -> Photo | None:
    try:
        return todo.get_nowait()
    except Empty:
        return None
