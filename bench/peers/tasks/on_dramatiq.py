"""Dramatiq on Redis, with its own middleware."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from marks import mark

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_STORE"]))


@dramatiq.actor
def noop() -> None:
    mark()


def enqueue(count: int) -> None:
    for _ in range(count):
        noop.send()
