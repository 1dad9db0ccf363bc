"""The task layer's face: declare a kind with `@task`, enqueue rows of it, chain them.

    @task("report.send", retry=Retry(max_attempts=3))
    async def send_report(work: Work, report_id: str) -> Outcome: ...

    enqueue(session, send_report, {"report_id": "7"})        # in the caller's transaction

A task is a row. It exists when the transaction that wrote it commits; an engine only wakes the
runner. `rows` holds every statement on it, `runner` carries it out, `engines` say when.
"""

from service.tasks.registry import Isolation, Kind, Lane, Outcome, Priority, Registry, task
from service.tasks.retry import Retry
from service.tasks.rows import Step, cancel_about, chain, enqueue, is_queued
from service.tasks.words import FINAL, Subject
from service.tasks.work import Work

__all__ = [
    "FINAL",
    "Isolation",
    "Kind",
    "Lane",
    "Outcome",
    "Priority",
    "Registry",
    "Retry",
    "Step",
    "Subject",
    "Work",
    "cancel_about",
    "chain",
    "enqueue",
    "is_queued",
    "task",
]
