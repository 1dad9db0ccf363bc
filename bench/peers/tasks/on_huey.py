"""Huey on SQLite, each commit on the disk before a call returns."""

import os

from huey import SqliteHuey
from marks import mark

huey = SqliteHuey(filename=os.environ["BENCH_STORE"], fsync=True, results=False)


@huey.task()
def noop() -> None:
    mark()


def enqueue(count: int) -> None:
    for _ in range(count):
        noop()
