"""What axe-core, the accessibility checker, says of every view: nothing. Light and dark.

It is installed once, at the version of the lock beside this file, and works without the network
afterwards. The page's policy would not let it in, so its browser context goes past the policy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser.driving import Browser, Console, Page, enqueue_many, expect, opened, without
from tests.flow import failing
from tests.pictures import picture_bytes
from tests.servers import Process, finished

PINS = Path(__file__).parent / "axe"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pixmill"
INSTALL_SECONDS = 120

RUN = """async rules => (await axe.run(rules ? {runOnly: rules} : {})).violations.map(
    one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 120)).join(" | ")}`)"""


@pytest.fixture(scope="module")
def axe() -> Path:
    """The checker's script."""
    lock = PINS / "package-lock.json"
    folder = CACHE / f"axe-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        install(folder)
    return folder / "node_modules" / "axe-core" / "axe.min.js"


def install(folder: Path) -> None:
    """Beside its place and then renamed, so that two at once do not meet."""
    if shutil.which("npm") is None:
        without("npm is not installed, which fetches axe-core")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as beside:
        made = Path(beside) / "axe"
        shutil.copytree(PINS, made)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=made, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode:
            without(f"npm could not fetch axe-core: {done.stderr[-300:]}")
        with suppress(OSError):  # another one was faster
            made.rename(folder)


@pytest.fixture(scope="module")
def ids(server: Process) -> dict[str, str]:
    """Something of everything: an image, a failed task, an item, a user, a message."""
    files = {"file": ("seen.jpg", picture_bytes(size=(600, 400)))}
    image = server.client.post("/images", files=files, data={"item_id": "seen"}).json()
    (failed,) = enqueue_many(server, failing.unforeseen)
    server.client.post("/users", json={"email": "ada@example.com", "name": "Ada"})
    chained = server.client.post("/items/seen/process").json()["task_id"]
    for path in (f"/tasks/{image['task_id']}", f"/tasks/{failed}", f"/tasks/{chained}"):
        finished(server.client, path, ("succeeded", "failed"))
    return {"image": image["id"], "failed": failed, "chained": chained}


@pytest.fixture
def open_page(browser: Browser, server: Process, console: Console) -> Iterator[Page]:
    with opened(browser, server.url, console, bypass_csp=True) as page:
        yield page


def violations(page: Page, axe: Path) -> list[str]:
    """By all rules in the light, and by those on contrast in the dark."""
    page.add_script_tag(path=axe)
    found: list[str] = page.evaluate(RUN, None)
    page.emulate_media(color_scheme="dark")
    found += page.evaluate(RUN, ["color-contrast"])
    return found


@pytest.mark.parametrize(
    ("view", "shows"),
    [
        ("", ".gallery .card"),
        ("/images/{image}", ".figures li"),
        ("/activity", ".tiles"),
        ("/tasks", "tbody tr"),
        ("/tasks/{failed}", ".timeline li"),
        ("/tasks/{chained}", ".chain li"),
        ("/items", "tbody tr"),
        ("/users", "tbody tr"),
        ("/notifications", "tbody tr"),
    ],
)
def test_axe_finds_nothing(
    open_page: Page, axe: Path, ids: dict[str, str], view: str, shows: str
) -> None:
    open_page.goto(f"/dashboard{view.format(**ids)}")
    expect(open_page.locator(f"main {shows}").first).to_be_visible()
    expect(open_page.locator("main [aria-busy]")).to_have_count(0)

    assert violations(open_page, axe) == []


def test_axe_finds_nothing_in_a_question(open_page: Page, axe: Path, ids: dict[str, str]) -> None:
    open_page.goto("/dashboard/tasks?status=failed")
    open_page.get_by_role("button", name="Retry all that fit").click()
    expect(open_page.get_by_role("dialog")).to_be_visible()

    assert violations(open_page, axe) == []
