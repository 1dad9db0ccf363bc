"""Celery on Redis: a task is acknowledged when it is done, and nobody keeps results."""

import os

from celery import Celery
from marks import mark

app = Celery("on_celery", broker=os.environ["BENCH_STORE"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True)


@app.task(name="noop")
def noop() -> None:
    mark()


def enqueue(count: int) -> None:
    for _ in range(count):
        noop.delay()
