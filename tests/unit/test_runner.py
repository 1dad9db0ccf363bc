"""`run` carries out one task by its id; the row decides whether there is anything to do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from service import notifications
from service.config import MIB
from service.models import new_id
from service.runtime import Runtime
from service.tasks import queries, runner
from service.tasks.engines.children import Children
from service.tasks.engines.threads import PixelThreads

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Place:
    """Where the tests run tasks."""

    worker: str
    threads: PixelThreads
    children: Children


@pytest.fixture
def place() -> Place:
    threads = PixelThreads(1)
    return Place("a-test", threads, Children(threads.limiter, 64 * MIB))


async def _message(runtime: Runtime) -> str:
    document = await runtime.database.write(
        notifications.queue, channel="file", recipient="ada", subject="Hello", body="There."
    )
    return document.task_id


def _lines(runtime: Runtime) -> int:
    path = runtime.settings.notifications_file
    return len(path.read_text().splitlines()) if path.exists() else 0


async def test_a_task_is_run_by_its_id(runtime: Runtime, place: Place) -> None:
    other, task_id = await _message(runtime), await _message(runtime)

    await runner.run(runtime, place, task_id)

    task = await runtime.database.read(queries.get, task_id)
    assert task.status == "succeeded"
    assert [event.kind for event in task.events] == ["enqueued", "claimed", "succeeded"]
    assert (await runtime.database.read(queries.get, other)).status == "queued"
    assert _lines(runtime) == 1


async def test_a_message_delivered_five_times_runs_its_task_once(
    runtime: Runtime, place: Place
) -> None:
    task_id = await _message(runtime)

    for _ in range(5):
        await runner.run(runtime, place, task_id)

    assert _lines(runtime) == 1


async def test_an_id_that_no_row_has_is_passed_over(runtime: Runtime, place: Place) -> None:
    await runner.run(runtime, place, new_id())

    assert _lines(runtime) == 0
