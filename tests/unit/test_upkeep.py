"""The sweep removes what nobody will ever claim, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import images, notifications, request_keys, upkeep
from service.config import Settings
from service.imaging import Probe
from service.kinds import KINDS
from service.migrations import migrate
from service.models import Notification, RequestKey, Task, TaskEvent, Variant, new_id, now
from service.runtime import Runtime, open_runtime
from service.storage import Blob
from service.tasks import Subject, rows
from service.upkeep import claim_folders, sweep
from tests.conftest import NewDatabase

pytestmark = pytest.mark.anyio


async def _bytes() -> AsyncIterator[bytes]:
    yield b"a stored original"


async def _sweep(settings: Settings, store_first: bool) -> tuple[int, list[Path]]:
    """Open a runtime, perhaps store a file that no row knows, sweep, and look."""
    migrate(settings.database_url)
    async with open_runtime(settings, KINDS) as runtime:
        if store_first:
            await sweep(runtime)  # the folder becomes this database's while it is empty
            await runtime.uploads.put(new_id(), _bytes())
        removed = await sweep(runtime)
        return removed, _files(runtime)


def _files(runtime: Runtime) -> list[Path]:
    return [one for one in runtime.uploads.root.rglob("[0-9a-f]*") if one.is_file()]


async def test_a_file_that_no_row_knows_is_removed(make_settings: Callable[..., Settings]) -> None:
    assert await _sweep(make_settings(orphan_seconds=0), store_first=True) == (1, [])


async def test_folders_that_were_claimed_are_swept_though_they_have_filled_since(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(orphan_seconds=0)
    migrate(settings.database_url)
    async with open_runtime(settings, KINDS) as runtime:
        await claim_folders(runtime)
        await runtime.uploads.put(new_id(), _bytes())

        assert await sweep(runtime) == 1
        assert _files(runtime) == []


async def test_a_young_file_is_left_alone(make_settings: Callable[..., Settings]) -> None:
    removed, files = await _sweep(make_settings(orphan_seconds=3600), store_first=True)

    assert (removed, len(files)) == (0, 1)


async def test_full_folders_beside_a_new_database_are_left_alone(
    make_settings: Callable[..., Settings], new_database: NewDatabase, tmp_path: Path
) -> None:
    await _sweep(make_settings(orphan_seconds=3600), store_first=True)
    another_folder = tmp_path / "another"
    another_folder.mkdir()
    another = make_settings(orphan_seconds=0, database_url=new_database(another_folder))

    removed, files = await _sweep(another, store_first=False)

    assert (removed, len(files)) == (0, 1)


async def test_files_of_variants_that_failed_are_removed_and_no_others(
    make_settings: Callable[..., Settings],
) -> None:
    async with open_runtime(make_settings(orphan_seconds=0), KINDS) as runtime:
        await sweep(runtime)
        probe = Probe("jpeg", "image/jpeg", 900, 900, 1, 1, False)
        image = images.Upload(new_id(), "a.jpg", Blob(5, "0" * 64), probe)
        variants = images.manifest(image.id, probe, list(runtime.presets.values()))
        await runtime.database.write(images.receive, image, variants)
        for row in variants:
            await runtime.processed.put(row["key"], _bytes())
        failed = update(Variant).where(Variant.name == "small").values(status="failed")
        await runtime.database.write(lambda session: session.execute(failed).close())

        assert await sweep(runtime) == 1

        left = [key async for key in runtime.processed.keys(0)]
        assert sorted(left) == sorted(row["key"] for row in variants if row["name"] != "small")


DAY = 86_400


async def _finished(
    runtime: Runtime, age_seconds: float, end: str = "succeeded", about: Subject | None = None
) -> str:
    """A message whose task ended that long ago."""
    message = await runtime.database.write(
        notifications.queue, channel="file", recipient="a", subject="", body="x", about=about
    )

    def finish(session: Session) -> None:
        at = now() - timedelta(seconds=age_seconds)
        task = rows.claim_one(session, message.task_id, worker="w", lease_seconds=30)
        assert task
        if end == "succeeded":
            rows.succeed(session, task, None, at)
        else:
            rows.fail(session, task, rows.Failure("x", "y"), at)

    await runtime.database.write(finish)
    return message.id


async def _kept(runtime: Runtime) -> set[str]:
    """The messages that are there; each has its task, or both are gone."""

    def look(session: Session) -> set[str]:
        messages = session.scalars(select(Notification)).all()
        tasks = set(session.scalars(select(Task.id)))
        assert {one.task_id for one in messages} == tasks
        assert set(session.scalars(select(TaskEvent.task_id))) == tasks
        return {one.id for one in messages}

    return await runtime.database.read(look)


async def test_what_is_old_is_pruned_in_batches_and_counted(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PRUNE_BATCH", 2)
    monkeypatch.setattr(upkeep, "PRUNE_PAUSE_SECONDS", 0)
    for _ in range(5):
        await _finished(runtime, 8 * DAY)
    young = await _finished(runtime, 6 * DAY)
    failed = await _finished(runtime, 29 * DAY, "failed")
    await _finished(runtime, 31 * DAY, "failed", about=Subject("user", new_id()))

    assert await upkeep.prune(runtime) == 6

    assert await _kept(runtime) == {young, failed}
    text = generate_latest(runtime.metrics.registry).decode()
    assert 'pixmill_tasks_pruned_total{status="succeeded"} 5.0' in text
    assert 'pixmill_tasks_pruned_total{status="failed"} 1.0' in text


async def test_with_an_age_of_nought_all_is_kept(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(keep_tasks_seconds=0, keep_failed_tasks_seconds=0)
    async with open_runtime(settings, KINDS) as runtime:
        kept = {await _finished(runtime, 99 * DAY, end) for end in ("succeeded", "failed")}

        assert await upkeep.prune(runtime) == 0

        assert await _kept(runtime) == kept


async def test_keys_of_requests_are_forgotten_after_a_day(runtime: Runtime) -> None:
    def keep(session: Session, key: str, age: timedelta) -> None:
        request_keys.first(session, "/x", key, "asked", new_id())
        aged = update(RequestKey).where(RequestKey.key == key)
        session.execute(aged.values(created_at=now() - age))

    await runtime.database.write(keep, "old", timedelta(hours=25))
    await runtime.database.write(keep, "young", timedelta(hours=23))

    await upkeep.prune(runtime)

    keys = await runtime.database.read(lambda s: list(s.scalars(select(RequestKey.key))))
    assert keys == ["young"]
