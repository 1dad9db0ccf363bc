"""What a prepared statement says and yields is what SQLAlchemy itself would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from service.models import TASKS
from service.prepared import Prepared

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
ROW = {
    "kind": "a kind",
    "payload": {"text": "ü'\"%", "list": [1, None]},
    "status": "queued",
    "lane": "light",
    "priority": 1,
    "max_attempts": 3,
    "run_at": AT,
    "created_at": AT,
    "isolated": True,
    "progress": 0.25,
}
COLUMNS = (*(TASKS.c[name] for name in ROW), TASKS.c.finished_at, TASKS.c.result)


@pytest.fixture
def filled(session: Session) -> Session:
    """With two rows."""
    session.execute(insert(TASKS), [{"id": "a", **ROW}, {"id": "b", **ROW}])
    return session


def test_rows_come_as_sqlalchemy_reads_them(filled: Session) -> None:
    wanted = select(*COLUMNS).where(TASKS.c.run_at <= bindparam("until")).order_by(TASKS.c.id)
    # The same moment in another zone: what is compared are moments.
    until = {"until": AT.astimezone(timezone(timedelta(hours=2)))}

    rows = Prepared(wanted).rows(filled, until)

    assert rows == [list(row) for row in filled.execute(wanted, until)]
    assert len(rows) == 2
    assert rows[0] == [*ROW.values(), None, None]


def test_values_are_written_as_sqlalchemy_writes_them(filled: Session) -> None:
    values = {"made": {"a": [1.5, None, "%s"]}, "at": AT + timedelta(microseconds=1)}
    change = update(TASKS).values(
        result=bindparam("made"), finished_at=bindparam("at"), worker=None, status="succeeded"
    )

    changed = Prepared(change.where(TASKS.c.id == bindparam("of")).returning(TASKS.c.id))
    filled.execute(change.where(TASKS.c.id == "b"), values)

    assert changed.first(filled, values | {"of": "a"}) == ["a"]
    assert changed.first(filled, values | {"of": "nobody"}) is None
    ours, theirs = filled.execute(
        select(TASKS.c.result, TASKS.c.finished_at, TASKS.c.status).order_by(TASKS.c.id)
    )
    assert ours == theirs
    assert tuple(ours) == (*values.values(), "succeeded")


def test_a_value_that_is_left_out_is_an_error(session: Session) -> None:
    with pytest.raises(KeyError):
        Prepared(select(TASKS.c.id).where(TASKS.c.id == bindparam("of"))).rows(session, {})


def test_rows_are_had_by_their_columns_names(filled: Session) -> None:
    wanted = Prepared(
        select(TASKS.c.id, TASKS.c.payload).where(TASKS.c.id >= bindparam("first")).order_by("id")
    )

    assert wanted.named(filled, {"first": "a"}) == [
        {"id": "a", "payload": ROW["payload"]},
        {"id": "b", "payload": ROW["payload"]},
    ]
    assert wanted.first_named(filled, {"first": "b"}) == {"id": "b", "payload": ROW["payload"]}
    assert wanted.first_named(filled, {"first": "c"}) is None
