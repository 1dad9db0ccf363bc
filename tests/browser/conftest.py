"""One server with kinds that fail, and one browser, for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.flow import failing
from tests.flow.evidence import name_database
from tests.servers import Process

if TYPE_CHECKING:
    from tests.browser.driving import Browser, Console, Page


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("page")
    name_database(folder, f"sqlite:///{folder}/pixmill.db")
    process = Process(folder, {"PIXMILL_POLL_SECONDS": "0.05"}, failing.MODULE)
    yield process
    process.kill()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    from tests.browser.driving import browsing

    with browsing() as browser:
        yield browser


@pytest.fixture
def console() -> Iterator[Console]:
    """What the page says to itself: a test ends well only if that was nothing unexpected."""
    from tests.browser.driving import Console

    console = Console()
    yield console
    assert console.unexpected() == []


@pytest.fixture
def page(browser: Browser, server: Process, console: Console) -> Iterator[Page]:
    from tests.browser.driving import opened

    with opened(browser, server.url, console, viewport={"width": 1280, "height": 800}) as page:
        yield page


@pytest.fixture
def phone(browser: Browser, server: Process, console: Console) -> Iterator[Page]:
    """A page on the narrowest of phones."""
    from tests.browser.driving import opened

    size = {"width": 360, "height": 740}
    with opened(
        browser, server.url, console, viewport=size, is_mobile=True, has_touch=True
    ) as page:
        yield page
