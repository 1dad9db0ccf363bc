"""What Prometheus scrapes. `docs/operations.md` explains each series; a test compares the two.

Conventions: one prefix, base units, histograms with buckets that reach the longest time limit,
labels only from fixed sets (route templates, kinds, formats, reason codes; never an id, a name or
an address), and every series of an enum there from the start, at nought.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from itertools import product
from typing import Literal

import PIL
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from service import __version__
from service.events import Event
from service.labels import (
    CRASHES,
    DUE,
    FINAL,
    HTTP_BUCKETS,
    LIVE,
    MEGAPIXEL_BUCKETS,
    OUTCOMES,
    OUTPUT_FORMATS,
    PRIORITIES,
    REFUSALS,
    SIZE_BUCKETS,
    SOURCE_FORMATS,
    STAGE_BUCKETS,
    STAGES,
    STORES,
    TASK_BUCKETS,
)
from service.shared_metrics import are_shared


class Metrics:
    """The series of one runtime, in a registry of their own."""

    def __init__(self, kinds: Iterable[str], channels: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        self._kinds = tuple(kinds)
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._declare_http()
        self._declare_uploads()
        self._declare_images()
        self._declare_tasks()
        self._declare_house(tuple(channels))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def _declare_http(self) -> None:
        self.http_requests = self._counter(
            "http_requests", "Requests answered.", "method", "route", "status"
        )
        self.http_seconds = self._histogram(
            "http_request_duration_seconds",
            "From the request's head to the last byte of its answer.",
            HTTP_BUCKETS,
            "method",
            "route",
        )
        self.http_in_progress = self._own_gauge("http_requests_in_progress", "Requests under way.")
        self.streams = self._own_gauge("event_streams", "Streams of events that are open.")

    def _declare_uploads(self) -> None:
        self.uploads = self._counter(
            "uploads", "Files offered, by what became of them.", "outcome", "reason"
        )
        self.uploads.labels("accepted", "")
        for error in REFUSALS:
            self.uploads.labels("refused", error.code)
        self.upload_bytes = self._counter("upload_bytes", "Bytes of accepted files.")
        self.upload_size = self._histogram(
            "upload_size_bytes", "Size of accepted files.", SIZE_BUCKETS
        )
        self.upload_seconds = self._histogram(
            "upload_duration_seconds",
            "From a file's first byte to its place in the storage.",
            TASK_BUCKETS,
        )
        self.uploads_in_progress = self._own_gauge("uploads_in_progress", "Bodies being read.")
        self.orphans = self._counter("orphans_removed", "Stored files no row knew, removed.")

    def _declare_images(self) -> None:
        self.stage_seconds = self._histogram(
            "image_stage_duration_seconds",
            "One stage of a pipeline; format is the source's for decode, else the variant's.",
            STAGE_BUCKETS,
            "stage",
            "format",
        )
        for fmt in SOURCE_FORMATS:
            self.stage_seconds.labels("decode", fmt)
        for fmt in OUTPUT_FORMATS:
            for stage in STAGES[1:]:
                self.stage_seconds.labels(stage, fmt)
        self.megapixels = self._histogram(
            "image_megapixels", "Size of accepted images, in megapixels.", MEGAPIXEL_BUCKETS
        )
        self.variants = self._counter(
            "variants", "Variants asked of the pipeline.", "format", "outcome"
        )
        for fmt in OUTPUT_FORMATS:
            for outcome in ("ready", "failed"):
                self.variants.labels(fmt, outcome)
        self.variant_bytes = self._counter("variant_bytes", "Bytes of variants made.", "format")
        for fmt in OUTPUT_FORMATS:
            self.variant_bytes.labels(fmt)

    def _declare_tasks(self) -> None:
        self.enqueued = self._counter("tasks_enqueued", "Tasks committed.", "kind")
        self.attempts = self._counter("task_attempts", "Attempts ended.", "kind", "outcome")
        self.wait_seconds = self._histogram(
            "task_wait_seconds", "From due to claimed.", TASK_BUCKETS, "kind"
        )
        self.run_seconds = self._histogram(
            "task_run_seconds", "From claimed to the end of the attempt.", TASK_BUCKETS, "kind"
        )
        self.isolated = self._counter(
            "isolated_attempts", "Attempts ended that ran in a child process.", "kind"
        )
        self.crashes = self._counter(
            "isolated_crashes", "Attempts that killed their child or had it killed.", "reason"
        )
        for error in CRASHES:
            self.crashes.labels(error.code)
        self.rescued = self._counter(
            "tasks_rescued", "Running tasks taken from a dead worker.", "outcome"
        )
        for outcome in ("queued", "failed"):
            self.rescued.labels(outcome)
        for kind in self._kinds:
            self.enqueued.labels(kind)
            self.wait_seconds.labels(kind)
            self.run_seconds.labels(kind)
            self.isolated.labels(kind)
            for outcome in OUTCOMES:
                self.attempts.labels(kind, outcome)
        self.tasks = self._gauge("tasks", "Unfinished tasks now.", "kind", "status")
        self.paused = self._gauge("task_kind_paused", "1 where nobody claims the kind.", "kind")
        self.pruned = self._counter("tasks_pruned", "Finished tasks removed by age.", "status")
        for status in FINAL:
            self.pruned.labels(status)
        self.queue_depth = self._gauge("queue_depth", "Tasks that wait to be run.", "priority")
        self.oldest_age = self._gauge(
            "task_oldest_age_seconds", "Age of the task that has been due longest.", "priority"
        )

    def _declare_house(self, channels: tuple[str, ...]) -> None:
        self.notifications = self._counter(
            "notifications", "Attempts to deliver a message.", "channel", "outcome"
        )
        for channel in channels:
            for outcome in ("sent", "failed"):
                self.notifications.labels(channel, outcome)
        self.threads = self._own_gauge("worker_threads", "Threads that may touch pixels.")
        self.threads_busy = self._own_gauge("worker_threads_busy", "Threads that do so now.")
        self.broker_failures = self._counter("broker_failures", "Calls of the broker that failed.")
        self.deliveries_dropped = self._counter(
            "deliveries_dropped", "Messages about tasks that were not there to be claimed."
        )
        self.threads_abandoned = self._own_gauge(
            "threads_abandoned", "Threads that go on though their attempt was given up."
        )
        self.abandoned = self._counter(
            "attempts_abandoned", "Attempts given up whose thread did not stop."
        )
        self.memory_budget = self._own_gauge(
            "memory_budget_bytes", "Memory for work on pictures, in bytes."
        )
        self.memory_admitted = self._own_gauge(
            "memory_admitted_bytes", "What of it the work under way was foretold to take."
        )
        self.memory_wait = self._histogram(
            "memory_wait_seconds", "How long work on a picture waited for memory.", TASK_BUCKETS
        )
        self.children = self._own_gauge("child_processes", "Child processes that there are.")
        self.children_busy = self._own_gauge("child_processes_busy", "Child processes at work.")
        self.engine_errors = self._counter("engine_errors", "Faults of the engine's own loops.")
        self.storage_free = self._gauge("storage_free_bytes", "Room left on the disk.", "store")
        for store in STORES:
            self.storage_free.labels(store)
        build = self._gauge("build_info", "Versions, as labels.", "version", "python", "pillow")
        build.labels(__version__, platform.python_version(), PIL.__version__).set(1)

    def watch(self, gauge: Gauge, value: Callable[[], float]) -> None:
        """Show what `value` says at every scrape; or, where other processes count too and any of
        them may be asked, at every `look`."""
        if are_shared():
            self._watched.append((gauge, value))
        else:
            gauge.set_function(value)

    def look(self) -> None:
        """Bring up to date what others show of this process."""
        for gauge, value in self._watched:
            gauge.set(value())

    def text(self) -> bytes:
        """All series in Prometheus's text format, of all processes behind the port together."""
        if not are_shared():
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def on_event(self, event: Event) -> None:
        """Count what the rest of the house tells after its commits."""
        match event.name:
            case "task.enqueued":
                self.enqueued.labels(event.fields["kind"]).inc()
            case "task.rescued":
                self.rescued.labels(event.fields["outcome"]).inc()
            case "task.ended":
                self._on_ended(event)

    def _on_ended(self, event: Event) -> None:
        self.attempts.labels(event.fields["kind"], event.fields["outcome"]).inc()
        if event.fields["isolated"]:
            self.isolated.labels(event.fields["kind"]).inc()
        self.run_seconds.labels(event.fields["kind"]).observe(event.fields["run_seconds"])
        self.wait_seconds.labels(event.fields["kind"]).observe(event.fields["wait_seconds"])

    def set_tasks(
        self, counts: Iterable[tuple[str, str, str, int, datetime]], at: datetime
    ) -> None:
        """Show the unfinished tasks as (kind, status, priority, how many, oldest due)."""
        live = dict.fromkeys(product(self._kinds, LIVE), 0)
        depths, ages = dict.fromkeys(PRIORITIES, 0), dict.fromkeys(PRIORITIES, 0.0)
        for kind, status, priority, count, oldest in counts:
            live[kind, status] = live.get((kind, status), 0) + count
            if status in DUE:
                depths[priority] += count
                ages[priority] = max(ages[priority], (at - oldest).total_seconds())
        for labels, count in live.items():
            self.tasks.labels(*labels).set(count)
        for priority in PRIORITIES:
            self.queue_depth.labels(priority).set(depths[priority])
            self.oldest_age.labels(priority).set(ages[priority])

    def set_paused(self, paused: Collection[str]) -> None:
        """Show which kinds are paused."""
        for kind in self._kinds:
            self.paused.labels(kind).set(kind in paused)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace="pixmill", registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """What several processes look at alike: the latest look counts."""
        return self._any_gauge(name, text, "mostrecent", *labels)

    def _own_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """What each process has of its own: the sum over those that live counts."""
        return self._any_gauge(name, text, "livesum", *labels)

    def _any_gauge(
        self, name: str, text: str, mode: Literal["mostrecent", "livesum"], *labels: str
    ) -> Gauge:
        return Gauge(
            name, text, labels, namespace="pixmill", registry=self.registry, multiprocess_mode=mode
        )

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            name, text, labels, namespace="pixmill", registry=self.registry, buckets=buckets
        )
