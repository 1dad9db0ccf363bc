"""A living worker loses what shows that it lives: what it does is neither lost nor done twice."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.flow.evidence import Start, query, statuses, upload, wait_for_all
from tests.flow.failing import HOLD, MODULE
from tests.pictures import picture_bytes
from tests.servers import finished, until

#: Of this database alone.
LOCKS = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_workers_whose_connections_break_finish_what_they_run(
    start: Start, tmp_path: Path, database_url: str
) -> None:
    (tmp_path / HOLD).touch()
    one, other = (start(MODULE, threads=1, poll_seconds=0.02) for _ in range(2))
    images = [upload(one.client, picture_bytes())["id"] for _ in range(4)]
    until(lambda: statuses(tmp_path)["running"] == 4, "both processes at work")

    with psycopg.connect(database_url, autocommit=True) as operator:
        before = sessions(operator)
        assert len(before) == 2
        for pid in before:
            operator.execute("SELECT pg_terminate_backend(%s)", [pid])
        # The server ends a session in its own time: until then the old ones are still seen.
        until(lambda: len(sessions(operator) - before) == 2, "both locks again")
    (tmp_path / HOLD).unlink()
    wait_for_all(tmp_path)

    for image_id in images:
        finished(other.client, f"/images/{image_id}", ("ready",))
    assert set(query(tmp_path, "SELECT status, attempt FROM tasks")) == {("succeeded", 1)}
    succeeded = "SELECT count(*) FROM task_events WHERE kind = 'succeeded' GROUP BY task_id"
    assert set(query(tmp_path, succeeded)) == {1}
    until(lambda: (tmp_path / "log").read_text().count("liveness_regained") == 2, "the records")


def sessions(operator: psycopg.Connection) -> set[int]:
    """The sessions that hold a worker's lock."""
    return {pid for (pid,) in operator.execute(LOCKS)}
