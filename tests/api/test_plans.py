"""What a dashboard asks for reads a bounded number of rows, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    String,
    Table,
    case,
    cast,
    event,
    func,
    insert,
    literal,
    select,
)

from service import minutes
from service.columns import Moment
from service.ids import first_id
from service.kinds import KINDS
from service.models import IMAGES, TASKS, now
from service.tasks.filters import MOST_LOOKED_AT
from service.tasks.rows.counts import MOST_COUNTED
from tests.api.asking import upload
from tests.api.conftest import serving
from tests.conftest import NewDatabase
from tests.listening import listening
from tests.servers import Served

MANY_TASKS = 30_000
MANY_IMAGES = 6_000
BEGAN = now() - timedelta(minutes=150)

ASKED = [
    "/tasks/overview",
    "/tasks/failures",
    "/tasks/series",
    "/tasks/series?minutes=10080",
    "/workers",
    "/kinds",
    "/tasks",
    "/tasks?status=failed",
    "/tasks?status=failed&status=cancelled&status=succeeded",
    "/tasks?status=succeeded&error=nowhere",
    "/tasks?status=succeeded&kind=image.erase&priority=low",
    "/tasks?error_code=nix",
    "/tasks?request_id=nix",
    "/tasks?subject_type=image",
    "/tasks?subject_type=image&subject_id=7",
    "/tasks?finished_after=2099-01-01T00:00:00Z",
    "/tasks?status=succeeded&finished_after=2001-01-01T00:00:00Z&priority=low",
    "/tasks?created_after=2001-01-01T00:00:00Z&created_before=2099-01-01T00:00:00Z&priority=low",
    "/images",
    "/images?status=ready",
    "/images?status=failed",
]
#: Where nearly all rows are wanted PostgreSQL reads the table and passes over the others.
MOST_READ = MOST_COUNTED * 1.2

#: What a sort is no matter for: the tasks that run, the variants of a page of images.
SHORT = ("tasks.worker", "variants.position")

Statement = tuple[str, Any]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Served]:
    """A service with a long history, which leaves its tasks alone."""
    with serving(tmp_path_factory.mktemp("full"), "none", new_database) as served:
        engine = served.parts.runtime.database.engine
        image = upload(served.client)
        with engine.begin() as connection:
            fill(connection, image["task_id"], image["id"])
        asyncio.run(minutes.keep(served.parts.runtime))
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")  # as autovacuum does it; SQLite has none
        yield served


def fill(connection: Connection, task_id: str, image_id: str) -> None:
    """Copies of a task, of all kinds, most of which have succeeded; and copies of an image."""
    which = NUMBERS.c.i % 50
    status = case((which < 44, "succeeded"), (which < 46, "failed"), (which < 47, "cancelled"))
    status = case((which < 47, status), (which < 48, "waiting"), (which < 49, "retrying"))
    kinds = {number: kind.name for number, kind in enumerate(KINDS)}
    is_final = which < 47
    copy(
        connection,
        TASKS,
        task_id,
        MANY_TASKS,
        kind=case(kinds, value=NUMBERS.c.i % len(KINDS)),
        status=case((which < 49, status), else_="queued"),
        subject_id=cast(NUMBERS.c.i % MANY_IMAGES, String),
        created_at=literal(BEGAN, Moment),
        started_at=case((is_final, literal(BEGAN, Moment))),
        finished_at=case((is_final, literal(BEGAN, Moment))),
        error_code=case(((which >= 44) & (which < 46), "code_" + cast(which, String))),
        error_message=case(((which >= 44) & (which < 46), "It did not work.")),
    )
    copy(connection, IMAGES, image_id, MANY_IMAGES, status=literal("ready"))


def copy(
    connection: Connection, table: Table, key: str, count: int, **changes: ColumnElement[Any]
) -> None:
    """Add copies of a row, which differ in their ids and in what is said."""
    own_id = literal(first_id(BEGAN)[:23]) + func.substr(cast(NUMBERS.c.i + 10**9, String), 2)
    columns = {one.name: one for one in table.columns} | {"id": own_id} | changes
    both = table.join(NUMBERS, NUMBERS.c.i < count)
    rows = select(*columns.values()).select_from(both).where(table.c.id == key)
    connection.execute(insert(table).from_select(list(columns), rows))


def numbers(count: int) -> CTE:
    """0, 1, 2 …"""
    first = select(literal(0).label("i")).cte("numbers", recursive=True)
    return first.union_all(select(first.c.i + 1).where(first.c.i < count - 1))


NUMBERS = numbers(MANY_TASKS)


@contextmanager
def statements(served: Served) -> Iterator[list[Statement]]:
    """What is asked of the database meanwhile."""
    seen: list[Statement] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        seen.append((statement, values))

    engine = served.parts.runtime.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_no_answer_reads_more_rows_than_it_may(full: Served) -> None:
    for path in ASKED:
        with statements(full) as seen:
            full.client.get(path).raise_for_status()
        assert check(full, seen) == [], path


def test_a_look_for_those_who_follow_reads_only_what_is_new(full: Served) -> None:
    with statements(full) as seen, listening(full.url, "/events") as live:
        live.wait_for("task", full.client.post("/items/7").json()["task_id"], "queued")

    assert check(full, seen) == []


def check(served: Served, seen: Sequence[Statement]) -> list[str]:
    """What is wrong with the plans of these statements."""
    with served.parts.runtime.database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        look = _on_sqlite if is_sqlite else _on_postgresql
        selects = [one for one in seen if one[0].startswith(("SELECT", "WITH"))]
        assert selects
        return [wrong for one in selects for wrong in look(connection, *one)]


def _on_sqlite(connection: Connection, statement: str, values: Any) -> Iterator[str]:
    """A table is never read through, and no list that may be long is sorted: an index has its
    order."""
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    steps = [step for *_, step in plan]
    for step in steps:
        if step.startswith(("SCAN tasks", "SCAN images", "SCAN task_events")) and not (
            "USING" in step and "LIMIT" in statement
        ):
            yield f"{step}: {statement}"
    is_short = any(name in statement for name in SHORT)
    if "USE TEMP B-TREE FOR ORDER BY" in steps and not is_short:
        yield f"sorted: {steps} {statement}"


def _on_postgresql(connection: Connection, statement: str, values: Any) -> Iterator[str]:
    """What was really read."""
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
    ((plan,),) = explained.one()
    for node in _nodes(plan["Plan"]):
        rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        if "Relation Name" in node and rows * node["Actual Loops"] > MOST_READ:
            yield f"{rows} rows by a {node['Node Type']}: {statement}"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for one in plan.get("Plans", ()):
        yield from _nodes(one)


def test_rare_ones_are_found_page_by_page(full: Served) -> None:
    """Each page looks at so many, and the last one says that it is the last."""
    query = {"status": "succeeded", "error": "nowhere"}
    pages, cursor = 0, None
    while True:
        asked = query | ({"cursor": cursor} if cursor else {})
        page = full.client.get("/tasks", params=asked).json()
        assert page["items"] == []
        pages, cursor = pages + 1, page["next"]
        if cursor is None:
            break

    assert pages == MANY_TASKS * 44 // 50 // MOST_LOOKED_AT + 1
