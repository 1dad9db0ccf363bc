"""Every statement on the task table, one by one, on real databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.database import open_database
from service.errors import NotFound, WrongState
from service.models import Task, TaskEvent, now
from service.tasks import Kind, Lane, Outcome, Priority, Retry, Step, Subject, Work, queries, rows
from service.tasks.rows import Ended, Failure, TaskRow

FAILURE = Failure("delivery_failed", "no answer", "Traceback …")
LATER = timedelta(seconds=40)


async def _nothing(work: Work) -> Outcome | None:
    return None


def kind(name: str = "test", lane: Lane = Lane.LIGHT) -> Kind:
    return Kind(name, _nothing, Priority.NORMAL, Retry(max_attempts=3), 60, lane)


TEST = kind()


def add(session: Session, **changes: Any) -> str:
    return rows.enqueue(session, changes.pop("kind", TEST), changes.pop("payload", {}), **changes)


def claim(
    session: Session, /, limit: int = 10, lane: Lane = Lane.LIGHT, **changes: Any
) -> list[TaskRow]:
    return rows.claim(session, {lane: limit}, **{"worker": "w1", "lease_seconds": 30, **changes})


def claim_one(session: Session, task_id: str, **changes: Any) -> TaskRow:
    task = try_to_claim(session, task_id, **changes)
    assert task
    return task


def try_to_claim(session: Session, task_id: str, **changes: Any) -> TaskRow | None:
    return rows.claim_one(session, task_id, **{"worker": "w1", "lease_seconds": 30, **changes})


def test_a_lease_is_held_until_somebody_else_has_the_task(session: Session) -> None:
    task = claim_one(session, add(session))
    assert rows.is_held(session, task)

    rows.rescue(session, task, max_crashes=2)
    assert not rows.is_held(session, task)
    second = claim_one(session, task.id)

    assert rows.is_held(session, second)
    assert not rows.is_held(session, task), "the same row, another lease"


def look(session: Session, task_id: str) -> Task:
    session.expire_all()
    return session.get_one(Task, task_id)


def snapshot(session: Session, task_id: str) -> dict[str, Any]:
    row = look(session, task_id)
    return {column.name: getattr(row, column.name) for column in Task.__table__.columns}


def timeline(session: Session, task_id: str) -> list[str]:
    return [event.kind for event in queries.get(session, task_id).events]


def statuses(session: Session, *ids: str) -> list[str]:
    return [look(session, task_id).status for task_id in ids]


def chain_of(session: Session, length: int) -> list[str]:
    return rows.chain(session, [Step(TEST, {"n": n}) for n in range(length)])


# Claiming


def test_a_new_task_is_queued_and_due(session: Session) -> None:
    before = now()
    task_id = add(session, payload={"x": 1}, subject=Subject("image", "i"), request_id="r")

    row = look(session, task_id)

    assert (row.status, row.attempt, row.max_attempts, row.crashes) == ("queued", 0, 3, 0)
    assert (row.payload, row.subject_type, row.subject_id) == ({"x": 1}, "image", "i")
    assert (row.priority, row.lane, row.request_id) == (1, "light", "r")
    assert before <= row.created_at == row.run_at <= now()


def test_a_claim_counts_the_attempt_and_leaves_a_lease(session: Session) -> None:
    at = now()
    task_id = add(session, payload={"x": 1}, run_at=at)

    (task,) = claim(session, at=at)
    row = look(session, task_id)

    assert (task.id, task.payload, task.attempt, task.worker) == (task_id, {"x": 1}, 1, "w1")
    assert (row.status, row.attempt, row.worker) == ("running", 1, "w1")
    assert (row.lease_token, row.lease_until) == (task.lease_token, at + timedelta(seconds=30))
    assert row.started_at == at


def test_second_claim_of_a_running_task_loses(session: Session) -> None:
    task_id = add(session)

    assert len(claim(session)) == 1
    assert claim(session) == []
    assert try_to_claim(session, task_id) is None


async def _claim_from_two(url: str) -> list[str]:
    one, two = open_database(url), open_database(url)
    try:
        claims = [
            database.write(claim, 3, worker=f"w{n}") for n in range(10) for database in (one, two)
        ]
        return [task.id for claimed in await asyncio.gather(*claims) for task in claimed]
    finally:
        await asyncio.to_thread(one.close)
        await asyncio.to_thread(two.close)


def test_two_processes_never_claim_the_same_task(session: Session, database_url: str) -> None:
    ids = [add(session) for _ in range(40)]
    session.commit()

    claimed = asyncio.run(_claim_from_two(database_url))

    assert sorted(claimed) == sorted(ids)


def test_the_most_urgent_is_claimed_first_then_the_one_that_is_due_longest(
    session: Session,
) -> None:
    at = now()
    wanted = [(Priority.HIGH, 5), (Priority.HIGH, 1), (Priority.NORMAL, 9), (Priority.LOW, 60)]
    ids = [
        add(session, priority=priority, run_at=at - timedelta(seconds=age))
        for priority, age in reversed(wanted)
    ]

    claimed = [task.id for _ in wanted for task in claim(session, limit=1)]

    assert claimed == ids[::-1]


def test_a_batch_is_handed_out_in_the_order_of_urgency(session: Session) -> None:
    ids = [add(session, priority=priority) for priority in reversed(Priority)]

    assert [task.id for task in claim(session)] == ids[::-1]


def test_a_task_of_the_future_is_not_claimed_before_its_time(session: Session) -> None:
    at = now()
    task_id = add(session, run_at=at + LATER)

    assert claim(session, at=at + LATER - timedelta(microseconds=1)) == []
    assert [task.id for task in claim(session, at=at + LATER)] == [task_id]


def test_a_claim_takes_only_its_lane(session: Session) -> None:
    pixels = add(session, kind=kind(lane=Lane.PIXELS))
    light = add(session)

    assert [task.id for task in claim(session, lane=Lane.PIXELS)] == [pixels]
    assert [task.id for task in claim(session, lane=Lane.LIGHT)] == [light]


def test_a_claim_takes_no_more_than_its_limit(session: Session) -> None:
    for _ in range(3):
        add(session)

    assert [len(claim(session, limit=2)) for _ in range(3)] == [2, 1, 0]


# The lease


Verb = Callable[[Session, TaskRow], object]
VERBS: dict[str, Verb] = {
    "succeed": lambda session, task: rows.succeed(session, task, {"late": True}),
    "retry_later": lambda session, task: rows.retry_later(session, task, FAILURE, LATER),
    "fail": lambda session, task: rows.fail(session, task, FAILURE),
    "give_back": rows.give_back,
    "rescue": lambda session, task: rows.rescue(session, task, 2),
    "progress": lambda session, task: rows.report_progress(session, task, 0.7),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_late_attempt_changes_nothing_of_the_one_that_took_over(
    session: Session, verb: str
) -> None:
    first, follower = chain_of(session, 2)
    late = claim_one(session, first)
    rows.rescue(session, late, 5)
    claim_one(session, first, worker="w2")
    before = snapshot(session, first), timeline(session, first), snapshot(session, follower)

    assert not VERBS[verb](session, late)

    assert (
        snapshot(session, first),
        timeline(session, first),
        snapshot(session, follower),
    ) == before


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_happens_to_a_task_that_has_ended(session: Session, verb: str) -> None:
    task_id = add(session)
    task = claim_one(session, task_id)
    rows.succeed(session, task, None)
    before = snapshot(session, task_id), timeline(session, task_id)

    assert not VERBS[verb](session, task)

    assert (snapshot(session, task_id), timeline(session, task_id)) == before


# Ending


def test_success_keeps_the_result_and_lets_the_lease_go(session: Session) -> None:
    task_id = add(session)
    task = claim_one(session, task_id)
    at = now()

    assert rows.succeed(session, task, {"x": 1}, at)

    row = look(session, task_id)
    assert (row.status, row.result, row.progress, row.finished_at) == ("succeeded", {"x": 1}, 1, at)
    assert (row.lease_token, row.lease_until, row.worker) == (None, None, None)


def test_an_attempt_that_failed_comes_back_when_its_wait_is_over(session: Session) -> None:
    task_id = add(session)
    task = claim_one(session, task_id)
    at = now()

    assert rows.retry_later(session, task, FAILURE, LATER, at)

    row = look(session, task_id)
    assert (row.status, row.run_at, row.finished_at) == ("retrying", at + LATER, None)
    assert (row.error_code, row.error_message) == ("delivery_failed", "no answer")
    assert claim(session, at=at) == []
    assert claim_one(session, task_id, at=at + LATER).attempt == 2


def test_success_after_a_failed_attempt_forgets_the_error_but_not_its_line(
    session: Session,
) -> None:
    task_id = add(session)
    rows.retry_later(session, claim_one(session, task_id), FAILURE, timedelta(0))

    rows.succeed(session, claim_one(session, task_id), None)

    row = look(session, task_id)
    assert (row.error_code, row.error_message, row.error_traceback) == (None, None, None)
    assert timeline(session, task_id) == [
        "enqueued", "claimed", "attempt_failed", "claimed", "succeeded",
    ]  # fmt: skip


def test_a_failure_keeps_its_reason_and_tells_who_ended(session: Session) -> None:
    task_id = add(session, payload={"x": 1})

    ended = rows.fail(session, claim_one(session, task_id), FAILURE)

    assert ended == [Ended("test", {"x": 1}, "delivery_failed", "no answer")]
    row = look(session, task_id)
    assert (row.status, row.error_traceback) == ("failed", "Traceback …")
    assert row.finished_at is not None


def test_a_task_that_is_given_back_has_not_spent_its_attempt(session: Session) -> None:
    task_id = add(session)

    assert rows.give_back(session, claim_one(session, task_id))

    assert (look(session, task_id).status, look(session, task_id).attempt) == ("queued", 0)
    assert claim_one(session, task_id).attempt == 1


@pytest.mark.parametrize(("told", "kept"), [(-1, 0), (0.25, 0.25), (7, 1)])
def test_progress_lies_between_nothing_and_all(session: Session, told: float, kept: float) -> None:
    task_id = add(session)

    rows.report_progress(session, claim_one(session, task_id), told)

    assert look(session, task_id).progress == kept


# Rescue


def lost_ids(session: Session, at: datetime, *dead: str) -> list[str]:
    return [task.id for task in rows.lost(session, dead, at)]


def test_a_running_task_is_lost_when_its_lease_has_run_out(session: Session) -> None:
    at = now()
    task_id = add(session, run_at=at)
    claim(session, at=at)

    assert lost_ids(session, at + timedelta(seconds=30)) == []
    assert lost_ids(session, at + timedelta(seconds=30.001)) == [task_id]


def test_a_lease_that_is_renewed_holds_longer(session: Session) -> None:
    at = now()
    add(session, run_at=at)
    (task,) = claim(session, at=at)

    rows.renew(session, [task.lease_token], 30, at + timedelta(seconds=20))

    assert lost_ids(session, at + timedelta(seconds=45)) == []
    assert lost_ids(session, at + timedelta(seconds=51)) == [task.id]


def test_a_running_task_is_lost_at_once_when_its_worker_is_dead(session: Session) -> None:
    mine, theirs = add(session), add(session)
    claim_one(session, mine, worker="alive")
    claim_one(session, theirs, worker="dead")
    add(session)

    assert rows.workers(session) == {"alive", "dead"}
    assert lost_ids(session, now(), "dead") == [theirs]


def test_a_rescued_task_is_queued_again_with_its_crash_counted(session: Session) -> None:
    task_id = add(session)
    task = claim_one(session, task_id)

    assert rows.rescue(session, task, 2) == []

    row = look(session, task_id)
    assert (row.status, row.attempt, row.crashes, row.worker) == ("queued", 0, 1, None)


def test_what_took_its_process_down_runs_isolated_from_then_on(session: Session) -> None:
    task_id = add(session)
    rows.rescue(session, claim_one(session, task_id), 2)
    again = claim_one(session, task_id)
    assert (again.isolated, again.crashes) == (True, 1)

    rows.fail(session, again, replace(FAILURE, crashed=True, isolates=True))

    assert (look(session, task_id).crashes, look(session, task_id).isolated) == (2, True)
    rows.retry(session, task_id)
    assert (look(session, task_id).crashes, look(session, task_id).isolated) == (0, True)


def test_a_failure_that_did_no_harm_leaves_the_next_attempt_where_it_was(session: Session) -> None:
    task_id = add(session)

    rows.retry_later(session, claim_one(session, task_id), FAILURE, timedelta())

    task = claim_one(session, task_id)
    assert (task.isolated, task.crashes) == (False, 0)


def test_of_two_rescuers_one_is_too_late(session: Session) -> None:
    task = claim_one(session, add(session))

    assert rows.rescue(session, task, 2) == []
    assert rows.rescue(session, task, 2) is None
    assert look(session, task.id).crashes == 1


def test_a_task_that_took_its_process_down_too_often_is_failed(session: Session) -> None:
    task_id, follower = chain_of(session, 2)
    rows.rescue(session, claim_one(session, task_id), 2)

    ended = rows.rescue(session, claim_one(session, task_id), 2)

    assert ended is not None
    assert [one.code for one in ended] == ["worker_lost", "cancelled"]
    assert statuses(session, task_id, follower) == ["failed", "cancelled"]
    assert look(session, task_id).crashes == 2
    assert timeline(session, task_id)[-2:] == ["rescued", "failed"]


# Chains


def test_a_chain_waits_for_its_first(session: Session) -> None:
    ids = chain_of(session, 3)

    assert statuses(session, *ids) == ["queued", "waiting", "waiting"]
    assert [task.id for task in claim(session)] == ids[:1]
    assert [look(session, task_id).after_id for task_id in ids] == [None, *ids[:2]]


def test_each_of_a_chain_is_released_by_the_one_before(session: Session) -> None:
    ids = chain_of(session, 3)
    ran = []

    while claimed := claim(session):
        (task,) = claimed
        ran.append(task.id)
        rows.succeed(session, task, None)

    assert ran == ids
    assert timeline(session, ids[2]) == ["enqueued", "released", "claimed", "succeeded"]


def test_when_one_of_a_chain_fails_the_rest_is_cancelled(session: Session) -> None:
    ids = chain_of(session, 4)
    rows.succeed(session, claim_one(session, ids[0]), None)

    ended = rows.fail(session, claim_one(session, ids[1]), FAILURE)

    assert statuses(session, *ids) == ["succeeded", "failed", "cancelled", "cancelled"]
    assert [one.payload["n"] for one in ended] == [1, 2, 3]


def test_while_one_of_a_chain_is_tried_again_the_rest_waits(session: Session) -> None:
    ids = chain_of(session, 2)

    rows.retry_later(session, claim_one(session, ids[0]), FAILURE, LATER)

    assert statuses(session, *ids) == ["retrying", "waiting"]


def test_cancelling_takes_the_rest_of_the_chain_along(session: Session) -> None:
    ids = chain_of(session, 3)

    ended = rows.cancel(session, ids[1])

    assert statuses(session, *ids) == ["queued", "cancelled", "cancelled"]
    assert [(one.payload["n"], one.code) for one in ended] == [(1, "cancelled"), (2, "cancelled")]


def test_retrying_revives_what_was_cancelled_with_it(session: Session) -> None:
    ids = chain_of(session, 3)
    rows.fail(session, claim_one(session, ids[0]), FAILURE)

    rows.retry(session, ids[0])

    assert statuses(session, *ids) == ["queued", "waiting", "waiting"]
    assert timeline(session, ids[2]) == ["enqueued", "cancelled", "revived"]
    assert look(session, ids[2]).finished_at is None


def test_a_follower_cannot_be_retried_before_the_one_it_follows(session: Session) -> None:
    ids = chain_of(session, 2)
    rows.fail(session, claim_one(session, ids[0]), FAILURE)

    with pytest.raises(WrongState, match=ids[0]):
        rows.retry(session, ids[1])


# By hand


def _in_status(session: Session, status: str) -> str:
    """A task brought into `status` by the statements themselves."""
    first, second = chain_of(session, 2)
    if status == "waiting":
        return second
    if status == "cancelled":
        rows.cancel(session, first)
    elif status != "queued":
        task = claim_one(session, first)
        end: dict[str, Callable[[], object]] = {
            "running": lambda: None,
            "retrying": lambda: rows.retry_later(session, task, FAILURE, LATER),
            "succeeded": lambda: rows.succeed(session, task, None),
            "failed": lambda: rows.fail(session, task, FAILURE),
        }
        end[status]()
    assert look(session, first).status == status
    return first


@pytest.mark.parametrize("status", rows.STATUSES)
def test_what_has_not_finished_can_be_cancelled(session: Session, status: str) -> None:
    task_id = _in_status(session, status)

    if status in ("waiting", "queued", "retrying"):
        assert rows.cancel(session, task_id)
        assert look(session, task_id).status == "cancelled"
        assert try_to_claim(session, task_id) is None
    elif status == "running":
        assert rows.cancel(session, task_id) == []
        assert look(session, task_id).status == "running"
        assert look(session, task_id).cancel_requested_at is not None
    else:
        with pytest.raises(WrongState, match=status):
            rows.cancel(session, task_id)
        assert look(session, task_id).status == status


@pytest.mark.parametrize("status", rows.STATUSES)
def test_only_what_failed_or_was_cancelled_can_be_retried(session: Session, status: str) -> None:
    task_id = _in_status(session, status)

    if status in ("failed", "cancelled"):
        rows.retry(session, task_id)
        row = look(session, task_id)
        assert (row.status, row.attempt, row.crashes, row.finished_at) == ("queued", 0, 0, None)
        assert claim_one(session, task_id).attempt == 1
    else:
        with pytest.raises(WrongState, match=status):
            rows.retry(session, task_id)
        assert look(session, task_id).status == status


@pytest.mark.parametrize("verb", [rows.cancel, rows.retry, rows.status_of])
def test_what_is_not_there_is_not_found(
    session: Session, verb: Callable[[Session, str], object]
) -> None:
    with pytest.raises(NotFound):
        verb(session, "nix")


# Counting


def test_the_depth_counts_what_waits_to_be_run_up_to_a_limit(session: Session) -> None:
    for status in rows.STATUSES:  # each leaves a follower, which waits or was cancelled
        _in_status(session, status)

    # queued and retrying, the follower that the success released, and the one whose first waits
    assert rows.depth(session, 100) == 4
    assert rows.depth(session, 2) == 2


def test_what_is_scheduled_is_not_depth_before_its_time(session: Session) -> None:
    at = now()
    add(session, run_at=at + LATER)
    add(session, run_at=at)

    assert rows.depth(session, 100, at) == 1
    assert rows.scheduled(session, 100, at) == 1
    assert rows.depth(session, 100, at + LATER) == 2
    assert rows.scheduled(session, 100, at + LATER) == 0
    assert {status: count for _, status, _, count, _ in rows.counts(session, at)} == {
        "queued": 1,
        "scheduled": 1,
    }


def test_the_next_task_that_comes_due_is_known(session: Session) -> None:
    at = now()
    assert rows.seconds_to_next(session, at) is None
    add(session, run_at=at)
    assert rows.seconds_to_next(session, at) is None, "what is due already is not to come"
    add(session, run_at=at + 2 * LATER, priority=Priority.HIGH)
    add(session, run_at=at + LATER, priority=Priority.LOW, kind=kind("pixels", Lane.PIXELS))
    add(session, run_at=at + LATER / 2, kind=kind("paused"))
    rows.pause(session, "paused")

    assert rows.seconds_to_next(session, at) == LATER.total_seconds()
    assert rows.seconds_to_next(session, at + LATER) == LATER.total_seconds()


def test_the_counts_tell_unfinished_tasks_by_kind_status_and_priority(session: Session) -> None:
    at = now() - timedelta(minutes=5)
    add(session, run_at=at)
    add(session)
    add(session, kind=kind("other"), priority=Priority.HIGH)
    task_id = add(session, priority=Priority.LOW)
    rows.succeed(session, claim_one(session, task_id), None)

    counted = {row[:3]: row[3:] for row in rows.counts(session)}

    assert counted.keys() == {("test", "queued", "normal"), ("other", "queued", "high")}
    assert counted["test", "queued", "normal"] == (2, at)


# Cancelling what runs


def asked(session: Session, length: int = 1) -> tuple[TaskRow, list[str]]:
    """A running task that is to stop, and the chain it begins."""
    ids = chain_of(session, length)
    task = claim_one(session, ids[0])
    assert rows.cancel(session, ids[0]) == []
    return task, ids


def test_a_running_task_is_asked_once_and_its_worker_can_see_it(session: Session) -> None:
    task, _ = asked(session)
    other = claim_one(session, add(session))
    first = look(session, task.id).cancel_requested_at

    assert rows.cancel(session, task.id) == []

    assert look(session, task.id).cancel_requested_at == first
    assert timeline(session, task.id) == ["enqueued", "claimed", "cancel_requested"]
    assert rows.asked_to_stop(session, [task.id, other.id]) == [task.id]
    assert rows.asked_to_stop(session, [other.id]) == []


def test_an_attempt_that_stopped_ends_as_cancelled_and_so_does_its_chain(session: Session) -> None:
    task, ids = asked(session, 3)

    ended = rows.cancel_running(session, task)

    assert [(one.payload["n"], one.code) for one in ended] == [(n, "cancelled") for n in range(3)]
    assert statuses(session, *ids) == ["cancelled"] * 3
    row = look(session, task.id)
    assert row.finished_at is not None
    assert (row.lease_token, row.worker) == (None, None)
    assert rows.asked_to_stop(session, ids) == []


def test_nobody_stops_without_being_asked(session: Session) -> None:
    task = claim_one(session, add(session))

    assert rows.cancel_running(session, task) == []
    assert look(session, task.id).status == "running"


def test_a_task_that_finished_before_it_could_stop_stays_finished(session: Session) -> None:
    task, ids = asked(session, 2)

    assert rows.succeed(session, task, {"x": 1})
    assert rows.cancel_running(session, task) == []

    assert statuses(session, *ids) == ["succeeded", "queued"]


def test_a_dead_workers_task_that_was_to_stop_is_not_run_again(session: Session) -> None:
    task, ids = asked(session, 2)

    ended = rows.rescue(session, task, 5)

    assert [one.code for one in ended or ()] == ["cancelled", "cancelled"]
    assert statuses(session, *ids) == ["cancelled", "cancelled"]


def test_a_cancelled_run_can_be_retried_and_is_asked_for_nothing(session: Session) -> None:
    task, _ = asked(session)
    rows.cancel_running(session, task)

    rows.retry(session, task.id)

    assert look(session, task.id).cancel_requested_at is None
    assert rows.cancel_running(session, claim_one(session, task.id)) == []


def test_what_is_about_a_subject_that_goes_away_is_cancelled_or_asked_to_stop(
    session: Session,
) -> None:
    subject = Subject("image", "i")
    runs, waits = add(session, subject=subject), add(session, subject=subject)
    other = add(session, subject=Subject("image", "j"))
    claim_one(session, runs)

    rows.cancel_about(session, subject)

    assert statuses(session, runs, waits, other) == ["running", "cancelled", "queued"]
    assert look(session, runs).cancel_requested_at is not None


# Deduplication


def test_while_a_task_with_a_key_is_unfinished_there_is_no_other(session: Session) -> None:
    first = add(session, dedup_key="a")
    assert add(session, dedup_key="a") == first
    task = claim_one(session, first)
    assert add(session, dedup_key="a") == first, "it runs"
    rows.retry_later(session, task, FAILURE, timedelta(0))
    assert add(session, dedup_key="a") == first, "it comes again"
    rows.succeed(session, claim_one(session, first), None)

    second = add(session, dedup_key="a")

    assert second != first
    assert statuses(session, first, second) == ["succeeded", "queued"]


def test_keys_are_a_kinds_own_and_tasks_without_one_stand_beside_each_other(
    session: Session,
) -> None:
    ids = [
        add(session, dedup_key="a"),
        add(session, dedup_key="b"),
        add(session, dedup_key="a", kind=kind("other")),
        add(session),
        add(session),
    ]

    assert len(set(ids)) == 5
    assert statuses(session, *ids) == ["queued"] * 5


async def _enqueue_from_two(url: str) -> list[str]:
    one, two = open_database(url), open_database(url)
    try:
        adding = [
            database.write(rows.enqueue, TEST, {}, dedup_key="a")
            for _ in range(20)
            for database in (one, two)
        ]
        return await asyncio.gather(*adding)
    finally:
        await asyncio.to_thread(one.close)
        await asyncio.to_thread(two.close)


def test_two_processes_enqueue_one_task_under_one_key(session: Session, database_url: str) -> None:
    ids = asyncio.run(_enqueue_from_two(database_url))

    assert len(ids) == 40
    assert [task.id for task in session.scalars(select(Task))] == [ids[0]] == list(set(ids))


def test_a_failed_task_is_not_retried_beside_one_that_is_to_do_the_same(session: Session) -> None:
    first = add(session, dedup_key="a")
    rows.fail(session, claim_one(session, first), FAILURE)
    second = add(session, dedup_key="a")

    with pytest.raises(WrongState, match=second):
        rows.retry(session, first)

    rows.succeed(session, claim_one(session, second), None)
    rows.retry(session, first)
    assert add(session, dedup_key="a") == first


def test_what_is_revived_stands_beside_one_that_took_its_place(session: Session) -> None:
    first = add(session)
    follower = add(session, after_id=first, dedup_key="a")
    rows.cancel(session, first)
    other = add(session, dedup_key="a")

    rows.retry(session, first)

    assert statuses(session, first, follower, other) == ["queued", "waiting", "queued"]
    assert look(session, follower).dedup_key is None


# Pausing


def test_tasks_of_a_paused_kind_stay_queued_until_it_is_resumed(session: Session) -> None:
    running, queued = add(session), add(session)
    other = add(session, kind=kind("other"))
    task = claim_one(session, running)

    rows.pause(session, "test")
    rows.pause(session, "test")

    assert rows.paused(session) == {"test"}
    assert try_to_claim(session, queued) is None
    assert [one.id for one in claim(session)] == [other]
    assert rows.succeed(session, task, None), "what runs goes on"
    rows.resume(session, "test")
    rows.resume(session, "test")
    assert rows.paused(session) == set()
    assert [one.id for one in claim(session)] == [queued]


# Pruning


def ended_ago(session: Session, age: timedelta, end: str = "succeeded", **changes: Any) -> str:
    task_id = add(session, **changes)
    at = now() - age
    task = claim_one(session, task_id)
    if end == "succeeded":
        rows.succeed(session, task, None, at)
    else:
        rows.fail(session, task, FAILURE, at)
    return task_id


def kept(session: Session) -> set[str]:
    return set(session.scalars(select(Task.id)))


def test_what_ended_long_ago_goes_with_its_timeline_the_oldest_first(session: Session) -> None:
    day = timedelta(days=1)
    gone = TEST.name, {"x": 1}
    ids = [ended_ago(session, age * day, payload={"x": 1}) for age in (9, 8, 7, 1)]
    failed, queued = ended_ago(session, 9 * day, "failed"), add(session)
    before = now() - 6 * day

    assert rows.prune(session, "succeeded", before, 2) == [gone, gone]
    assert kept(session) == {*ids[2:], failed, queued}
    assert rows.prune(session, "succeeded", before, 2) == [gone]
    assert rows.prune(session, "succeeded", before, 2) == []

    assert kept(session) == {ids[3], failed, queued}
    lines = set(session.scalars(select(TaskEvent.task_id)))
    assert lines == {ids[3], failed}
    assert rows.prune(session, "failed", before, 2) == [(TEST.name, {})]


def test_a_first_is_kept_for_its_follower_which_can_be_retried_without_it(
    session: Session,
) -> None:
    first, second = chain_of(session, 2)
    rows.succeed(session, claim_one(session, first), None, now() - LATER)

    assert rows.prune(session, "succeeded", now(), 10) == []
    rows.fail(session, claim_one(session, second), FAILURE)
    assert len(rows.prune(session, "succeeded", now(), 10)) == 1

    rows.retry(session, second)
    assert claim_one(session, second).id == second


def test_pruning_reads_no_more_than_it_removes(session: Session) -> None:
    """The plan uses the index of finished tasks, whatever else there is."""
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_seqscan = off"))  # what it does with a large table
        explain = "EXPLAIN"
    else:
        explain = "EXPLAIN QUERY PLAN"
    plan = session.execute(
        text(
            f"{explain} SELECT id FROM tasks WHERE status = :s AND finished_at < :t "
            "AND finished_at IS NOT NULL ORDER BY finished_at LIMIT 5"
        ),
        {"s": "succeeded", "t": now()},
    ).all()

    assert any("ix_tasks_finished" in str(line) for line in plan)
    assert not any("SORT" in str(line).upper() or "TEMP" in str(line) for line in plan)


# Many at once


def test_many_are_cancelled_and_what_is_left_is_counted(session: Session) -> None:
    chain = chain_of(session, 2)
    ids = [add(session) for _ in range(3)]
    runs = claim_one(session, add(session))
    done = ended_ago(session, LATER)
    every: list[Any] = []

    assert rows.CANCEL.remaining(session, every) == 6
    assert rows.CANCEL.find(session, every, 10) == sorted([*chain, *ids, runs.id])
    assert len(rows.CANCEL.find(session, every, 4)) == 4
    changed, ended = rows.CANCEL.apply(session, [*chain, *ids[:2], done, "nix"])

    # The chain's second went with its first: it is not counted twice, and not left either.
    assert (changed, len(ended)) == (3, 4)
    assert rows.CANCEL.find(session, every, 10) == sorted([ids[2], runs.id])
    assert rows.CANCEL.apply(session, [ids[2], runs.id])[0] == 2
    assert rows.CANCEL.remaining(session, every) == 0
    assert look(session, runs.id).cancel_requested_at is not None


def test_many_are_retried_but_for_those_that_must_not_be(session: Session) -> None:
    failed = [ended_ago(session, LATER, "failed") for _ in range(2)]
    first, follower = chain_of(session, 2)
    rows.cancel(session, first)
    same = [ended_ago(session, LATER, "failed", dedup_key="a") for _ in range(2)]

    found = rows.RETRY.find(session, [], 10)
    assert found == sorted([*failed, first, *same])
    assert rows.RETRY.apply(session, found) == (4, [])

    assert statuses(session, *failed, first, follower) == ["queued"] * 3 + ["waiting"]
    assert sorted(statuses(session, *same)) == ["failed", "queued"]
    assert rows.RETRY.remaining(session, []) == 0, "what cannot be retried is not left"
