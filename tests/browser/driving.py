"""What drives the browser: Playwright with the system's Chromium, and an eye on its console."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NoReturn

import pytest

from service.tasks import Kind, Priority, enqueue
from tests.flow.evidence import in_database
from tests.servers import Process


def without(what: str) -> NoReturn:
    """Skip where something is not installed, and fail where all has to be."""
    if "CI" in os.environ:
        pytest.fail(what, pytrace=False)
    pytest.skip(what, allow_module_level=True)


if find_spec("playwright") is None:
    without("playwright is not installed")

from playwright.sync_api import (  # noqa: E402 - not before it is known to be there
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    expect,
    sync_playwright,
)

__all__ = [
    "Browser",
    "Console",
    "Dialog",
    "Page",
    "browsing",
    "enqueue_many",
    "expect",
    "opened",
    "without",
]

#: What a test waits for comes well within this, on a machine that is busy with other tests too.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Console:
    """What a page complained of: errors, uncaught exceptions, violations of its policy."""

    complaints: list[str] = field(default_factory=list)
    #: Patterns of those that a test causes on purpose.
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def expect(self, *patterns: str) -> None:
        self.expected += patterns

    def unexpected(self) -> list[str]:
        return [
            one
            for one in self.complaints
            if not any(re.search(each, one) for each in self.expected)
        ]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


@contextmanager
def browsing() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        without("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, console: Console, **options: Any) -> Iterator[Page]:
    """A page of its own, watched; nothing has been loaded yet."""
    context: BrowserContext = browser.new_context(base_url=url, **options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    console.watch(page)
    yield page
    context.close()


def enqueue_many(
    server: Process, kind: Kind, count: int = 1, priority: Priority | None = None, **payload: Any
) -> list[str]:
    """Tasks in the server's database. In a thread: the browser's driver has a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(
            in_database,
            server,
            lambda session: [
                enqueue(session, kind, payload, priority=priority) for _ in range(count)
            ],
        ).result()
