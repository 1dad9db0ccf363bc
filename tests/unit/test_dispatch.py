"""Tasks on their way to a worker: how many, in which order, and again when they are lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from service.database import open_database
from service.holding import is_alone
from service.models import now
from service.tasks import Kind, Lane, Outcome, Priority, Retry, Work, rows
from service.tasks.rows.dispatch import DELIVERY_SECONDS, FEWEST

LOST = timedelta(seconds=DELIVERY_SECONDS + 1)


async def _nothing(work: Work) -> Outcome | None:
    return None


TEST = Kind("test", _nothing, Priority.NORMAL, Retry(), 60, Lane.PIXELS)


def add(session: Session, count: int, priority: Priority = Priority.NORMAL) -> list[str]:
    """Tasks that became due one after the other."""
    first = now() - timedelta(minutes=1)
    due = (first + timedelta(milliseconds=number) for number in range(count))
    return [rows.enqueue(session, TEST, {}, priority=priority, run_at=at) for at in due]


def dispatch(session: Session, waiting: int = 0, at: datetime | None = None) -> list[str]:
    return [task.id for task in rows.dispatch(session, {Lane.PIXELS: waiting}, at)]


def claim(session: Session, *ids: str) -> None:
    for task_id in ids:
        assert rows.claim_one(session, task_id, worker="w", lease_seconds=30)


def test_so_many_are_handed_over_the_most_urgent_first(session: Session) -> None:
    normal = add(session, 5)
    (urgent,) = add(session, 1, Priority.HIGH)

    assert dispatch(session) == [urgent, *normal[: FEWEST - 1]]
    assert dispatch(session, waiting=FEWEST) == []


def test_there_is_room_for_twice_as_many_as_run(session: Session) -> None:
    ids = add(session, 20)
    claim(session, *ids[:6])

    assert dispatch(session) == ids[6:18]


def test_a_claim_makes_room(session: Session) -> None:
    ids = add(session, 10)
    assert dispatch(session) == ids[:FEWEST]
    claim(session, ids[0])

    assert dispatch(session, waiting=FEWEST - 1) == [ids[FEWEST]]


def test_what_waits_in_the_broker_leaves_no_room_whatever_it_is(session: Session) -> None:
    add(session, 10)

    assert dispatch(session, waiting=FEWEST) == []


def test_what_the_broker_lost_is_handed_over_again_after_a_while(session: Session) -> None:
    ids = add(session, 10)
    assert dispatch(session) == ids[:FEWEST]

    assert dispatch(session) == [], "it may be on its way"
    assert dispatch(session, at=now() + LOST) == ids[:FEWEST]


def test_what_waits_in_the_broker_for_long_is_not_handed_over_twice(session: Session) -> None:
    ids = add(session, 10)
    dispatch(session)
    claim(session, ids[0])

    handed_over = dispatch(session, waiting=FEWEST - 1, at=now() + LOST)

    assert handed_over == [ids[FEWEST]], "the next one, and none of those that wait there"


def test_what_the_broker_did_not_take_is_handed_over_at_once(session: Session) -> None:
    ids = add(session, 2)
    assert dispatch(session) == ids
    rows.take_back(session, ids)

    assert dispatch(session) == ids


def test_what_is_cancelled_paused_or_not_yet_due_is_not_handed_over(session: Session) -> None:
    cancelled, paused = add(session, 2)
    rows.cancel(session, cancelled)
    rows.pause(session, TEST.name)
    assert dispatch(session) == []

    rows.resume(session, TEST.name)
    rows.enqueue(session, TEST, {}, run_at=now() + timedelta(hours=1))
    assert dispatch(session) == [paused]


def test_a_task_given_back_is_handed_over_anew(session: Session) -> None:
    (task_id,) = add(session, 1)
    dispatch(session)
    task = rows.claim_one(session, task_id, worker="w", lease_seconds=30)
    assert task
    rows.give_back(session, task)

    assert dispatch(session) == [task_id]


def test_lanes_do_not_take_each_others_room(session: Session) -> None:
    add(session, 10)
    light = Kind("light", _nothing, Priority.NORMAL, Retry(), 60, Lane.LIGHT)
    task_id = rows.enqueue(session, light, {})

    found = rows.dispatch(session, {Lane.PIXELS: FEWEST, Lane.LIGHT: 0})

    assert [(task.id, task.kind, task.lane) for task in found] == [(task_id, "light", Lane.LIGHT)]


def test_relays_take_turns(session: Session, database_url: str) -> None:
    add(session, 1)
    session.commit()
    other = open_database(database_url)
    with Session(other.engine) as elsewhere:
        if session.connection().dialect.name == "postgresql":
            assert is_alone(elsewhere, "dispatch")
            assert dispatch(session) == []
            elsewhere.rollback()
    other.close()

    assert len(dispatch(session)) == 1
