"""The application: routers, error handlers, middleware, and a lifespan that opens the rest.

Read on in `api/uploads.py` (the way of an upload), `images.py` (its rows and its task),
`tasks/runner.py` (how a task is carried out) and `imaging/pipeline.py` (how a variant is made).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from service import __version__
from service.api import (
    bulk,
    events,
    files,
    images,
    items,
    kinds,
    notifications,
    overview,
    pipelines,
    problems,
    renders,
    system,
    tasks,
    uploads,
    users,
)
from service.api.admission import Admission
from service.api.closing import END_STREAMS
from service.api.deps import Parts
from service.api.ingest import Ingest
from service.api.live import Follower
from service.api.looks import Looks
from service.api.observe import Faults, Observe
from service.api.previewing import Previews
from service.api.rendering import Rendering
from service.api.waiting import Waiting
from service.config import Settings
from service.dashboard import dashboard
from service.errors import Invalid, ServiceError
from service.kinds import KINDS
from service.logs import logger
from service.metrics import Metrics
from service.migrations import migrate
from service.minutes import keep_minutes
from service.runtime import Runtime, open_runtime
from service.tasks.engines import Engine, open_engine
from service.tasks.engines.neighbours import meet_neighbours
from service.upkeep import claim_folders, keep_house

log = logger(__name__)

#: Response headers that a page on another origin may read.
EXPOSED = ("Location", "Retry-After", "X-Request-ID", "ETag")
#: What an upload page may send beyond the plain headers.
ALLOWED = (
    "Content-Type",
    "X-Request-ID",
    "Range",
    "If-None-Match",
    "Idempotency-Key",
    "Last-Event-ID",
)


def create_app(settings: Settings) -> FastAPI:
    """An application of its own: two of them can live in one process."""
    app = create_worker_app(settings)
    for noun in (
        uploads,
        images,
        files,
        renders,
        pipelines,
        users,
        items,
        notifications,
        bulk,
        overview,
        tasks,
        kinds,
        events,
    ):
        app.include_router(noun.router, responses=problems.responses(Invalid))
    app.include_router(dashboard(settings))
    return app


def create_worker_app(settings: Settings) -> FastAPI:
    """Health, readiness and metrics alone, around the same engine."""
    app = FastAPI(
        title="Pixmill",
        version=__version__,
        summary="Image uploads, answered at once, turned into variants by durable tasks.",
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.worn_out = lambda: None
    app.include_router(system.router)
    app.add_exception_handler(ServiceError, problems.on_service_error)
    app.add_exception_handler(RequestValidationError, problems.on_validation_error)
    app.add_exception_handler(HTTPException, problems.on_http_exception)
    app.add_middleware(Faults)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=ALLOWED,
            expose_headers=EXPOSED,
        )
    app.add_middleware(Observe, metrics=lambda: _metrics(app))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Open the runtime, then the engine; at the end drain, give back, close."""
    settings: Settings = app.state.settings
    await asyncio.to_thread(migrate, settings.database_url)
    async with open_runtime(settings, KINDS) as runtime:
        await claim_folders(runtime)
        parts = app.state.parts = _put_together(runtime)
        await parts.engine.start()
        beside = [
            asyncio.create_task(keep_house(runtime), name="upkeep"),
            asyncio.create_task(keep_minutes(runtime), name="minutes"),
            asyncio.create_task(_end_when_worn_out(app, parts.engine), name="worn-out"),
        ]
        log.info("started", engine=settings.engine, threads=settings.pixel_threads)
        try:
            yield {END_STREAMS: parts.follower.stop}
        finally:
            await parts.follower.close()
            await parts.rendering.close()
            await parts.previews.close()
            await parts.engine.drain(settings.drain_seconds)
            await parts.engine.stop()
            parts.neighbours.close()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            log.info("stopped")


def _put_together(runtime: Runtime) -> Parts:
    """What the application is made of, before anything of it has begun to work."""
    engine = open_engine(runtime)
    waiting = Waiting()
    runtime.events.subscribe(waiting.on_event)
    return Parts(
        runtime,
        engine,
        meet_neighbours(runtime, engine),
        Admission(runtime),
        Ingest(runtime),
        Looks(runtime),
        waiting,
        Follower(runtime),
        Rendering(runtime, waiting),
        Previews(runtime),
    )


async def _end_when_worn_out(app: FastAPI, engine: Engine) -> None:
    """Drain and ask the server to end, so that a fresh process takes this one's place."""
    await engine.worn_out()
    log.error("worn_out")
    await engine.drain(app.state.settings.drain_seconds)
    app.state.worn_out()


def _metrics(app: FastAPI) -> Metrics:
    parts: Parts = app.state.parts
    return parts.runtime.metrics
