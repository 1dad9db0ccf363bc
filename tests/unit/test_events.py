"""Events: told to all, after the commit, whatever a listener does."""

from __future__ import annotations

from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from service.events import Event, Events, after_commit


def test_every_listener_hears_every_event_in_order() -> None:
    events, heard = Events(), list[tuple[str, str]]()
    events.subscribe(lambda event: heard.append(("first", event.name)))
    events.subscribe(lambda event: heard.append(("second", event.name)))

    events.publish(Event("a", {}))
    events.publish(Event("b", {}))

    assert heard == [("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")]


def test_a_listener_that_fails_is_logged_and_the_others_still_hear() -> None:
    events, heard = Events(), list[Event]()

    def fail(_: Event) -> None:
        raise RuntimeError("no")

    events.subscribe(fail)
    events.subscribe(heard.append)

    with capture_logs() as logs:
        events.publish(Event("a", {"x": 1}))

    assert heard == [Event("a", {"x": 1})]
    assert [line["event"] for line in logs] == ["event_listener_failed"]


def test_events_wait_on_the_session_for_its_commit() -> None:
    with Session() as session:
        after_commit(session, "a", x=1)
        after_commit(session, "b")

        assert session.info["events"] == [Event("a", {"x": 1}), Event("b", {})]
