"""Which workers are alive: each holds a lock while it lives, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from service.tasks.engines.liveness import FileLocks, Liveness, open_liveness
from tests.conftest import NewDatabase
from tests.servers import until

Live = Callable[[], Liveness]
#: The advisory locks of one database: the server has those of other tests too.
LOCKS = """
    FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


@pytest.fixture
def live(database_url: str) -> Iterator[Live]:
    """Begin the life of a worker; what still lives ends with the test."""
    living: list[Liveness] = []

    def begin() -> Liveness:
        living.append(open_liveness(database_url))
        return living[-1]

    yield begin
    for one in living:
        one.close()


def test_a_living_worker_is_not_dead_to_another(live: Live) -> None:
    one, two = live(), live()

    assert two.dead([one.worker]) == []
    assert one.dead([two.worker]) == []


def test_two_workers_of_one_process_have_different_names(live: Live) -> None:
    one, two = live(), live()

    assert one.worker != two.worker
    assert str(os.getpid()) in one.worker


def test_a_worker_that_closed_is_dead(live: Live) -> None:
    one, two = live(), live()
    one.close()

    until(lambda: two.dead([one.worker]) == [one.worker], "the end of the lock")


def test_a_worker_never_calls_itself_dead(live: Live) -> None:
    one = live()

    assert one.dead([one.worker, "never-lived"]) == ["never-lived"]


def test_a_worker_whose_process_was_killed_is_dead_at_once(live: Live, database_url: str) -> None:
    hold = (
        "import sys\n"
        "from service.tasks.engines.liveness import open_liveness\n"
        f"one = open_liveness({database_url!r})\n"
        "print(one.worker, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        worker = process.stdout.readline().strip()
        mine = live()
        assert mine.dead([worker]) == []

        process.kill()
        process.wait(10)

    until(lambda: mine.dead([worker]) == [worker], "the end of the lock", patience=2)


@pytest.mark.parametrize("folder", ["missing", "missing/too"])
def test_the_folder_is_made_if_it_is_missing(tmp_path: Path, folder: str) -> None:
    one = FileLocks(tmp_path / folder)

    assert (tmp_path / folder / one.worker).exists()
    one.close()
    assert list((tmp_path / folder).iterdir()) == []


def test_the_file_of_a_dead_worker_is_removed(tmp_path: Path) -> None:
    one = FileLocks(tmp_path)
    (tmp_path / "long-dead").touch()

    assert one.dead(["long-dead"]) == ["long-dead"]

    assert not (tmp_path / "long-dead").exists()
    one.close()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_workers_of_two_databases_do_not_see_each_other(
    live: Live, new_database: NewDatabase, tmp_path: Path
) -> None:
    one = live()
    elsewhere = open_liveness(new_database(tmp_path))

    assert elsewhere.dead([one.worker]) == [one.worker]
    elsewhere.close()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_worker_that_lost_its_connection_comes_back_and_takes_nobody_for_dead(
    live: Live, database_url: str
) -> None:
    one, two = live(), live()
    with psycopg.connect(database_url, autocommit=True) as operator:
        before = holders(operator)
        assert len(operator.execute(f"SELECT pg_terminate_backend(pid) {LOCKS}").fetchall()) == 2

        until(lambda: len(holders(operator) - before) == 2, "both locks, taken anew")

    assert one.dead([two.worker]) == []
    # It may be that others have not come back yet: so nobody is taken for dead now.
    assert one.dead(["never-lived"]) == []


def holders(operator: psycopg.Connection) -> set[int]:
    return {pid for (pid,) in operator.execute(f"SELECT pid {LOCKS}")}
