"""Ids, times, and rows inserted past the mapper."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from service.columns import Moment
from service.inserts import add_row_unless_there, add_rows
from service.models import Base, Image, Item, Task, TaskEvent, new_id, now


def test_an_id_is_a_uuid_of_version_7() -> None:
    ids = [UUID(new_id()) for _ in range(100)]

    assert {(one.version, one.variant) for one in ids} == {(7, UUID(int=0x2 << 62).variant)}


def test_an_id_holds_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    told = UUID(new_id()).int >> 80
    after = time.time_ns() // 1_000_000

    assert before <= told <= after


def test_ids_of_later_milliseconds_are_greater() -> None:
    first = new_id()
    began = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == began:
        pass

    assert first < new_id()


def test_ids_of_many_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as threads:
        batches = threads.map(lambda _: [new_id() for _ in range(2_000)], range(8))
        ids = [one for batch in batches for one in batch]

    assert len(set(ids)) == len(ids) == 16_000


def test_ids_of_one_millisecond_share_no_more_than_chance_would() -> None:
    noise = [UUID(new_id()).int & ((1 << 62) - 1) for _ in range(1_000)]
    ones = sum(value.bit_count() for value in noise) / len(noise)

    assert 29 < ones < 33  # of 62 bits


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14, 14))
def test_a_moment_comes_back_as_the_same_time_with_its_zone(at: datetime, hours: int) -> None:
    kept = Moment()
    # What no zone can shift without leaving the calendar.
    if (
        not datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
        < at
        < datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
    ):
        return
    elsewhere = at.astimezone(timezone(timedelta(hours=hours)))

    bound = kept.process_bind_param(elsewhere, None)  # type: ignore[arg-type]
    assert bound is not None
    read = kept.process_result_value(bound.replace(tzinfo=None), None)  # type: ignore[arg-type]

    assert read == at
    assert read is not None
    assert read.tzinfo is UTC


def test_a_moment_survives_the_database(session: Session) -> None:
    at = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
    add_rows(session, Item, {"id": "a", "created_at": at})

    row = session.get_one(Item, "a")

    assert row.created_at == at
    assert row.created_at.utcoffset() == timedelta(0)
    assert row.last_action_at is None


def test_a_row_that_leaves_columns_out_takes_their_defaults(session: Session) -> None:
    add_rows(session, Item, {"id": "a", "created_at": now()})

    row = session.get_one(Item, "a")

    assert (row.image_count, row.variant_count, row.total_bytes) == (0, 0, 0)
    assert row.last_action is None


def test_rows_inserted_together_keep_their_own_values(session: Session) -> None:
    at = now()
    add_rows(
        session,
        Item,
        {"id": "a", "created_at": at, "image_count": 3},
        {"id": "b", "created_at": at, "last_action": "create"},
    )

    rows = {row.id: row for row in session.scalars(select(Item))}

    assert (rows["a"].image_count, rows["a"].last_action) == (3, None)
    assert (rows["b"].image_count, rows["b"].last_action) == (0, "create")


def test_no_rows_are_no_statement(session: Session) -> None:
    add_rows(session, Item)

    assert session.scalars(select(Item)).all() == []


def test_values_are_put_as_the_mapper_would(session: Session) -> None:
    """JSON, times and texts with quotes read back through the mapper as they were."""
    at = now()
    common = {"status": "queued", "lane": "light", "priority": 1, "max_attempts": 1}
    payload = {"text": "'; DROP TABLE tasks; --", "list": [1, None, "ü"]}
    row = {"id": "t", "kind": "k", "payload": payload, "run_at": at, "created_at": at, **common}
    add_rows(session, Task, row)
    add_rows(session, TaskEvent, {"task_id": "t", "at": at, "kind": "x", "detail": {}})

    task = session.get_one(Task, "t")
    event = session.scalars(select(TaskEvent)).one()

    assert task.payload == payload
    assert (task.attempt, task.crashes, task.progress, task.result) == (0, 0, 0.0, None)
    assert (task.run_at, event.at) == (at, at)
    assert event.id == 1


def test_a_row_that_is_there_already_is_not_inserted_again(session: Session) -> None:
    add_rows(session, Item, {"id": "a", "created_at": now(), "image_count": 3})

    added = [
        add_row_unless_there(session, Item, {"id": item_id, "created_at": now()})
        for item_id in ("a", "b")
    ]

    assert added == [False, True]
    counts = {row.id: row.image_count for row in session.scalars(select(Item))}
    assert counts == {"a": 3, "b": 0}


@pytest.mark.parametrize("alpha", [True, False])
def test_truth_values_come_back_as_such(session: Session, alpha: bool) -> None:
    row: dict[str, Any] = {
        "id": new_id(),
        "filename": "a",
        "content_type": "image/png",
        "format": "png",
    }
    row |= {"size_bytes": 2**40, "sha256": "0", "width": 1, "height": 1, "orientation": 1}
    row |= {"frames": 1, "alpha": alpha, "status": "ready", "task_id": "t", "created_at": now()}
    add_rows(session, Image, row)

    found = session.get_one(Image, row["id"])

    assert found.alpha is alpha
    assert found.size_bytes == 2**40


@pytest.mark.parametrize("name", ["ix_tasks_due", "ix_tasks_running", "ix_tasks_after"])
def test_an_index_for_few_of_the_rows_holds_only_those(session: Session, name: str) -> None:
    indexes = {one["name"]: one for one in inspect(session.connection()).get_indexes("tasks")}
    options = indexes[name]["dialect_options"]

    assert options[f"{session.connection().dialect.name}_where"] is not None


def test_the_migrations_make_what_the_models_say(session: Session) -> None:
    context = MigrationContext.configure(session.connection(), opts={"compare_type": True})

    assert compare_metadata(context, Base.metadata) == []
