"""Logs: one structured record a line, with the ids of the request and the task it belongs to.

Text for a terminal, JSON for a collector. Records of the libraries go through the same form.
Control characters in values are escaped by both renderers, so no value can forge a line.
All of the service logs by way of here, for structlog takes rich along where it finds it, for
tracebacks in colour: 4 MiB in every process, of which a server prints nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from service.config import Settings


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """Have the imports inside find that package missing."""
    there = sys.modules.get(package)
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
        if there:
            sys.modules[package] = there


with _absent("rich"):
    import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every record to `stream` (default: stderr) in the form the settings name."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for chatty in ("httpx", "httpcore", "PIL", "aiosmtplib", "uvicorn.access", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def logger(name: str) -> Any:
    """What a module logs with: an event in words, and values by name."""
    return structlog.get_logger(name)


def bind_ids(**ids: object) -> None:
    """Have every record of this request, or task, from now on carry its ids."""
    structlog.contextvars.bind_contextvars(**ids)


def forget_ids() -> None:
    """Begin without ids: a connection serves one request after another."""
    structlog.contextvars.clear_contextvars()


def current_request_id() -> str | None:
    """The id of the request, or of the task's request, that is being worked on."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def _one_line(_logger: Any, _method: str, record: Any) -> Any:
    """Escape the message itself, which the renderer for terminals prints as it comes."""
    message = record.get("event")
    if isinstance(message, str) and not message.isprintable():
        # Line breaks may stay: a terminal's reader wants a traceback to look like one.
        lines = message.splitlines() if "Traceback" in message else [message]
        record["event"] = "\n".join(repr(line)[1:-1] for line in lines)
    return record


def _formatter(settings: Settings) -> logging.Formatter:
    if settings.log_format == "json":
        last: list[Any] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        last = [
            _one_line,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
