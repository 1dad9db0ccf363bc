"""What happens elsewhere is seen on the page: by the stream, and by looking where there is none."""

from __future__ import annotations

import re

from tests.browser.driving import Console, Page, enqueue_many, expect
from tests.flow import failing
from tests.pictures import picture_bytes
from tests.servers import Process, until

JPEG = picture_bytes(size=(300, 200))


def pulse(page: Page, word: str) -> None:
    expect(page.locator("#pulse")).to_have_text(word)


def expect_to_appear(page: Page, server: Process, name: str) -> None:
    """Another client sends an image; the page shows it."""
    server.client.post("/images", files={"file": (name, JPEG)}).raise_for_status()
    card = page.locator(".card").filter(has_text=name)
    expect(card).to_have_attribute("data-status", "ready")


def test_an_image_that_another_client_sends_appears(page: Page, server: Process) -> None:
    page.goto("/dashboard")
    pulse(page, "live")

    expect_to_appear(page, server, "elsewhere.jpg")


def test_a_task_is_followed_without_asking_again(page: Page, server: Process) -> None:
    go = server.folder / "followed"
    (task_id,) = enqueue_many(server, failing.waits, file=str(go))
    page.goto(f"/dashboard/tasks/{task_id}")
    pulse(page, "live")
    badge = page.locator(".head .badge")
    expect(badge).to_have_text(re.compile("running"))
    go.touch()

    expect(badge).to_have_text(re.compile("succeeded"))


def test_the_list_of_tasks_follows_and_keeps_the_focus(page: Page, server: Process) -> None:
    enqueue_many(server, failing.permanent)
    page.goto("/dashboard/tasks?kind=test.permanent")
    pulse(page, "live")
    row = page.locator("tbody tr")
    expect(row.first).to_contain_text("failed")
    before = row.count()
    first = row.first.get_by_role("link").first
    first.focus()
    address = first.get_attribute("href")
    enqueue_many(server, failing.permanent)

    expect(row).to_have_count(before + 1)
    assert page.evaluate("document.activeElement.getAttribute('href')") == address


def test_without_the_stream_it_looks_every_few_seconds(
    page: Page, server: Process, console: Console
) -> None:
    console.expect("ERR_FAILED")
    page.route("**/events", lambda route: route.abort())
    page.goto("/dashboard")
    pulse(page, "polling")

    expect_to_appear(page, server, "polled.jpg")


def test_a_service_that_is_gone_is_said_and_found_again(page: Page, console: Console) -> None:
    console.expect("ERR_FAILED", "ERR_INTERNET_DISCONNECTED")
    page.goto("/dashboard/tasks")
    expect(page.locator("main [aria-busy]")).to_have_count(0)
    pulse(page, "live")
    for path in ("**/events", "**/healthz"):
        page.route(path, lambda route: route.abort())
    page.reload()
    pulse(page, "disconnected")
    page.unroute_all()

    pulse(page, "live")


def test_a_tab_that_is_not_looked_at_holds_no_stream(page: Page, server: Process) -> None:
    page.goto("/dashboard")
    pulse(page, "live")
    until(lambda: open_streams(server) == 1, "the stream")
    look(page, hidden=True)
    until(lambda: open_streams(server) == 0, "its end")
    server.client.post("/images", files={"file": ("unseen.jpg", JPEG)}).raise_for_status()
    look(page, hidden=False)

    card = page.locator(".card").filter(has_text="unseen.jpg")
    expect(card).to_have_attribute("data-status", "ready")
    until(lambda: open_streams(server) == 1, "the stream again")


def look(page: Page, *, hidden: bool) -> None:
    """What a browser tells a page whose tab is left, or come back to."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def open_streams(server: Process) -> float:
    found = re.search(r"^pixmill_event_streams (\S+)$", server.client.get("/metrics").text, re.M)
    assert found
    return float(found[1])
