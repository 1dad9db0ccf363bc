"""Urgent work does not queue behind a backlog."""

from __future__ import annotations

from pathlib import Path

from tests.flow.evidence import Start, query, statuses, upload, wait_for_all
from tests.flow.failing import HOLD, MODULE
from tests.pictures import picture_bytes
from tests.servers import until


def test_a_backlog_is_worked_in_the_order_of_priority_then_of_age(
    start: Start, tmp_path: Path
) -> None:
    collecting = start(engine="none")
    labels = ["low", "normal"] * 5 + ["high"]
    sent = {
        upload(collecting.client, picture_bytes(), priority=label)["task_id"]: label
        for label in labels
    }
    assert statuses(tmp_path)["queued"] == len(labels), "nobody works them yet"
    assert collecting.terminate() == 0

    start(threads=1)
    wait_for_all(tmp_path)

    begun = in_order_of_claims(tmp_path)
    assert [sent[task_id] for task_id in begun] == ["high"] + ["normal"] * 5 + ["low"] * 5
    normal = [task_id for task_id, label in sent.items() if label == "normal"]
    assert [task_id for task_id in begun if sent[task_id] == "normal"] == normal


def test_high_priority_overtakes_the_backlog_of_a_busy_process(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / HOLD).touch()
    process = start(MODULE, threads=1)
    backlog = [upload(process.client, picture_bytes())["task_id"] for _ in range(8)]
    until(lambda: statuses(tmp_path)["running"] == 2, "both places taken")
    urgent = upload(process.client, picture_bytes(), priority="high")["task_id"]
    (tmp_path / HOLD).unlink()
    wait_for_all(tmp_path)

    assert in_order_of_claims(tmp_path) == [*backlog[:2], urgent, *backlog[2:]]


def in_order_of_claims(folder: Path) -> list[str]:
    return query(folder, "SELECT task_id FROM task_events WHERE kind = 'claimed' ORDER BY id")
