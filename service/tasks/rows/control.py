"""What a person may do to a task: cancel it, try it again after it ended."""

from __future__ import annotations

from sqlalchemy import Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.errors import NotFound, WrongState
from service.holding import held
from service.models import Task
from service.tasks.rows.chains import cancel_one, revive_next
from service.tasks.rows.clock import time_of
from service.tasks.rows.dedup import has_twin
from service.tasks.rows.statements import note
from service.tasks.rows.stopping import ask_to_stop
from service.tasks.words import LIVE, Ended, Subject

#: A task may begin, or come back, between two statements: then both are tried again.
TRIES = 2
#: Statuses that a new round of attempts may begin from.
RETRYABLE = ("failed", "cancelled")


def cancel(session: Session, task_id: str) -> list[Ended]:
    """Cancel a task and what waits for it, or ask it to stop if it runs.

    Returns all that ended by it: nothing for a running task, which its worker ends.
    Raises: NotFound; WrongState when it has finished.
    """
    at = time_of(session)
    for _ in range(TRIES):
        ended = cancel_one(session, task_id, at, {})
        if ended or ask_to_stop(session, task_id, at):
            return ended
    status = status_of(session, task_id)
    if status not in LIVE:
        raise WrongState(f"The task is {status}; only one that has not finished can be cancelled.")
    return []  # it runs and has been asked before


def cancel_about(session: Session, subject: Subject) -> None:
    """Cancel all tasks about a subject, and ask those that run to stop: it is going away."""
    about = select(Task.id).where(
        Task.subject_type == subject.type,
        Task.subject_id == subject.id,
        Task.status.in_(LIVE),
    )
    at = time_of(session)
    for task_id in list(session.scalars(held(about.order_by(Task.id)))):
        if not cancel_one(session, task_id, at, {}):
            ask_to_stop(session, task_id, at)


def retry(session: Session, task_id: str) -> None:
    """Start a new round of attempts at a failed or cancelled task; its history stays.

    What was cancelled because of it waits for it again.
    Raises: NotFound; WrongState when it is neither, when the task before it has not succeeded,
    or when another task with its deduplication key is unfinished.
    """
    status = _held_status_of(session, task_id)
    if status not in RETRYABLE:
        raise WrongState(f"The task is {status}; only a failed or cancelled one can be retried.")
    after_id = session.scalar(select(Task.after_id).where(Task.id == task_id))
    before = session.scalar(select(Task.status).where(Task.id == after_id)) if after_id else None
    if before not in (None, "succeeded"):  # None: there was none, or it was pruned
        raise WrongState(f"It follows task {after_id}, which has not succeeded: retry that one.")
    if twin := has_twin(session, task_id):
        raise WrongState(f"Task {twin} is to do the same and has not finished.")
    _begin_again(session, task_id)
    revive_next(session, task_id, time_of(session))


def _begin_again(session: Session, task_id: str) -> None:
    at = time_of(session)
    fresh = {"attempt": 0, "crashes": 0, "progress": 0.0, "finished_at": None, "started_at": None}
    again = update(Task).where(Task.id == task_id, Task.status.in_(RETRYABLE))
    values = fresh | {"status": "queued", "run_at": at, "cancel_requested_at": None}
    try:
        with session.begin_nested():
            session.execute(again.values(**values))
    except IntegrityError:  # its twin came a moment ago
        raise WrongState("Another task is to do the same and has not finished.") from None
    note(session, at, (task_id, "retried", {}))


def status_of(session: Session, task_id: str) -> str:
    """The status of a task. Raises: NotFound."""
    return _status(session, task_id, select(Task.status))


def _held_status_of(session: Session, task_id: str) -> str:
    """The same, and no claim and no other hand changes it before the transaction's end."""
    return _status(session, task_id, held(select(Task.status)))


def _status(session: Session, task_id: str, statement: Select[str]) -> str:
    status = session.scalar(statement.where(Task.id == task_id))
    if status is None:
        raise NotFound(f"There is no task {task_id}.")
    return status
