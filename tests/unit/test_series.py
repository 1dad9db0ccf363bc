"""Minutes of finished tasks: counted once they are over, kept when the tasks are gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from service import minutes, upkeep
from service.inserts import add_rows
from service.models import Task, TaskMinute, new_id, now
from service.runtime import Runtime
from service.tasks import rows
from service.tasks.rows import minutes as module
from service.tasks.rows.minutes import Counted

#: At the beginning of a minute that has been over for some time.
EARLIER = now().replace(second=0, microsecond=0) - timedelta(minutes=10)


def finish(
    session: Session,
    at: datetime,
    status: str = "succeeded",
    kind: str = "k",
    wait: float = 1,
    run: float = 2,
) -> None:
    """A task that was due, began and finished at such times."""
    started = at - timedelta(seconds=run)
    row: dict[str, Any] = {"id": new_id(), "kind": kind, "payload": {}, "status": status}
    row |= {"lane": "light", "priority": 1, "max_attempts": 1, "created_at": at, "finished_at": at}
    row |= {"run_at": started - timedelta(seconds=wait), "started_at": started}
    add_rows(session, Task, row)


def kept(session: Session) -> list[Counted]:
    """All minutes that can be kept, as one process after the other keeps them."""
    while found := rows.unkept(session)[1]:
        rows.keep(session, found)
    return list(rows.series(session, 0, 1))


def test_a_minute_is_counted_by_kind_and_outcome(session: Session) -> None:
    finish(session, EARLIER, wait=1, run=2)
    finish(session, EARLIER + timedelta(seconds=59.999), wait=3, run=5)
    finish(session, EARLIER + timedelta(seconds=60))
    finish(session, EARLIER, kind="other")
    finish(session, EARLIER, status="failed")
    finish(session, EARLIER, status="cancelled", wait=-50, run=900)

    found = {(one.minute, one.kind, one.outcome): one for one in kept(session)}

    minute = rows.minute_at(EARLIER)
    assert found.keys() == {
        (minute, "k", "succeeded"),
        (minute + 1, "k", "succeeded"),
        (minute, "other", "succeeded"),
        (minute, "k", "failed"),
        (minute, "k", "cancelled"),
    }
    both = found[minute, "k", "succeeded"]
    assert both.count == 2
    assert (both.wait_sum, both.wait_max) == pytest.approx((4, 3), abs=1e-3)
    assert (both.run_sum, both.run_max) == pytest.approx((7, 5), abs=1e-3)
    cancelled = found[minute, "k", "cancelled"]
    assert (cancelled.count, cancelled.run_sum, cancelled.wait_max) == (1, 0, 0)


def test_who_comes_second_changes_nothing(session: Session) -> None:
    finish(session, EARLIER)
    _, counted = rows.unkept(session)
    rows.keep(session, counted)
    first = list(rows.series(session, 0, 1))

    rows.keep(session, counted)

    assert list(rows.series(session, 0, 1)) == first
    assert rows.unkept(session)[1] == []


def test_a_kept_minute_outlives_its_tasks_and_is_not_counted_again(session: Session) -> None:
    finish(session, EARLIER)
    before = kept(session)

    session.execute(delete(Task))

    assert kept(session) == before


def test_the_minute_that_is_not_over_comes_from_the_rows(session: Session) -> None:
    finish(session, EARLIER)
    finish(session, now())

    found = kept(session)

    assert [one.count for one in found] == [1, 1]
    assert session.query(TaskMinute).count() == 1


def test_minutes_add_up_to_steps(session: Session) -> None:
    minute = rows.minute_at(EARLIER) // 5 * 5
    for later in (0, 1, 4, 5):
        finish(session, rows.begin_of(minute + later), run=later + 1)
    rows.keep(session, rows.unkept(session)[1][:2])

    found: dict[int, int] = {}
    for one in rows.series(session, minute, 5):
        found[one.minute] = found.get(one.minute, 0) + one.count

    assert found == {minute: 3, minute + 5: 1}


def test_a_long_history_is_counted_piece_by_piece(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPAN", 2)
    for days in (0, 1, 20):
        finish(session, EARLIER - timedelta(days=days))

    over, first = rows.unkept(session)

    assert [one.minute for one in first] == [rows.minute_at(EARLIER - timedelta(days=20))]
    assert rows.minute_at(EARLIER) < over < rows.minute_at(now())
    assert [one.count for one in kept(session)] == [1, 1, 1]


@pytest.mark.anyio
async def test_what_is_pruned_has_been_counted(runtime: Runtime) -> None:
    old = now() - timedelta(days=60)
    await runtime.database.write(finish, old)
    await runtime.database.write(finish, EARLIER)

    assert await upkeep.prune(runtime) == 1

    found = await runtime.database.read(lambda session: list(rows.series(session, 0, 1)))
    assert {one.minute for one in found} == {rows.minute_at(old), rows.minute_at(EARLIER)}


@pytest.mark.anyio
async def test_old_minutes_are_forgotten(runtime: Runtime) -> None:
    for days in (200, 100, 1):
        await runtime.database.write(finish, now() - timedelta(days=days))
    await minutes.keep(runtime)

    def forget(session: Session) -> int:
        return rows.forget_minutes(session, now() - timedelta(days=90), 1)

    assert [await runtime.database.write(forget) for _ in range(3)] == [1, 1, 0]
    found = await runtime.database.read(lambda session: list(rows.series(session, 0, 1)))
    assert len(found) == 1
