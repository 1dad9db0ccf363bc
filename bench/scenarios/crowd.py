"""Fifty uploads of fifty megapixels at once, in a container of 768 MiB: all are to finish.

The dearest pictures there are with the four presets: PNG with transparency. Where a cgroup can be
made the kernel holds the limit; the service is told what it would find in a container.
"""

from __future__ import annotations

import http.client
import io
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from bench.confined import Confinement, confined
from bench.figures import Spread, percentile
from bench.lineup import pixmill
from bench.memory import MIB, Peak, watched
from bench.options import Options
from bench.places import scratch
from bench.probe import Felt, Probe, probing
from bench.report import Goal, Section, Table
from bench.servers import Running, running
from service.config import MEMORY_SHARE

LIMIT_BYTES = 768 * MIB
SIZE = (8660, 5773)
UPLOADS = 50
QUICK_UPLOADS = 3
CLIENTS = 10
THREADS = "4"
PATIENCE_SECONDS = 1200.0


@dataclass
class Crowd:
    """What was seen."""

    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    peak: Peak = field(default_factory=Peak)
    felt: dict[str, Felt] = field(default_factory=dict)
    limit: Confinement | None = None
    highest_mib: float = 0.0
    kills: int = 0


def measure(options: Options) -> Section:
    uploads = QUICK_UPLOADS if options.quick else UPLOADS
    picture = _picture()
    settings = {"THREADS": THREADS, "MEMORY_BYTES": str(int(MEMORY_SHARE * LIMIT_BYTES))}
    with scratch("crowd") as folder, confined(LIMIT_BYTES) as limit:
        server = pixmill(folder / "pixmill", PRESETS="", **settings)
        with running(limit.around(server) if limit else server) as process:
            crowd = _drive(process, picture, uploads)
        if limit:
            crowd.highest_mib, crowd.kills, crowd.limit = limit.peak_bytes / MIB, limit.kills, limit
    return _section(crowd, uploads)


def _picture() -> bytes:
    """A file of a few megabytes; what it shows makes no difference to the memory it takes."""
    gradient = Image.linear_gradient("L").resize(SIZE)
    picture = Image.merge("RGBA", (gradient, gradient.transpose(Image.Transpose.ROTATE_180)) * 2)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _drive(server: Running, picture: bytes, uploads: int) -> Crowd:
    crowd = Crowd()
    probes = [Probe("health", "GET", server.health, 20)]
    started = time.perf_counter()
    with probing(server.port, probes) as felt, watched(server.pid) as peak:
        with ThreadPoolExecutor(CLIENTS) as clients:
            ids = list(clients.map(lambda _: _upload(server.port, picture), range(uploads)))
        print(f"crowd: {uploads} uploaded", file=sys.stderr)
        for image_id in ids:
            status = _ended(server.port, image_id)
            crowd.statuses[status] = crowd.statuses.get(status, 0) + 1
        crowd.seconds = time.perf_counter() - started
    crowd.peak, crowd.felt = peak, felt
    return crowd


def _upload(port: int, picture: bytes) -> str:
    headers = {"Content-Type": "image/png"}
    image_id: str = _asked(port, "POST", "/images", picture, headers)["id"]
    return image_id


def _ended(port: int, image_id: str) -> str:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        headers = {"Prefer": "wait=20"}
        status: str = _asked(port, "GET", f"/images/{image_id}", None, headers)["status"]
        if status in ("ready", "failed"):
            return status
    return "unfinished"


def _asked(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer: dict[str, str] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def _section(crowd: Crowd, uploads: int) -> Section:
    health = crowd.felt["health"]
    held = f"{crowd.highest_mib:.0f}" if crowd.limit else "no cgroup could be made"
    row = (
        f"{uploads}",
        f"{crowd.statuses.get('ready', 0)}",
        f"{crowd.seconds:.0f}",
        f"{crowd.peak.rss:.0f}",
        held,
        f"{percentile(health.ms, 0.99):.0f}",
        f"{max(health.ms):.0f}",
    )
    head = ("uploads", "ready", "seconds", "peak RSS, MiB", "peak of the cgroup, MiB")
    caption = f"PNGs of 50 megapixels with transparency, {THREADS} threads, a limit of 768 MiB:"
    table = Table(caption, (*head, "health p99 ms", "health max ms"), [row])
    goals = [
        Goal("ready, of all", Spread.of([crowd.statuses.get("ready", 0) / uploads]), at_least=1.0),
        Goal("peak RSS, MiB", Spread.of([crowd.peak.rss]), at_most=768.0, digits=0),
    ]
    trouble = [f"{crowd.kills} processes were ended for want of memory"] if crowd.kills else []
    if health.errors:
        trouble.append(f"{health.errors} answers about the health were wrong")
    return Section("A crowd of large pictures", [table], goals, trouble)
