"""The HTTP server around an application: in this process, or in several behind one port."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead

from service import __version__, fleet
from service.config import MIB, Settings
from service.isolation.limits import keep_memory
from service.logs import configure_logs
from service.protocol import reading
from service.tasks.engines import EmbeddedEngine, Engine

#: What a stop waits for open requests, in seconds, before the engine drains.
REQUEST_GRACE_SECONDS = 10
#: Freed memory that stays at hand for the next upload and the next picture, in bytes.
KEPT_BYTES = 64 * MIB
#: How a process ends that asks to be replaced: too many of its threads hang.
WORN_OUT = 4

#: Builds the application that is served; called in each process.
Build = Callable[[Settings], FastAPI]


def serve(settings: Settings, build: Build) -> int:
    """Serve until a signal says stop; return the exit code.

    Raises: OSError when several processes are wanted and the address cannot be had.
    """
    # What is imported by now stays for good: the collector need not look at it again and again,
    # and pages that it never writes to are shared by all processes.
    gc.collect()
    gc.freeze()
    if settings.workers == 1:
        return _serve_one(settings, build, None, greets=True)
    configure_logs(settings)

    def serve_one(own: socket.socket, greets: bool) -> int:
        return _serve_one(settings, build, own, greets=greets)

    sockets = fleet.listen(settings.host, settings.port, settings.workers)
    return fleet.run(sockets, serve_one, forget=mark_process_dead)


def _serve_one(settings: Settings, build: Build, own: socket.socket | None, *, greets: bool) -> int:
    """Serve in this process, on a socket of its own or on the address of the settings."""
    configure_logs(settings)
    keep_memory(KEPT_BYTES)
    app = build(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        http=reading(),
        ws="none",
        timeout_graceful_shutdown=REQUEST_GRACE_SECONDS,
    )
    server = _Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    # One that comes before the server listens for it ends it as soon as it has begun. The server
    # raises the signal again once it has stopped in good order: the end we asked for, no failure.
    signal.signal(signal.SIGTERM, end)
    server.greets = greets and settings.log_format == "text"
    app.state.worn_out = end
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # the latter: it could not start
        server.run(sockets=[own] if own else None)
    return _leave(app.state.parts.engine) if server.started else fleet.NOT_STARTED


def _leave(engine: Engine) -> int:
    """The exit code; where a thread hangs, the end: the interpreter would wait for it for ever."""
    if not isinstance(engine, EmbeddedEngine):
        return 0
    code = WORN_OUT if engine.is_worn_out else 0
    if engine.threads.busy:  # all is closed and written by now, and such a thread only reads
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


class _Server(uvicorn.Server):
    """A server that tells a person at a terminal where it answers."""

    greets = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then greet."""
        await super().startup(sockets)
        if self.started and self.greets:
            listening = sockets or self.servers[0].sockets
            host, port = listening[0].getsockname()[:2]
            print(_greeting(f"http://{host}:{port}"), flush=True)  # noqa: T201 - for a person


def _greeting(url: str) -> str:
    return f"""
  Pixmill {__version__} answers at {url}
    page     {url}/dashboard
    API      {url}/docs
    metrics  {url}/metrics
    try      curl -F file=@photo.jpg {url}/images
"""
