"""What a person may do to a task: cancel it before it runs, try it again after it ended."""

from __future__ import annotations

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from service.errors import NotFound, WrongState
from service.holding import held
from service.models import Task
from service.tasks.rows.chains import cancel_next, cancel_one, revive_next
from service.tasks.rows.clock import time_of
from service.tasks.rows.statements import note
from service.tasks.words import DUE, Ended, Subject


def cancel(session: Session, task_id: str) -> list[Ended]:
    """Cancel a task that has not begun, and what waits for it; return all that ended by it.

    Raises: NotFound; WrongState when it runs or has finished.
    """
    status = _held_status_of(session, task_id)
    if status not in ("waiting", *DUE):
        raise WrongState(f"The task is {status}; only one that has not begun can be cancelled.")
    at = time_of(session)
    return [cancel_one(session, task_id, at, {}), *cancel_next(session, task_id, at)]


def cancel_about(session: Session, subject: Subject) -> None:
    """Cancel all tasks about a subject that have not begun: it is going away."""
    about = select(Task.id).where(
        Task.subject_type == subject.type,
        Task.subject_id == subject.id,
        Task.status.in_(("waiting", *DUE)),
    )
    for task_id in list(session.scalars(held(about.order_by(Task.id)))):
        cancel(session, task_id)


def retry(session: Session, task_id: str) -> None:
    """Start a new round of attempts at a failed or cancelled task; its history stays.

    What was cancelled because of it waits for it again.
    Raises: NotFound; WrongState when it is neither, or the task before it has not succeeded.
    """
    status = _held_status_of(session, task_id)
    if status not in ("failed", "cancelled"):
        raise WrongState(f"The task is {status}; only a failed or cancelled one can be retried.")
    after_id = session.scalar(select(Task.after_id).where(Task.id == task_id))
    if after_id and status_of(session, after_id) != "succeeded":
        raise WrongState(f"It follows task {after_id}, which has not succeeded: retry that one.")
    at = time_of(session)
    fresh = {"attempt": 0, "crashes": 0, "progress": 0.0, "finished_at": None, "started_at": None}
    session.execute(
        update(Task).where(Task.id == task_id).values(status="queued", run_at=at, **fresh)
    )
    note(session, at, (task_id, "retried", {}))
    revive_next(session, task_id, at)


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
