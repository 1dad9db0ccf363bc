"""The pictures of the page in the README and in docs/: `make screenshots`.

They show the real page of a real service that was sent the bench's photographs. One thing is made
up: the minutes before the service was started, so that the charts have something to show.
"""

from __future__ import annotations

import base64
import io
import math
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from bench.corpus import photos
from service.tasks.rows import Counted, keep, minute_at
from tests.browser.driving import Browser, Console, Page, browsing, expect, opened
from tests.flow.evidence import in_database, name_database
from tests.servers import Process, finished

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: The longest side of what is sent, in pixels: a photograph as a page's editor would send it.
SENT_PX = 2400
#: Nobody listens there, so messages to it fail and are tried again.
DEAF = {
    "PIXMILL_WEBHOOK_URL": "http://127.0.0.1:9/hook",
    "PIXMILL_WEBHOOK_SECRET": "whsec_" + base64.b64encode(bytes(24)).decode(),
}
PHONE: Mapping[str, Any] = {"viewport": {"width": 360, "height": 720}, "device_scale_factor": 2}
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1200, "height": 760}}
TALL: Mapping[str, Any] = {"viewport": {"width": 1200, "height": 1040}}


@dataclass(frozen=True)
class Shot:
    """One picture: the view it shows, what has to be there first, and how it is looked at."""

    name: str
    view: str
    awaits: str
    scheme: str
    size: Mapping[str, Any]


SHOTS = (
    Shot("images-light", "", ".card[data-status=ready]", "light", DESKTOP),
    Shot("image-light", "/images/{image}", ".figures img", "light", DESKTOP),
    Shot("activity-dark", "/activity", ".spark", "dark", TALL),
    Shot("task-dark", "/tasks/{failed}", ".timeline li", "dark", DESKTOP),
    Shot("images-phone-light", "", ".card[data-status=ready]", "light", PHONE),
    Shot("activity-phone-dark", "/activity", ".tiles", "dark", PHONE),
)


def main() -> None:
    """Start a service, send it something, and look at it."""
    FOLDER.mkdir(exist_ok=True)
    with serving() as server, browsing() as browser:
        ids = fill(server)
        for shot in SHOTS:
            take(browser, server, shot, ids)


@contextmanager
def serving() -> Iterator[Process]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        name_database(folder, f"sqlite:///{folder}/pixmill.db")
        server = Process(folder, DEAF)
        yield server
        server.kill()


def fill(server: Process) -> dict[str, str]:
    """An hour that has passed, photographs, a file that is cut short, messages to a deaf ear."""
    with ThreadPoolExecutor(1) as thread:  # the browser's driver has a loop in this one
        thread.submit(in_database, server, lambda session: keep(session, list(passed()))).result()
    sent = [(path.stem, jpeg(path)) for path in photos()]
    broken = send(server, "torn-off.jpg", sent[0][1][:200_000])
    images = [send(server, f"{name}.jpg", data) for name, data in sent]
    for image_id in (*(one["id"] for one in images), broken["id"]):
        finished(server.client, f"/images/{image_id}", ("ready", "failed"))
    for recipient in ("ada", "grace", "edsger"):
        message = {"recipient": recipient, "body": "Your pictures are ready.", "channel": "webhook"}
        server.client.post("/notifications", json=message).raise_for_status()
    return {"image": images[0]["id"], "failed": broken["task_id"]}


def send(server: Process, name: str, data: bytes) -> dict[str, str]:
    answer = server.client.post("/images", files={"file": (name, data)}, data={"item_id": "trip"})
    document: dict[str, str] = answer.raise_for_status().json()
    return document


def jpeg(path: Path) -> bytes:
    with Image.open(path) as photo:
        photo.draft("RGB", (SENT_PX, SENT_PX))
        photo.thumbnail((SENT_PX, SENT_PX))
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=90)  # without the bench's orientations, which turn it
    return file.getvalue()


def passed() -> Iterator[Counted]:
    """Minutes in which pictures were made, and a few failed."""
    this = minute_at(datetime.now(UTC))
    for ago in range(1, 60):
        wave = 24 + 14 * math.sin(ago / 7) + 5 * math.sin(ago * 1.7)
        done = Counted(this - ago, "image.process", "succeeded", round(wave), *_times(wave))
        yield done
        yield replace(done, kind="notification.send", count=round(wave / 3), run_sum=wave / 40)
        if ago % 9 == 0 or 20 < ago < 25:
            yield replace(done, outcome="failed", count=1 + ago % 4)


def _times(wave: float) -> tuple[float, float, float, float]:
    """Waits that grow with what there is to do, and run times that do not."""
    return wave * wave * 0.004, wave * 0.02, wave * 0.19, 0.4 + wave % 0.3


def take(browser: Browser, server: Process, shot: Shot, ids: dict[str, str]) -> None:
    console = Console()
    options = {**shot.size, "color_scheme": shot.scheme}
    with opened(browser, server.url, console, **options) as page:
        page.goto(f"/dashboard{shot.view.format(**ids)}")
        expect(page.locator(f"main :is({shot.awaits})").first).to_be_visible()
        expect(page.locator("#pulse")).to_have_text("live")
        expect(page.locator("main [aria-busy]")).to_have_count(0)
        settle(page)
        path = FOLDER / f"dashboard-{shot.name}.png"
        path.write_bytes(small(page.screenshot()))
        print(f"{path.name} {path.stat().st_size:,} bytes")  # noqa: T201 - for a person
    assert console.complaints == []


def settle(page: Page) -> None:
    """Until all pictures that are on the screen are there."""
    page.wait_for_function(
        """() => [...document.images]
            .filter(one => one.getBoundingClientRect().top < innerHeight)
            .every(one => one.complete)"""
    )


def small(png: bytes) -> bytes:
    """The same in 256 colours."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        colours = picture.convert("RGB")
        palette = colours.quantize(256, kmeans=1)
        colours.quantize(palette=palette).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
