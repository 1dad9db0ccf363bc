"""The task layer's face: declare a kind with `@task`, enqueue rows of it, chain them.

    @task("report.send", retry=Retry(max_attempts=3))
    async def send_report(work: Work, report_id: str) -> Outcome: ...

    enqueue(session, send_report, {"report_id": "7"})        # in the caller's transaction

A task is a row. It exists when the transaction that wrote it commits; an engine only wakes the
runner. `rows` holds every statement on it, `runner` carries it out, `engines` say when.
"""

from service.tasks.registry import Isolation, Kind, Lane, Outcome, Priority, Registry, task
from service.tasks.retry import Retry
from service.tasks.rows import Step, cancel_about, chain, enqueue
from service.tasks.words import LIVE, Subject
from service.tasks.work import Cancellation, Work

__all__ = [
    "LIVE",
    "Cancellation",
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
    "task",
]
