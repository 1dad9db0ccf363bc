"""The buckets of histograms, and the words that labels may have: fixed sets, small ones."""

from __future__ import annotations

from service import errors
from service.errors import ServiceError

KIB = 1024
HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TASK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZE_BUCKETS = tuple(16 * KIB * 4**power for power in range(8))  # 16 KiB … 256 MiB
MEGAPIXEL_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 24, 50, 100)

#: How an attempt at a task can end.
OUTCOMES = ("succeeded", "retrying", "failed", "cancelled", "given_back", "lease_lost")
#: Statuses of tasks that have not finished; `scheduled` is queued, but for later.
LIVE = ("waiting", "scheduled", "queued", "retrying", "running")
FINAL = ("succeeded", "failed", "cancelled")
DUE = ("queued", "retrying")
STAGES = ("decode", "transform", "encode", "store")
SOURCE_FORMATS = ("jpeg", "png", "webp", "gif", "avif", "tiff", "bmp", "heic")
OUTPUT_FORMATS = ("jpeg", "webp", "png", "avif", "gif")
PRIORITIES = ("high", "normal", "low")
STORES = ("uploads", "processed")
#: Why a file may be refused.
REFUSALS: tuple[type[ServiceError], ...] = (
    errors.MalformedBody,
    errors.ClientGone,
    errors.TooSlow,
    errors.TooLarge,
    errors.UnsupportedFormat,
    errors.MissingFile,
    errors.EmptyFile,
    errors.UnreadablePicture,
    errors.PictureTooLarge,
    errors.QueueFull,
    errors.TooBusy,
    errors.StorageFailed,
    errors.DiskFull,
)

#: How an attempt in a child process may harm it.
CRASHES: tuple[type[ServiceError], ...] = (
    errors.WorkerCrashed,
    errors.OutOfMemory,
    errors.TimeLimitExceeded,
)
