"""Every error the service raises on purpose: its HTTP status, its stable code, and its retry rule.

The tree is closed. Modules raise these; only `app` turns them into problem documents, and only
the task runner reads `transient` to decide whether another attempt can help.

    ServiceError                        status  code                transient
    ├── RequestError
    │   ├── MalformedBody               400     malformed_body
    │   ├── ClientGone                  400     client_gone
    │   ├── BadSignature                403     bad_signature
    │   ├── NotFound                    404     not_found
    │   ├── TooSlow                     408     too_slow
    │   ├── NotReady                    409     not_ready
    │   ├── WrongState                  409     wrong_state
    │   ├── AlreadyExists               409     already_exists
    │   ├── TooManyRenders              409     too_many_renders
    │   ├── Unshowable                  409     unshowable
    │   ├── TooLarge                    413     too_large
    │   ├── UnsupportedFormat           415     unsupported_format
    │   ├── Invalid                     422     invalid
    │   ├── MissingFile                 422     missing_file
    │   ├── EmptyFile                   422     empty_file
    │   ├── KeyReused                   422     key_reused
    │   ├── UnknownPreset               422     unknown_preset
    │   ├── BadPipeline                 422     bad_pipeline
    │   └── ChannelNotConfigured        422     channel_not_configured
    ├── PictureError
    │   ├── UnreadablePicture           422     unreadable_image
    │   ├── PictureTooLarge             422     image_too_large
    │   └── BrokenPicture               422     broken_image
    ├── CapacityError
    │   ├── QueueFull                   503     queue_full          yes
    │   ├── TooBusy                     503     too_busy            yes
    │   ├── TooManyStreams              503     too_many_streams    yes
    │   ├── StorageFailed               503     storage_failed      yes
    │   ├── DatabaseFailed              503     database_failed     yes
    │   └── DiskFull                    507     disk_full           yes
    └── TaskError
        ├── DeliveryFailed              500     delivery_failed     yes
        ├── DeliveryRefused             500     delivery_refused
        ├── SubjectGone                 500     subject_gone
        ├── SomeFailed                  500     some_failed         yes
        ├── TimeLimitExceeded           500     time_limit          yes
        ├── TaskCancelled               500     cancelled
        ├── WorkerCrashed               500     worker_crashed      yes
        ├── OutOfMemory                 500     out_of_memory       yes
        ├── ChildNotStarted             500     child_not_started   yes
        ├── LeaseLost                   500     lease_lost
        ├── WorkerLost                  500     worker_lost
        └── UnknownKind                 500     unknown_kind
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """The root. `detail` is a sentence for a person; the rest goes into the problem document."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"
    title: ClassVar[str] = "The service failed"
    transient: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        limit: int | None = None,
        actual: int | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.limit = limit
        self.actual = actual
        self.retry_after_seconds = retry_after_seconds


class RequestError(ServiceError):
    """The request cannot be served as it was made."""

    status = 400


class MalformedBody(RequestError):
    status, code, title = 400, "malformed_body", "The body does not follow its own content type"


class ClientGone(RequestError):
    status, code, title = 400, "client_gone", "The client went away before the end of the body"


class BadSignature(RequestError):
    status, code, title = 403, "bad_signature", "The address is not signed as it must be"


class NotFound(RequestError):
    status, code, title = 404, "not_found", "There is no such thing"


class TooSlow(RequestError):
    status, code, title = 408, "too_slow", "The body arrived slower than the minimum rate"


class NotReady(RequestError):
    status, code, title = 409, "not_ready", "It is still being made"


class WrongState(RequestError):
    status, code, title = 409, "wrong_state", "Its status does not allow this"


class AlreadyExists(RequestError):
    status, code, title = 409, "already_exists", "It exists already"


class TooManyRenders(RequestError):
    status, code, title = 409, "too_many_renders", "It has as many renders as it may have"


class Unshowable(RequestError):
    status, code, title = 409, "unshowable", "The original cannot be shown"


class TooLarge(RequestError):
    status, code, title = 413, "too_large", "The body is larger than the limit"


class UnsupportedFormat(RequestError):
    status, code, title = 415, "unsupported_format", "Not an image of an accepted format"


class Invalid(RequestError):
    status, code, title = 422, "invalid", "A value is not acceptable"


class MissingFile(RequestError):
    status, code, title = 422, "missing_file", "The form holds no file"


class EmptyFile(RequestError):
    status, code, title = 422, "empty_file", "The file is empty"


class KeyReused(RequestError):
    status, code, title = 422, "key_reused", "The idempotency key belongs to another request"


class UnknownPreset(RequestError):
    status, code, title = 422, "unknown_preset", "There is no such preset"


class BadPipeline(RequestError):
    status, code, title = 422, "bad_pipeline", "The pipeline is not valid"


class ChannelNotConfigured(RequestError):
    status, code, title = 422, "channel_not_configured", "Nothing delivers on that channel here"


class PictureError(ServiceError):
    """The picture itself is at fault, so no further attempt can help."""

    status = 422


class UnreadablePicture(PictureError):
    code, title = "unreadable_image", "The image's header cannot be read"


class PictureTooLarge(PictureError):
    code, title = "image_too_large", "The image is larger than the limits"


class BrokenPicture(PictureError):
    code, title = "broken_image", "The image cannot be decoded"


class CapacityError(ServiceError):
    """The service cannot take this now; the same request may succeed later."""

    status, transient = 503, True


class QueueFull(CapacityError):
    code, title = "queue_full", "Too many tasks are waiting"


class TooBusy(CapacityError):
    code, title = "too_busy", "Too many requests like this are under way"


class TooManyStreams(CapacityError):
    code, title = "too_many_streams", "Too many streams of events are open"


class StorageFailed(CapacityError):
    code, title = "storage_failed", "The storage did not take it"


class DatabaseFailed(CapacityError):
    code, title = "database_failed", "The database did not answer"
    #: The connection broke: what was asked may have been committed all the same.
    in_doubt = False


class DiskFull(CapacityError):
    status, code, title = 507, "disk_full", "The disk is nearly full"


class TaskError(ServiceError):
    """An attempt at a task failed for a reason the task layer or a handler names."""


class DeliveryFailed(TaskError):
    code, title, transient = "delivery_failed", "The message could not be delivered", True


class DeliveryRefused(TaskError):
    code, title = "delivery_refused", "The receiver refused the message for good"


class SubjectGone(TaskError):
    code, title = "subject_gone", "What the task is about no longer exists"


class SomeFailed(TaskError):
    code, title, transient = "some_failed", "Part of the work failed", True


class TimeLimitExceeded(TaskError):
    code, title, transient = "time_limit", "The attempt ran past its time limit", True


class TaskCancelled(TaskError):
    code, title = "cancelled", "The task was cancelled"


class WorkerCrashed(TaskError):
    code, title, transient = "worker_crashed", "The child process died during the attempt", True


class OutOfMemory(TaskError):
    code, title, transient = (
        "out_of_memory",
        "The attempt needed too much memory",
        True,
    )


class ChildNotStarted(TaskError):
    code, title, transient = "child_not_started", "No child process could be started", True


class LeaseLost(TaskError):
    code, title = "lease_lost", "Somebody else has the task"


class WorkerLost(TaskError):
    code, title = "worker_lost", "The process died too often while working on this task"


class UnknownKind(TaskError):
    code, title = "unknown_kind", "No handler is registered for this kind of task"
