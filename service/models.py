"""The tables. What each row means and who may change it stands with the noun's functions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from service.columns import Base as Base  # so said: it is had from here
from service.columns import Counted, Id
from service.ids import new_id as new_id  # so said: they are had from here
from service.ids import now as now


class Installation(Base):
    """One row: which installation this database belongs to, as its folders know it too."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(Id, primary_key=True)


class User(Base):
    """Somebody with an address."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]


class Item(Base):
    """Something that images belong to, with statistics kept by `item.statistics`."""

    __tablename__ = "items"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_action: Mapped[str | None] = mapped_column(String(32))
    last_action_at: Mapped[datetime | None]
    image_count: Mapped[int] = mapped_column(default=0)
    variant_count: Mapped[int] = mapped_column(default=0)
    total_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    last_processed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Image(Base):
    """An upload: what its header said, and how far its variants are."""

    __tablename__ = "images"
    __table_args__ = (Index("ix_images_status", "status", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    filename: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    orientation: Mapped[int]
    frames: Mapped[int]
    alpha: Mapped[bool]
    status: Mapped[str] = mapped_column(String(16))
    item_id: Mapped[str | None] = mapped_column(ForeignKey("items.id"), index=True)
    task_id: Mapped[str] = mapped_column(Id)
    colour: Mapped[str | None] = mapped_column(String(7))
    blurhash: Mapped[str | None] = mapped_column(String(32))
    removed: Mapped[list[str] | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]


IMAGES = Image.metadata.tables[Image.__tablename__]


class Variant(Base):
    """One derived file of an image; `recipe` says how it is made, `key` where it is stored."""

    __tablename__ = "variants"
    # Rows are found by their key alone: one tree instead of two.
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's

    image_id: Mapped[str] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int]
    recipe: Mapped[dict[str, Any]]
    key: Mapped[str] = mapped_column(String(128))
    width: Mapped[int]
    height: Mapped[int]
    format: Mapped[str] = mapped_column(String(16))
    content_type: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    quality: Mapped[int | None]
    score: Mapped[float | None]
    status: Mapped[str] = mapped_column(String(16))


VARIANTS = Variant.metadata.tables[Variant.__tablename__]


class Render(Base):
    """One file made for an address; `sha256` is there once it is."""

    __tablename__ = "renders"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's

    image_id: Mapped[str] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[str] = mapped_column(String(16), primary_key=True)
    recipe: Mapped[dict[str, Any]]
    key: Mapped[str] = mapped_column(String(128))
    content_type: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Notification(Base):
    """A message to somebody, and whether it was sent."""

    __tablename__ = "notifications"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))
    task_id: Mapped[str] = mapped_column(Id)
    run_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class RequestKey(Base):
    """A request that was answered under a key of the client's, and what it made."""

    __tablename__ = "request_keys"

    route: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    #: SHA-256 of what was asked for: another request under the same key is a mistake.
    digest: Mapped[str] = mapped_column(String(64))
    made_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(index=True)


#: Of all tasks with a deduplication key, those that another one must not stand beside.
UNFINISHED_WITH_KEY = (
    "dedup_key IS NOT NULL AND status IN ('waiting', 'queued', 'retrying', 'running')"
)


class Task(Base):
    """A piece of background work. Every change of its status is a function of `tasks.rows`."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index(
            "ix_tasks_due",
            "lane",
            "priority",
            "run_at",
            "id",
            # Not sought, only read: what counts and passes over rows needs no look at them.
            "kind",
            "status",
            sqlite_where=text("status IN ('queued', 'retrying')"),
            postgresql_where=text("status IN ('queued', 'retrying')"),
        ),
        Index(
            "ix_tasks_running",
            "lease_until",
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_tasks_after",
            "after_id",
            sqlite_where=text("after_id IS NOT NULL"),
            postgresql_where=text("after_id IS NOT NULL"),
        ),
        Index(
            "ix_tasks_dispatched",
            "lane",
            "dispatched_at",
            sqlite_where=text("dispatched_at IS NOT NULL"),
            postgresql_where=text("dispatched_at IS NOT NULL"),
        ),
        Index(
            "ux_tasks_dedup",
            "kind",
            "dedup_key",
            unique=True,
            sqlite_where=text(UNFINISHED_WITH_KEY),
            postgresql_where=text(UNFINISHED_WITH_KEY),
        ),
        Index(
            "ix_tasks_finished",
            "status",
            "finished_at",
            "kind",
            sqlite_where=text("finished_at IS NOT NULL"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        Index(
            "ix_tasks_failed",
            "status",  # the same throughout: so SQLite prefers this one to ix_tasks_status
            "kind",
            "error_code",
            "finished_at",
            sqlite_where=text("status = 'failed'"),
            postgresql_where=text("status = 'failed'"),
        ),
        Index("ix_tasks_status", "status", "id"),
        Index("ix_tasks_kind", "kind", "id"),
        Index("ix_tasks_subject", "subject_type", "subject_id", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(16))
    lane: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    crashes: Mapped[int] = mapped_column(default=0)
    isolated: Mapped[bool] = mapped_column(default=False)
    run_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    lease_token: Mapped[str | None] = mapped_column(Id)
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(64))
    after_id: Mapped[str | None] = mapped_column(Id)
    progress: Mapped[float] = mapped_column(default=0.0)
    subject_type: Mapped[str | None] = mapped_column(String(32))
    subject_id: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
    dedup_key: Mapped[str | None] = mapped_column(String(255))
    cancel_requested_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None]
    error_traceback: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


TASKS = Task.metadata.tables[Task.__tablename__]


class PausedKind(Base):
    """A kind of task that nobody claims for now."""

    __tablename__ = "paused_kinds"

    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]


class TaskEvent(Base):
    """One line of a task's timeline; only ever added."""

    __tablename__ = "task_events"

    id: Mapped[int] = mapped_column(Counted, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]]


class TaskMinute(Base):
    """What finished in one minute, of one kind, in one way; see `tasks.rows.minutes`."""

    __tablename__ = "task_minutes"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's

    #: Minutes since 1970, UTC.
    minute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)
    count: Mapped[int]
    #: Seconds; 0 for what was cancelled.
    wait_sum: Mapped[float]
    wait_max: Mapped[float]
    run_sum: Mapped[float]
    run_max: Mapped[float]
