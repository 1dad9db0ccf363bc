"""Backoff with full jitter, and which errors another attempt can mend."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BrokenPicture, DeliveryFailed, DeliveryRefused, DiskFull, NotFound
from service.tasks import Retry
from service.tasks.retry import is_transient

ATTEMPTS = st.integers(1, 10_000)
POLICIES = st.builds(
    Retry,
    max_attempts=st.integers(1, 20),
    base_seconds=st.floats(0.001, 100),
    cap_seconds=st.floats(0.001, 10_000),
)


@given(POLICIES, ATTEMPTS, st.integers())
def test_every_wait_lies_between_nothing_and_the_ceiling(
    policy: Retry, attempt: int, seed: int
) -> None:
    wait = policy.wait(attempt, random.Random(seed)).total_seconds()

    assert 0 <= wait <= policy.ceiling(attempt) + 1e-6  # a timedelta counts microseconds


@given(POLICIES, ATTEMPTS)
def test_the_ceiling_never_falls_and_never_passes_the_cap(policy: Retry, attempt: int) -> None:
    assert policy.ceiling(attempt) <= policy.ceiling(attempt + 1) <= policy.cap_seconds


def test_the_ceiling_doubles_from_the_base_up_to_the_cap() -> None:
    policy = Retry(base_seconds=2, cap_seconds=30)

    assert [policy.ceiling(attempt) for attempt in range(1, 7)] == [2, 4, 8, 16, 30, 30]


def test_waits_use_the_whole_range() -> None:
    rng = random.Random(7)
    policy = Retry(base_seconds=10)
    waits = [policy.wait(1, rng).total_seconds() for _ in range(200)]

    assert min(waits) < 1
    assert max(waits) > 9


def test_no_two_tasks_that_failed_together_come_back_together() -> None:
    policy = Retry(base_seconds=10)

    assert len({policy.wait(3) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (DeliveryFailed("x"), True),
        (DiskFull("x"), True),
        (DeliveryRefused("x"), False),
        (BrokenPicture("x"), False),
        (NotFound("x"), False),
        (RuntimeError("nobody foresaw it"), True),
        (MemoryError(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_say_whether_another_attempt_can_help(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient
