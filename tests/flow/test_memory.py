"""Many large pictures at once, in a process that may not hold them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.flow.evidence import Start, upload, wait_for_all
from tests.pictures import picture_bytes
from tests.servers import Process, finished

MIB = 2**20
#: A run of one such picture takes 65 MiB, and all that run at once would take four times as much.
SIZE, THREADS, BUDGET = (3000, 2000), 4, 80 * MIB
UPLOADS = 5
#: What the C library keeps of what was freed, and requests take.
SLACK = 48 * MIB


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # no matter which
def test_pictures_that_do_not_fit_together_are_made_one_after_the_other(
    start: Start, tmp_path: Path
) -> None:
    process = start(threads=THREADS, memory_bytes=BUDGET)
    first = upload(process.client, picture_bytes("RGBA", (200, 200), "png"))
    finished(process.client, f"/images/{first['id']}", ("ready",))
    before = memory(process, "VmRSS")
    picture = picture_bytes("RGBA", SIZE, "png", compress_level=1)

    images = [upload(process.client, picture, preset="medium") for _ in range(UPLOADS)]
    wait_for_all(tmp_path)

    for image in images:
        assert process.client.get(f"/images/{image['id']}").json()["status"] == "ready"
    assert memory(process, "VmHWM") - before < BUDGET + SLACK
    assert value(process, "pixmill_memory_wait_seconds_sum") > 0
    assert value(process, "pixmill_memory_budget_bytes") == BUDGET
    assert value(process, "pixmill_memory_admitted_bytes") == 0
    assert process.client.get("/healthz").status_code == 200


def memory(process: Process, field: str) -> int:
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.M)
    assert found
    return int(found[1]) * 1024


def value(process: Process, series: str) -> float:
    found = re.search(rf"^{series} (\S+)$", process.client.get("/metrics").text, re.M)
    assert found, series
    return float(found[1])
