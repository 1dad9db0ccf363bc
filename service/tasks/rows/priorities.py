"""Tasks that become more urgent, or less, while they wait."""

from __future__ import annotations

from functools import partial

from sqlalchemy.orm import Session

from service.errors import NotFound, WrongState
from service.holding import hold
from service.models import Task
from service.tasks.registry import Priority
from service.tasks.rows.bulk import Verb
from service.tasks.rows.clock import time_of
from service.tasks.rows.statements import note
from service.tasks.words import NOT_BEGUN


def prioritise(session: Session, task_id: str, priority: Priority) -> None:
    """Give a task that has not begun another priority; nothing changes if it has that one.

    Raises: NotFound; WrongState when it runs or has finished.
    """
    task = hold(session, Task, task_id)
    if task is None:
        raise NotFound(f"There is no task {task_id}.")
    if task.status not in NOT_BEGUN:
        raise WrongState(f"The task is {task.status}; only one that has not begun can be changed.")
    if task.priority == priority:
        return
    detail = {"from": Priority(task.priority).label, "to": priority.label}
    task.priority = int(priority)
    session.flush()
    note(session, time_of(session), (task_id, "prioritised", detail))


def prioritising(priority: Priority) -> Verb:
    """Give many tasks this priority."""
    can_be = Task.status.in_(NOT_BEGUN) & (Task.priority != int(priority))
    return Verb(can_be, partial(prioritise, priority=priority))
