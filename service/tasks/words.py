"""The words of the task layer: statuses, and what a row says to those who work with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

STATUSES = ("waiting", "queued", "running", "retrying", "succeeded", "failed", "cancelled")
#: Due as soon as `run_at` has come.
DUE = ("queued", "retrying")
#: Can be cancelled at once; what runs can only be asked to stop.
NOT_BEGUN = ("waiting", *DUE)
#: Not finished: what the depth of the queue counts, and what a stop must not lose.
LIVE = ("waiting", "queued", "retrying", "running")
FINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Subject:
    """What a task is about, for filters and pages: `Subject("image", image_id)`."""

    type: str
    id: str


@dataclass(frozen=True)
class TaskRow:
    """A task as the runner and handlers see it: a copy, detached from any session."""

    id: str
    kind: str
    lane: str
    payload: Mapping[str, Any]
    attempt: int
    max_attempts: int
    crashes: int
    #: Whether an earlier attempt gave cause to run this one in a child process.
    isolated: bool
    priority: int
    subject_type: str | None
    subject_id: str | None
    request_id: str | None
    lease_token: str
    worker: str
    run_at: datetime
    started_at: datetime


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, as the row keeps it."""

    code: str
    message: str
    traceback: str | None = None
    #: Whether the attempt killed the child process it ran in, or had it killed.
    crashed: bool = False
    #: Whether further attempts run in a child process.
    isolates: bool = False


@dataclass(frozen=True)
class Ended:
    """A task that ended without success, for whoever must be told (`Registry.tell`)."""

    kind: str
    payload: Mapping[str, Any]
    code: str
    message: str
