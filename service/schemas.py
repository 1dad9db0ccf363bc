"""Requests and responses: one document shape for each noun, wherever it appears."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, EmailStr, Field

from service.schedule import RunAt

T = TypeVar("T")

PriorityName = Literal["high", "normal", "low"]
TaskStatus = Literal["waiting", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
ImageStatus = Literal["received", "processing", "ready", "failed"]
VariantStatus = Literal["pending", "ready", "failed"]
NotificationStatus = Literal["queued", "sent", "failed"]
ChannelName = Literal["file", "email", "webhook"]

#: Ids that clients choose, for items: they stand in paths and logs as they are.
ItemId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["42"])]
ActionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", examples=["create"])]


class Document(BaseModel):
    """What the API answers with."""

    model_config = ConfigDict(frozen=True)


class Problem(Document):
    """A refusal or a failure, as `application/problem+json`. Source: RFC 9457."""

    type: str = Field(description="Where this code is explained.")
    title: str = Field(description="The code in words; the same for every occurrence.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, for a person.")
    code: str = Field(description="What happened, for a program; never changes its meaning.")
    request_id: str | None = Field(None, description="The id under which the logs know it.")
    field: str | None = Field(None, description="The part of the request that is at fault.")
    limit: int | None = Field(None, description="The limit that spoke.")
    actual: int | None = Field(None, description="The value that passed it.")
    errors: list[FieldError] | None = Field(None, description="One entry a field at fault.")


class FieldError(Document):
    """One field that is at fault."""

    field: str
    detail: str


class Page(Document, Generic[T]):
    """A page of a list, newest first; `next` is the `cursor` of the next page."""

    items: list[T]
    next: str | None = None


class ErrorDocument(Document):
    """Why an image or a message failed."""

    code: str
    message: str


class Placeholder(Document):
    """What a page can show before the first variant has arrived."""

    color: str = Field(examples=["#8a7f6b"])
    blurhash: str | None = Field(None, description="A blurred picture in 28 characters.")


class VariantDocument(Document):
    """One derived file. Its size in pixels is right from the first answer on, but for `trim`."""

    name: str = Field(examples=["medium"])
    url: str = Field(examples=["/images/0193…/variants/medium"])
    width: int
    height: int
    format: str = Field(examples=["jpeg"])
    content_type: str = Field(examples=["image/jpeg"])
    size_bytes: int | None = Field(description="Null until it is made.")
    quality: int | None = Field(description="As chosen; null until made, or without loss.")
    score: float | None = Field(description="Its SSIM, where `similarity` was asked for.")
    status: VariantStatus
    stale: bool = Field(description="Whether the preset of its name has been changed since.")


class ImageDocument(Document):
    """An image with all its variants, those to come included."""

    id: str
    filename: str = Field(description="The name the client gave; shown, never used as a path.")
    content_type: str
    format: str
    size_bytes: int
    sha256: str
    width: int = Field(description="In pixels, as displayed (EXIF orientation applied).")
    height: int
    status: ImageStatus
    item_id: str | None
    task_id: str = Field(description="The task that makes the variants: `/tasks/{task_id}`.")
    created_at: datetime
    placeholder: Placeholder | None
    variants: list[VariantDocument]
    srcset: str = Field(description="For an `<img>`: the variants that show the whole picture.")
    picture: str = Field(description="A `<picture>` with these variants, one source a format.")
    removed: list[str] | None = Field(
        description="What the file holds beside pixels and no variant does; null: not looked for."
    )
    error: ErrorDocument | None


class ImageAccepted(ImageDocument):
    """The image's document with a sentence, as the tutorial's path answers."""

    message: str


class UploadResult(Document):
    """What became of one file of a form with several."""

    filename: str
    image: ImageDocument | None = None
    error: Problem | None = None


class UploadResults(Document):
    """One result a file, in the order of the form."""

    items: list[UploadResult]


class TaskEventDocument(Document):
    """One line of a task's timeline."""

    at: datetime
    kind: str = Field(examples=["claimed"])
    detail: dict[str, Any]


class SubjectDocument(Document):
    """What a task is about."""

    type: str = Field(examples=["image"])
    id: str


class TaskErrorDocument(Document):
    """Why the last attempt failed."""

    code: str
    message: str
    traceback: str | None = Field(None, description="Left out of lists.")


class TaskSummary(Document):
    """A task as lists show it."""

    id: str
    kind: str = Field(examples=["image.process"])
    status: TaskStatus
    priority: PriorityName
    attempt: int
    max_attempts: int
    progress: float = Field(ge=0, le=1)
    subject: SubjectDocument | None
    request_id: str | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None = Field(description="When a running one was to stop.")
    error: TaskErrorDocument | None
    result: dict[str, Any] | None


class ChainLink(Document):
    """A task of a chain."""

    id: str
    kind: str
    status: TaskStatus


class TaskDocument(TaskSummary):
    """A task with its timeline."""

    after_id: str | None = Field(description="The task before it in its chain.")
    dedup_key: str | None = Field(description="No two unfinished ones of a kind share it.")
    crashes: int = Field(description="Times a process died while it ran this task.")
    isolated: bool = Field(
        description="Whether an earlier attempt gave cause to run further ones in a child process."
    )
    chain: list[ChainLink] = Field(description="With itself, in order; empty if it stands alone.")
    events: list[TaskEventDocument]


class UserRequest(BaseModel):
    """A user to be; the tutorial's `?email=` does as well."""

    model_config = ConfigDict(extra="forbid")

    email: EmailStr = Field(max_length=320, examples=["ada@example.com"])
    name: str | None = Field(None, max_length=200, examples=["Ada"])


class UserDocument(Document):
    """A user."""

    id: str
    email: str
    name: str | None
    created_at: datetime


class UserAccepted(UserDocument):
    """A new user, and the task that sends the welcome."""

    message: str
    task_id: str


class ItemDocument(Document):
    """An item with its statistics, which a task keeps."""

    id: str
    last_action: str | None
    last_action_at: datetime | None
    image_count: int
    variant_count: int
    total_bytes: int = Field(description="Originals and variants together.")
    last_processed_at: datetime | None
    created_at: datetime


class ItemAccepted(ItemDocument):
    """An item and the tasks that were begun for it, in their order."""

    message: str
    task_id: str
    task_ids: list[str]


class NotificationRequest(BaseModel):
    """A message to be sent."""

    model_config = ConfigDict(extra="forbid")

    recipient: str = Field(min_length=1, max_length=320, description="An address, for `email`.")
    subject: str = Field("", max_length=200)
    body: str = Field(min_length=1, max_length=20_000)
    channel: ChannelName | None = Field(
        None, description="Default: `email` where mail is configured, else `file`."
    )
    priority: PriorityName | None = None
    run_at: RunAt | None = Field(
        None, description="When to send it, with a zone, at most 366 days ahead; else at once."
    )


class NotificationDocument(Document):
    """A message and whether it was sent."""

    id: str
    channel: ChannelName
    recipient: str
    subject: str
    body: str
    status: NotificationStatus
    task_id: str
    run_at: datetime | None = Field(description="When it is to be sent; null: at once.")
    created_at: datetime
    sent_at: datetime | None
    error: ErrorDocument | None


class NotificationAccepted(NotificationDocument):
    """A message on its way."""

    message: str


Problem.model_rebuild()
