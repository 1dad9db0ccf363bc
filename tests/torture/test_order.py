"""What a loss of power would leave: the order in which an upload asks the disk, before its answer.

The file is synced, renamed, and its folder synced; the database's log is written and synced; only
then is the first byte of the 202 sent. Each step has ended before the next one begins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from service.config import MIB
from tests.flow.evidence import Start, numbered, upload
from tests.pictures import picture_bytes
from tests.torture.calls import Call, is_there, traced

SYNCS = ("fsync", "fdatasync")
ANSWERS = ("write", "writev", "sendto", "sendmsg")
CLIENTS = 4

pytestmark = pytest.mark.skipif(
    not is_there() and "CI" not in os.environ, reason="strace is not installed"
)


@pytest.mark.parametrize("size", ["small", "large"])
def test_all_is_on_the_disk_before_the_first_byte_of_the_answer(
    start: Start, photo: bytes, tmp_path: Path, size: str
) -> None:
    data = {"small": picture_bytes(), "large": photo}[size]
    server = start(engine="none", upload_buffer_bytes=MIB)
    with traced(server) as calls:
        alone = [upload(server.client, numbered(data, number)) for number in range(3)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            together = list(pool.map(lambda n: send(server.url, numbered(data, n)), range(3, 15)))
    server.kill()

    for image in (*alone, *together):
        steps = steps_of(image["id"], calls)
        for one, following in pairwise(steps):
            assert one.ended < following.began, (one, following)


def send(url: str, data: bytes) -> dict[str, str]:
    with httpx.Client(base_url=url, timeout=30) as client:
        return upload(client, data)


def steps_of(image_id: str, calls: list[Call]) -> list[Call]:
    """The calls that one upload stands on, in the order in which they must come."""
    answer = only(calls, ANSWERS, lambda call: f"ocation: /images/{image_id}\\r" in call.text)
    assert "HTTP/1.1 202" in answer.text
    named = only(calls, ("rename",), lambda call: f'/{image_id}"' in call.text and is_well(call))
    part, target = re.findall(r'"([^"]+)"', named.text)
    written = [call for call in calls if call.name == "writev" and f"<{part}>" in call.text]
    synced = only(calls, SYNCS, lambda call: f"<{part}>" in call.text and is_well(call))
    assert written, "the file's bytes"
    folder = f"<{Path(target).parent}>"
    listed = first(calls, SYNCS, lambda call: folder in call.text, after=named)
    logged = first(calls, ("pwrite64",), lambda call: "-wal>" in call.text, after=listed)
    committed = first(calls, SYNCS, lambda call: "-wal>" in call.text, after=logged)
    return [
        max(written, key=lambda call: call.ended),
        synced,
        named,
        listed,
        logged,
        committed,
        answer,
    ]


def only(calls: list[Call], names: tuple[str, ...], is_it: Callable[[Call], bool]) -> Call:
    found = [call for call in calls if call.name in names and is_it(call)]
    assert len(found) == 1, f"one of {names}: {found}"
    return found[0]


def first(
    calls: list[Call], names: tuple[str, ...], is_it: Callable[[Call], bool], after: Call
) -> Call:
    """The first call of its kind that began after another had ended, and that went well."""
    later = [call for call in calls if call.name in names and call.began > after.ended]
    found = [call for call in later if is_it(call) and is_well(call)]
    assert found, f"none of {names} after {after}"
    return found[0]


def is_well(call: Call) -> bool:
    return not re.search(r"= -1 \w+", call.text)
