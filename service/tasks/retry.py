"""When to try again: exponential backoff with full jitter, for errors another attempt can mend."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from service.errors import ServiceError


@dataclass(frozen=True)
class Retry:
    """How often a kind is tried, and how long it waits in between."""

    #: Attempts in all, the first included.
    max_attempts: int = 5
    #: Upper bound of the first wait, doubled by every further attempt.
    base_seconds: float = 2.0
    #: No wait is longer.
    cap_seconds: float = 300.0

    def ceiling(self, attempt: int) -> float:
        """The longest wait after failed attempt number `attempt` (from 1), in seconds."""
        doublings = min(attempt - 1, 64)
        return min(self.cap_seconds, self.base_seconds * 2.0**doublings)

    def wait(self, attempt: int, rng: random.Random | None = None) -> timedelta:
        """A random wait between nothing and the ceiling.

        Source: Brooker, "Exponential Backoff And Jitter" (AWS, 2015), full jitter: it spreads a
        herd of failures best for the least total work.
        """
        draw = (rng or random.SystemRandom()).uniform(0.0, self.ceiling(attempt))
        return timedelta(seconds=draw)


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed.

    Our own errors say so themselves. What nobody foresaw counts as transient: the attempts are
    bounded, and giving up on a passing fault loses work where retrying a lasting one only costs.
    """
    return error.transient if isinstance(error, ServiceError) else True
