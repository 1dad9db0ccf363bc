"""The outermost layer: a request's id, its metrics, its log line; and trailing slashes.

Pure ASGI: a request is over when the last byte of its answer is sent, not when the background
tasks that follow are done.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import on_fault
from service.logs import bind_ids, forget_ids, logger
from service.metrics import Metrics
from service.models import new_id

log = logger(__name__)

#: Where the ASGI scope says that nobody will get a body.
IS_HEAD = "pixmill.head"

_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: A request's own id: this start, the process, and how many it has had. Unique, cheap, no secret.
_START = new_id()[:12] + new_id()[-4:]
_COUNT = itertools.count(1)
#: Routes that are asked for all the time and say nothing in a log.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Observe:
    """Wrap the application; `metrics` is looked up late, since the lifespan opens it."""

    def __init__(self, app: ASGIApp, metrics: Callable[[], Metrics]) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's message exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
            # As GET, of which the server sends no body. Source: RFC 9110, section 9.3.2.
            scope = {**scope, "method": "GET", IS_HEAD: True}
        _strip_slash(scope)
        exchange = _Exchange(self._metrics(), method, scope, send)
        forget_ids()
        bind_ids(request_id=exchange.request_id)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            exchange.end()


class Faults:
    """Answer for what nobody foresaw, within the layers that add headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; after a fault answer with a problem, unless an answer has begun."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await on_fault(error)(scope, receive, send)


class _Exchange:
    """One request and its answer, watched."""

    def __init__(self, metrics: Metrics, method: str, scope: Scope, send: Send) -> None:
        self._metrics = metrics
        self._method = method if method in _METHODS else "other"
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._status = 500
        self._ended = False
        self.request_id = _request_id(scope)
        metrics.http_in_progress.inc()

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on, noting its status and its end."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.request_id
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.end()

    def end(self) -> None:
        """Count and log, once."""
        if self._ended:
            return
        self._ended = True
        seconds = time.perf_counter() - self._began
        method, route = self._labels()
        self._metrics.http_in_progress.dec()
        self._metrics.http_requests.labels(method, route, str(self._status)).inc()
        self._metrics.http_seconds.labels(method, route).observe(seconds)
        if route not in _QUIET:
            fields = {"method": method, "route": route, "status": self._status}
            log.info("request", **fields, seconds=round(seconds, 5))

    def _labels(self) -> tuple[str, str]:
        """Method and route template: from fixed sets, whatever the client sends."""
        return self._method, getattr(self._scope.get("route"), "path", "unmatched")


def _strip_slash(scope: Scope) -> None:
    """`/users/` is `/users`: no redirect, which many clients do not follow with a body."""
    path = scope["path"]
    if len(path) > 1 and path.endswith("/"):
        scope["path"] = path.rstrip("/") or "/"


def _request_id(scope: Scope) -> str:
    """The caller's own id where it is fit to be logged, else a fresh one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _USABLE_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return f"{_START}-{os.getpid():x}-{next(_COUNT):x}"
