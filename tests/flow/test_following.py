"""Who follows what happens, over processes that come and go."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.flow.evidence import Start, upload
from tests.flow.failing import HOLD, MODULE
from tests.listening import listening
from tests.pictures import picture_bytes


def test_what_one_process_does_is_told_by_another(start: Start) -> None:
    one, other = start(engine="none"), start()
    with listening(one.url, "/events") as live:
        image = upload(other.client, picture_bytes())
        live.wait_for("task", image["task_id"], "succeeded")
        live.wait_for("image", image["id"], "ready")


def test_who_was_cut_off_by_a_stop_goes_on_at_another_process(start: Start, tmp_path: Path) -> None:
    (tmp_path / HOLD).touch()
    one, other = (start(MODULE, threads=1, poll_seconds=0.05) for _ in range(2))
    first = upload(one.client, picture_bytes())
    with listening(one.url, "/events") as live:
        upload(one.client, picture_bytes())
        live.wait_for_event("task")
        one.process.send_signal(signal.SIGTERM)
        live.wait_for_end()
        last = live.last
    (tmp_path / HOLD).unlink()
    assert one.wait() == 0

    with listening(other.url, "/events", last) as again:
        again.wait_for("task", first["task_id"], "succeeded")
        again.wait_for("image", first["id"], "ready")


def test_a_stop_does_not_wait_for_those_who_follow(start: Start) -> None:
    process = start(drain_seconds=0)
    with listening(process.url, "/events") as live:
        assert process.terminate(patience=8) == 0, "requests are given ten seconds"
        live.wait_for_end()


def test_many_processes_behind_one_port_tell_the_same(start: Start) -> None:
    fleet = start(workers=2, threads=1)
    with listening(fleet.url, "/events") as one, listening(fleet.url, "/events") as other:
        image = upload(fleet.client, picture_bytes())
        for live in (one, other):
            live.wait_for("task", image["task_id"], "succeeded")
            live.wait_for("image", image["id"], "ready")
        assert "pixmill_event_streams 2.0" in fleet.client.get("/metrics").text
    assert fleet.terminate() == 0
