"""Processes that share a SQLite file write one after the other, and none waits for ever."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest

from service.database.turn import Turn

PATIENCE_SECONDS = 0.2


def test_one_waits_until_the_other_has_written(tmp_path: Path) -> None:
    mine, theirs = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")
    order: list[str] = []

    def write() -> None:
        with theirs:
            order.append("theirs")

    with mine:
        writing = threading.Thread(target=write)
        writing.start()
        writing.join(PATIENCE_SECONDS)
        order.append("mine")
    writing.join()

    assert order == ["mine", "theirs"]
    mine.close()
    theirs.close()


def test_who_hangs_in_a_transaction_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    hangs, waits = Turn(tmp_path / "turn"), Turn(tmp_path / "turn", PATIENCE_SECONDS)
    with hangs:
        began = time.monotonic()
        with waits:
            waited = time.monotonic() - began
        with (tmp_path / "turn").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # what was not its own is still held
    assert waited >= PATIENCE_SECONDS
    hangs.close()
    waits.close()


def test_the_dead_hold_nobody_up(tmp_path: Path) -> None:
    dead, alive = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")
    dead.__enter__()
    dead.close()  # as the system does when a process ends
    began = time.monotonic()
    with alive:
        assert time.monotonic() - began < PATIENCE_SECONDS
    alive.close()
