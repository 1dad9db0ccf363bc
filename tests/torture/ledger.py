"""What is left to account for after a process has died, from its rows and its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.flow.evidence import digest, query, timelines, unfinished

#: How a task's timeline may go on after a claim that came to no end.
RETURNED = ("rescued", "given_back")


@dataclass(frozen=True)
class Account:
    """Ids, keys and paths of whatever is not as it was promised."""

    #: Promised, but without a ready row of the digest that was sent, or without its file.
    lost: list[str]
    #: Done more than once, or an attempt spent on nothing.
    twice: list[str]
    #: Files whose bytes are not those of their row's digest.
    wrong: list[str]
    #: Files and parts that no row knows.
    left: list[str]


CLEAN = Account([], [], [], [])


def account(folder: Path, promised: Mapping[str, str]) -> Account:
    """Hold all rows and files of a folder against each other and against what was promised.

    `promised` has the digest of each image that was acknowledged, by id. All tasks have ended.
    """
    ready = dict(query(folder, "SELECT id, sha256 FROM images WHERE status = 'ready'"))
    known = {"uploads": ready, "processed": dict(query(folder, "SELECT key, sha256 FROM variants"))}
    files = {store: stored_files(folder, store) for store in known}
    return Account(
        lost=[one for one, sent in promised.items() if ready.get(one) != sent]
        + [key for store in known for key in known[store] if key not in files[store]]
        + query(folder, "SELECT id FROM images WHERE status != 'ready'"),
        twice=_twice(folder),
        wrong=[
            key
            for store in known
            for key, path in files[store].items()
            if key in known[store] and digest(path.read_bytes()) != known[store][key]
        ],
        left=[key for store in known for key in files[store] if key not in known[store]]
        + [str(path) for path in unfinished(folder)],
    )


def stored_files(folder: Path, store: str) -> dict[str, Path]:
    """The files that `uploads` or `processed` holds, by key."""
    return {
        str(path.relative_to(shard)): path
        for shard in (folder / store).iterdir()
        if shard.is_dir() and shard.name != ".incoming"
        for path in shard.rglob("*")
        if path.is_file()
    }


def _twice(folder: Path) -> list[str]:
    spent = query(folder, "SELECT id FROM tasks WHERE attempt != 1")
    again = [task_id for task_id, line in timelines(folder).items() if not _is_once(line)]
    sent = Counter(query(folder, "SELECT sha256 FROM images"))
    return [*spent, *again, *(one for one, times in sent.items() if times > 1)]


def _is_once(line: list[str]) -> bool:
    """Whether the work succeeded once, and each earlier claim was taken back."""
    pairs = list(zip(line[::2], line[1::2], strict=False))
    returned = all(begun == "claimed" and end in RETURNED for begun, end in pairs[:-1])
    return len(line) % 2 == 0 and returned and pairs[-1:] == [("claimed", "succeeded")]
