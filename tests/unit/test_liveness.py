"""Which workers are alive: each holds a lock while it lives, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.tasks.engines.liveness import Liveness


def test_a_living_worker_is_not_dead_to_another(tmp_path: Path) -> None:
    one, two = Liveness(tmp_path), Liveness(tmp_path)

    assert two.dead([one.worker]) == []
    assert one.dead([two.worker]) == []
    one.close()
    two.close()


def test_two_workers_of_one_process_have_different_names(tmp_path: Path) -> None:
    one, two = Liveness(tmp_path), Liveness(tmp_path)

    assert one.worker != two.worker
    assert str(os.getpid()) in one.worker
    one.close()
    two.close()


def test_a_worker_that_closed_is_dead(tmp_path: Path) -> None:
    one, two = Liveness(tmp_path), Liveness(tmp_path)
    one.close()

    assert two.dead([one.worker]) == [one.worker]
    two.close()


def test_a_worker_never_calls_itself_dead(tmp_path: Path) -> None:
    one = Liveness(tmp_path)

    assert one.dead([one.worker, "never-lived"]) == ["never-lived"]
    one.close()


def test_a_worker_whose_process_was_killed_is_dead_at_once(tmp_path: Path) -> None:
    hold = (
        "import pathlib, sys, time\n"
        "from service.tasks.engines.liveness import Liveness\n"
        f"one = Liveness(pathlib.Path({str(tmp_path)!r}))\n"
        "print(one.worker, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        worker = process.stdout.readline().strip()
        mine = Liveness(tmp_path)
        assert mine.dead([worker]) == []

        process.kill()
        process.wait(10)

    assert mine.dead([worker]) == [worker]
    assert not (tmp_path / worker).exists()
    mine.close()


@pytest.mark.parametrize("folder", ["missing", "missing/too"])
def test_the_folder_is_made_if_it_is_missing(tmp_path: Path, folder: str) -> None:
    one = Liveness(tmp_path / folder)

    assert (tmp_path / folder / one.worker).exists()
    one.close()
    assert list((tmp_path / folder).iterdir()) == []
