"""News between the processes of one machine: heard by all others, lost without harm."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from service.tasks.engines.neighbours import Neighbours

pytestmark = pytest.mark.anyio


async def heard(lines: list[str], count: int) -> list[str]:
    with anyio.fail_after(10):
        while len(lines) < count:
            await anyio.sleep(0.001)
    return lines


async def test_what_one_tells_all_others_hear_in_order(tmp_path: Path) -> None:
    own: list[str] = []
    theirs: tuple[list[str], list[str]] = ([], [])
    teller = Neighbours(tmp_path, own.append)
    others = [Neighbours(tmp_path, lines.append) for lines in theirs]

    teller.tell("wake")
    teller.tell("ended 7")

    for lines in theirs:
        assert await heard(lines, 2) == ["wake", "ended 7"]
    assert own == []
    for one in (teller, *others):
        one.close()
    assert not tmp_path.exists(), "the last one to leave removes the folder"


async def test_a_dead_process_s_pipe_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / ".1234-abcdefgh.news"
    os.mkfifo(dead)
    teller = Neighbours(tmp_path, lambda _: None)
    teller.tell("wake")
    assert not dead.exists()
    teller.close()


async def test_a_process_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    lines: list[str] = []
    busy = Neighbours(tmp_path, lines.append)
    teller = Neighbours(tmp_path, lambda _: None)
    for number in range(10_000):  # several times what a pipe holds; nobody reads meanwhile
        teller.tell(f"ended {number}")

    found = await heard(lines, 1)
    assert found[0] == "ended 0"
    assert len(found) < 10_000
    teller.close()
    busy.close()


async def test_who_is_told_something_while_beginning_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    teller, make = Neighbours(tmp_path, lambda _: None), os.mkfifo

    def make_and_be_told(path: Path, mode: int) -> None:
        make(path, mode)
        teller.tell("wake")

    monkeypatch.setattr(os, "mkfifo", make_and_be_told)
    begun = Neighbours(tmp_path, lines.append)
    teller.tell("ended 7")

    assert await heard(lines, 1) == ["ended 7"]
    begun.close()
    teller.close()
