"""`run` carries out one task by its id; the row decides whether there is anything to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from service import images, items, notifications
from service.config import MIB, Settings
from service.errors import DeliveryFailed
from service.imaging import Probe
from service.models import new_id
from service.runtime import Runtime, open_runtime
from service.schemas import TaskDocument
from service.storage import Blob
from service.tasks import Cancellation, Retry, Work, enqueue, filters, queries, rows, runner, task
from service.tasks.engines.children import Children
from service.tasks.engines.threads import PixelThreads
from service.tasks.registry import Lane

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


# Stopping


@task("test.waits")
async def waits(work: Work) -> None:
    """Wait until somebody interrupts."""
    await asyncio.Event().wait()


@task("test.fails_when_interrupted", retry=Retry(max_attempts=3))
async def fails_when_interrupted(work: Work) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise DeliveryFailed("The connection broke.") from None


@task("test.finishes_when_interrupted")
async def finishes_when_interrupted(work: Work) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        assert work.cancelled.is_asked


ONE = {Lane.LIGHT: 1}
STUBBORN = (waits, fails_when_interrupted, finishes_when_interrupted)


@pytest.fixture
async def stubborn(make_settings: Callable[..., Settings]) -> AsyncIterator[Runtime]:
    async with open_runtime(make_settings(), STUBBORN) as runtime:
        yield runtime


@dataclass(frozen=True)
class Attempt:
    """One attempt under way."""

    runtime: Runtime
    task_id: str
    cancelled: Cancellation
    working: asyncio.Task[bool]

    async def ended(self) -> TaskDocument:
        """The task's document, once the attempt has ended in whatever way."""
        async with asyncio.timeout(10):
            await asyncio.gather(self.working, return_exceptions=True)
        return await self.runtime.database.read(queries.get, self.task_id)


async def begun(runtime: Runtime, place: Place, kind: str) -> Attempt:
    task_id = await runtime.database.write(enqueue, runtime.registry[kind], {})
    cancelled = Cancellation()
    working = asyncio.create_task(runner.run(runtime, place, task_id, cancelled))
    while (await runtime.database.read(rows.status_of, task_id)) != "running":
        await asyncio.sleep(0)
    while cancelled._scope is None:
        await asyncio.sleep(0)
    return Attempt(runtime, task_id, cancelled, working)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("test.waits", "cancelled"),
        ("test.fails_when_interrupted", "cancelled"),
        ("test.finishes_when_interrupted", "succeeded"),
    ],
)
async def test_what_is_asked_to_stop_is_interrupted_and_not_tried_again(
    stubborn: Runtime, place: Place, kind: str, status: str
) -> None:
    attempt = await begun(stubborn, place, kind)
    await stubborn.database.write(rows.cancel, attempt.task_id)

    attempt.cancelled.ask()
    attempt.cancelled.ask()

    assert (await attempt.ended()).status == status


async def test_a_wish_that_came_before_the_work_began_is_heeded(
    stubborn: Runtime, place: Place
) -> None:
    task_id = await stubborn.database.write(enqueue, waits, {})
    cancelled = Cancellation()
    cancelled.ask()
    (row,) = await stubborn.database.write(rows.claim, ONE, worker="w", lease_seconds=30)
    await stubborn.database.write(rows.cancel, task_id)

    async with asyncio.timeout(10):
        await runner.carry_out(stubborn, place, row, cancelled)

    assert (await stubborn.database.read(queries.get, task_id)).status == "cancelled"


@pytest.mark.parametrize(("asked", "status"), [(True, "cancelled"), (False, "queued")])
async def test_a_stop_gives_back_what_nobody_asked_to_cancel(
    stubborn: Runtime, place: Place, asked: bool, status: str
) -> None:
    attempt = await begun(stubborn, place, "test.waits")
    if asked:
        await stubborn.database.write(rows.cancel, attempt.task_id)

    attempt.working.cancel()

    assert (await attempt.ended()).status == status


async def test_an_attempt_that_is_stopped_by_mistake_is_not_lost(
    stubborn: Runtime, place: Place
) -> None:
    """Interrupted without a mark on the row, as after a retry by hand in between."""
    attempt = await begun(stubborn, place, "test.waits")

    attempt.cancelled.ask()

    found = await attempt.ended()
    assert (found.status, found.error and found.error.code) == ("queued", None)


# Progress


async def test_progress_is_written_now_and_then_and_not_at_each_report(
    stubborn: Runtime, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await stubborn.database.write(enqueue, waits, {})
    (row,) = await stubborn.database.write(rows.claim, ONE, worker="w", lease_seconds=30)
    commits: list[None] = []
    event.listen(stubborn.database.engine, "commit", lambda _: commits.append(None))

    report = runner._progress(stubborn, row)
    for step in range(100):
        await report(step / 100)
    assert len(commits) <= 1, "all within half a second, or nearly"

    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0)
    await report(0.5)
    assert (await stubborn.database.read(queries.get, task_id)).progress == 0.5


# Deduplication


async def test_statistics_that_run_already_count_what_is_written_meanwhile(
    runtime: Runtime, place: Place
) -> None:
    await runtime.database.write(items.ensure, "7")
    await runtime.database.write(items.recount, "7", None)
    (row,) = await runtime.database.write(rows.claim, ONE, worker="w", lease_seconds=30)

    def receive(session: Session) -> None:
        probe = Probe("jpeg", "image/jpeg", 9, 9, 1, 1, False)
        image = images.Upload(new_id(), "a.jpg", Blob(5, "0" * 64), probe)
        images.receive(session, image, [], item_id="7")
        items.recount(session, "7", None)

    await runtime.database.write(receive)
    await runner.carry_out(runtime, place, row, Cancellation())

    assert (await runtime.database.read(items.get, "7")).image_count == 1
    wanted = filters.TaskFilter(kind="item.statistics")
    page = await runtime.database.read(queries.page, wanted)
    assert [one.id for one in page.items] == [row.id]
