"""Kinds that nobody claims for now: their tasks stay queued, what runs goes on."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.inserts import add_row_unless_there
from service.models import PausedKind
from service.tasks.rows.clock import time_of


def pause(session: Session, kind: str) -> None:
    """Have no task of this kind claimed, by any process; nothing changes if that is so."""
    add_row_unless_there(session, PausedKind, {"kind": kind, "at": time_of(session)})


def resume(session: Session, kind: str) -> None:
    """Let tasks of this kind be claimed again."""
    session.execute(delete(PausedKind).where(PausedKind.kind == kind))


def paused(session: Session) -> set[str]:
    """The kinds that are paused."""
    return set(session.scalars(select(PausedKind.kind)))
