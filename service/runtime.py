"""Everything the service runs on, opened once: the API and the workers get the same object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from service.config import Settings
from service.database import Database, check_url, open_database
from service.events import Events
from service.imaging import Limits, has_decoder, missing_mark
from service.memory import Memory
from service.metrics import Metrics
from service.notifiers import CHANNELS, Notifier, close_notifiers, open_notifiers
from service.picture import View
from service.presets import Presets, read_presets
from service.signing import check_keys
from service.storage import LocalFolder
from service.tasks import Kind, Registry
from service.tasks.registry import isolated_as


@dataclass(frozen=True)
class Runtime:
    """The parts of one running service."""

    settings: Settings
    database: Database
    uploads: LocalFolder
    processed: LocalFolder
    notifiers: Mapping[str, Notifier]
    events: Events
    metrics: Metrics
    registry: Registry
    presets: Presets
    limits: Limits
    memory: Memory

    @property
    def view(self) -> View:
        """What documents show beyond their rows."""
        versions = {name: recipe.digest for name, recipe in self.presets.items()}
        return View(self.settings.public_url, versions)


@asynccontextmanager
async def open_runtime(settings: Settings, kinds: Iterable[Kind]) -> AsyncIterator[Runtime]:
    """Open database, storage and notifiers; close them in the opposite order.

    Raises: ValueError when a setting cannot be used.
    """
    registry = Registry(isolated_as(limited(kinds, settings), settings.isolation))
    events = Events()
    metrics = Metrics((kind.name for kind in registry), CHANNELS)
    events.subscribe(metrics.on_event)
    presets = read_presets(settings.presets)
    notifiers = open_notifiers(settings)
    uploads = LocalFolder(settings.uploads, settings.upload_buffer_bytes)
    processed = LocalFolder(settings.processed, settings.upload_buffer_bytes)
    database = open_database(settings.database_url, events)
    try:
        yield Runtime(
            settings=settings,
            database=database,
            uploads=uploads,
            processed=processed,
            notifiers=notifiers,
            events=events,
            metrics=metrics,
            registry=registry,
            presets=presets,
            limits=_limits(settings),
            memory=_memory(settings, metrics),
        )
    finally:
        database.close()
        uploads.close()
        processed.close()
        await close_notifiers(notifiers)


def check(settings: Settings, kinds: Iterable[Kind]) -> None:
    """Raises: ValueError that names the first setting which cannot be used, and why."""
    _limits(settings)
    limited(kinds, settings)
    isolated_as(kinds, settings.isolation)
    presets = read_presets(settings.presets)
    check_keys(settings.render_keys)
    if mark := missing_mark(presets.values(), settings.watermarks):
        raise ValueError(f"A preset needs {settings.watermarks / mark}.png, which is not there.")
    check_url(settings.database_url)
    open_notifiers(settings)


def limited(kinds: Iterable[Kind], settings: Settings) -> list[Kind]:
    """The kinds with the time limits that `PIXMILL_TIME_LIMITS` gives them.

    Raises: ValueError that names a kind which is not there.
    """
    by_name = {kind.name: kind for kind in kinds}
    for name, seconds in settings.time_limits:
        if name not in by_name:
            known = ", ".join(by_name)
            raise ValueError(f"PIXMILL_TIME_LIMITS names the kind {name!r}; there is {known}.")
        by_name[name] = replace(by_name[name], time_limit=seconds)
    return list(by_name.values())


def _memory(settings: Settings, metrics: Metrics) -> Memory:
    memory = Memory(settings.picture_bytes, on_wait=metrics.memory_wait.observe)
    metrics.memory_budget.set(memory.budget)
    metrics.watch(metrics.memory_admitted, lambda: memory.admitted)
    return memory


def _limits(settings: Settings) -> Limits:
    if "heic" in settings.formats and not has_decoder("heic"):
        raise ValueError("PIXMILL_FORMATS names heic, which needs: pip install 'pixmill[heic]'")
    return Limits(
        max_pixels=settings.max_pixels,
        max_side_px=settings.max_side_px,
        max_frames=settings.max_frames,
        max_jpeg_scans=settings.max_jpeg_scans,
        formats=frozenset(settings.formats),
    )
