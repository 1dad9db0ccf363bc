"""The settings: environment variables `PIXMILL_…`, a `.env` file, or options of the command line.

Nothing else in the service reads the environment. `docs/operations.md` lists every field, and a
test compares the two.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, EmailStr, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.machine import usable_cores, usable_memory

KIB = 1024
MIB = 1024 * KIB
DAY_SECONDS = 86_400

#: What a form may weigh beyond its files: boundaries, part headers, the other fields.
FORM_OVERHEAD_BYTES = 64 * KIB

#: What work on pictures gets of the memory there is; the rest is for everything else.
MEMORY_SHARE = 0.6

#: Beginnings of the names of variables that say how a program runs.
CHILD_VARIABLES = ("PATH", "PYTHON", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "LANG", "LC_", "TMPDIR")


def _words(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _split(value: object) -> object:
    """`a, b` as the environment has it, as a list."""
    return _words(value) if isinstance(value, str) else value


def _time_limits(value: object) -> object:
    """`image.process=120, item.process=3600` as the environment has it, as pairs."""
    return tuple(map(_time_limit, _words(value))) if isinstance(value, str) and value else value


def _time_limit(pair: str) -> tuple[str, float]:
    kind, _, text = pair.partition("=")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not kind.strip() or not 0 < seconds < math.inf:
        raise ValueError(f"{pair!r} is not a kind of task and its seconds, as image.process=120")
    return kind.strip(), seconds


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Format = Literal["jpeg", "png", "webp", "gif", "avif", "tiff", "bmp", "heic"]
Formats = Annotated[tuple[Format, ...], NoDecode, BeforeValidator(_split)]
TimeLimits = Annotated[tuple[tuple[str, float], ...], NoDecode, BeforeValidator(_time_limits)]


class Settings(BaseSettings):
    """One frozen object, made once at start and handed to everything that needs it."""

    model_config = SettingsConfigDict(
        env_prefix="PIXMILL_", env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field(
        "", description="Prefix of the URLs in documents, such as a CDN's; empty: relative URLs."
    )
    cors_origins: Words = Field(
        (), description="Origins whose pages may call the API, separated by commas; `*` for any."
    )

    max_streams: int = Field(
        500,
        ge=1,
        description="Streams of events that may be open in each process before more get a 503.",
    )

    database_url: str = Field(
        "sqlite:///data/pixmill.db",
        repr=False,  # it may hold a password
        description="Where the rows are: `sqlite:///path`, or "
        "`postgresql://user:password@host/name`.",
    )
    uploads: Path = Field(Path("uploads"), description="Folder of the originals.")
    processed: Path = Field(Path("processed"), description="Folder of the variants.")

    engine: Literal["embedded", "celery", "none"] = Field(
        "embedded",
        description="Who works the tasks: this process, Celery's workers, or nobody here "
        "(they wait).",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="Celery's broker: `redis://host/number` or `amqp://user:password@host/name`.",
    )
    workers: int = Field(
        1, ge=1, le=64, description="Processes behind the port, each with its own engine."
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads that touch pixels, in each process; 0: its share of the cores.",
    )
    isolation: Words = Field(
        (),
        description="Where pictures are made: `thread` or `process`, for all kinds of tasks or as "
        "`kind=process` for one, separated by commas; empty: as each kind has it.",
    )
    child_memory_bytes: int = Field(
        2048 * MIB,
        ge=64 * MIB,
        description="Memory a child process may take beyond what it starts with, in bytes.",
    )
    memory_bytes: int = Field(
        0,
        ge=0,
        description="Memory for work on pictures, of all processes together, in bytes; 0: 60 % of "
        "the container's limit, or of the machine's memory.",
    )
    abandon_seconds: float = Field(
        5,
        gt=0,
        description="How long a thread may go on after its attempt was given up before it counts "
        "as abandoned.",
    )
    max_abandoned: int = Field(
        2, ge=0, le=64, description="Abandoned threads beyond which the process drains and ends."
    )
    max_queued_tasks: int = Field(
        10_000, ge=1, description="Tasks that may wait before new work is refused with 503."
    )
    max_scheduled_tasks: int = Field(
        100_000, ge=1, description="Tasks that may be scheduled for later before more get a 503."
    )
    time_limits: TimeLimits = Field(
        (),
        description="Time limits in place of the kinds' own, in seconds: `image.process=60,…`.",
    )
    keep_tasks_seconds: float = Field(
        7 * DAY_SECONDS,
        ge=0,
        description="Age at which succeeded and cancelled tasks are removed; 0: never.",
    )
    keep_failed_tasks_seconds: float = Field(
        30 * DAY_SECONDS, ge=0, description="Age at which failed tasks are removed; 0: never."
    )
    keep_series_seconds: float = Field(
        90 * DAY_SECONDS,
        gt=0,
        description="Age at which the minutes of finished tasks, which charts show, are removed.",
    )
    max_crashes: int = Field(
        2, ge=1, description="Times a task may crash its process before it is failed."
    )
    lease_seconds: float = Field(
        30, gt=0, description="How long a claim holds unless its worker renews it."
    )
    sweep_seconds: float = Field(
        5, gt=0, description="Pause between two looks for tasks whose worker is gone."
    )
    poll_seconds: float = Field(
        1, gt=0, description="Longest wait of an idle engine before it looks for due tasks."
    )
    drain_seconds: float = Field(
        20, ge=0, description="How long a stop waits for running tasks before it gives them back."
    )

    max_upload_bytes: int = Field(25 * MIB, ge=1, description="Largest file, in bytes.")
    max_request_bytes: int = Field(
        0,
        ge=0,
        description="Largest request body, in bytes; 0: one file of the largest size and its form.",
    )
    max_uploads: int = Field(
        256, ge=1, description="Bodies read at once before further uploads are refused with 503."
    )
    max_files: int = Field(10, ge=1, le=100, description="Files in one form.")
    max_pixels: int = Field(50_000_000, ge=1, description="Largest width × height, in pixels.")
    max_side_px: int = Field(16_384, ge=1, description="Longest side, in pixels.")
    max_frames: int = Field(500, ge=1, description="Most frames of an animation.")
    max_jpeg_scans: int = Field(100, ge=1, description="Most scans of a progressive JPEG.")
    formats: Formats = Field(
        ("jpeg", "png", "webp", "gif", "avif", "tiff", "bmp"),
        description="Formats taken in, separated by commas; heic needs pixmill[heic].",
    )
    min_body_bytes_per_second: int = Field(
        16 * KIB, ge=1, description="Slowest upload that is not cut off, in bytes a second."
    )
    body_grace_seconds: float = Field(
        30, gt=0, description="Time an upload has on top of what the slowest rate gives it."
    )
    upload_buffer_bytes: int = Field(
        16 * MIB, ge=MIB, description="Memory for all uploads in flight together, in bytes."
    )
    min_free_bytes: int = Field(
        256 * MIB, ge=0, description="Free disk below which uploads are refused with 507."
    )
    orphan_seconds: float = Field(
        7200, ge=0, description="Age at which a stored file that no row knows is removed."
    )

    watermarks: Path = Field(
        Path("watermarks"), description="Folder of the PNG files that `watermark` may name."
    )
    presets: str = Field(
        "",
        description="The presets: the path of a TOML file, or a JSON list of recipes; empty: the "
        "four built in.",
    )

    render_key: SecretStr = Field(
        SecretStr(""), description="Key that signs addresses of renders; empty: there are none."
    )
    previous_render_key: SecretStr = Field(
        SecretStr(""), description="A key that is taken as well, while addresses are signed anew."
    )
    max_renders: int = Field(
        64, ge=1, description="Renders made or waited for at once before further ones get a 503."
    )
    max_renders_per_image: int = Field(
        100, ge=1, description="Different renders that an image may have."
    )
    max_previews: int = Field(
        2, ge=1, le=64, description="Previews made at once before further ones get a 503."
    )

    smtp_url: SecretStr = Field(
        SecretStr(""), description="`smtp://user:password@host:port`, or `smtps://…`; empty: none."
    )
    mail_from: str = Field("pixmill@localhost", description="Sender of the mail.")
    admin_email: EmailStr | Literal[""] = Field(
        "", description="Where the admin's notices go; empty: to the file."
    )
    webhook_url: str = Field("", description="Receiver of the `webhook` channel; empty: none.")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="`whsec_…`, the key that signs webhooks."
    )
    notifications_file: Path = Field(
        Path("data/notifications.jsonl"), description="File of the `file` channel, a line each."
    )

    log_format: Literal["text", "json"] = Field("text", description="Form of the log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged."
    )

    @property
    def pixel_threads(self) -> int:
        """How many threads of one process may touch pixels at once."""
        return self.threads or max(1, usable_cores() // self.workers)

    @property
    def picture_bytes(self) -> int:
        """The memory that one process may use for work on pictures."""
        processes = self.pixel_threads if self.engine == "celery" else self.workers
        return (self.memory_bytes or int(MEMORY_SHARE * usable_memory())) // processes

    @property
    def render_keys(self) -> list[str]:
        """The keys that addresses of renders may be signed by, the one to sign with first."""
        keys = [one.get_secret_value() for one in (self.render_key, self.previous_render_key)]
        return [key for key in keys if key] if keys[0] else []

    @property
    def request_bytes(self) -> int:
        """The largest body a request may have."""
        return self.max_request_bytes or self.max_upload_bytes + FORM_OVERHEAD_BYTES


def child_environment() -> dict[str, str]:
    """What a child process gets of the environment: how to run, and no setting, key or password.

    It imports what this process can import.
    """
    kept = {name: value for name, value in os.environ.items() if name.startswith(CHILD_VARIABLES)}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
