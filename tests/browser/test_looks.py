"""The page on a phone, in the dark, by keyboard; and that its policy holds."""

from __future__ import annotations

import pytest

from tests.browser.driving import Console, Page, enqueue_many, expect
from tests.flow import failing
from tests.servers import Process

VIEWS = ("Images", "Activity", "Tasks", "Items", "Users", "Notifications")
MARKUP = "<img src=x onerror=alert(1)>"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def test_a_phone_shows_every_view_without_scrolling_sideways(phone: Page, server: Process) -> None:
    enqueue_many(server, failing.unforeseen)
    phone.goto("/dashboard")
    for view in VIEWS:
        phone.get_by_role("navigation").get_by_role("link", name=view).click()
        expect(phone).to_have_title(f"{view} · Pixmill")
        expect(phone.locator("main [aria-busy]")).to_have_count(0)
        assert phone.evaluate("document.documentElement.scrollWidth") == 360, view


def test_a_task_fits_a_phone_with_its_traceback(phone: Page, server: Process) -> None:
    (task_id,) = enqueue_many(server, failing.unforeseen)
    phone.goto(f"/dashboard/tasks/{task_id}")
    phone.get_by_text("Traceback of attempt 3").click()

    assert phone.evaluate("document.documentElement.scrollWidth") == 360


def test_the_dark_is_dark(page: Page) -> None:
    page.goto("/dashboard")
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        seen[scheme] = page.evaluate(BACKGROUND)

    assert seen == {"light": "rgb(246, 247, 247)", "dark": "rgb(16, 22, 21)"}


def test_the_keyboard_goes_everywhere(page: Page) -> None:
    page.goto("/dashboard")
    # From here on the links are the page's own.
    expect(page.locator("[aria-current=page]")).to_have_text("Images")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    for name in ("Pixmill", "Images", "Activity", "Tasks"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator("[aria-current=page]")).to_have_text("Tasks")
    assert page.title() == "Tasks · Pixmill"


def test_the_address_of_the_service_leads_to_the_page(page: Page) -> None:
    page.goto("/")

    expect(page.get_by_role("link", name="Images", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    assert page.url.endswith("/dashboard")


def test_what_is_not_there_is_told_in_words(page: Page, console: Console) -> None:
    console.expect("404")
    page.goto("/dashboard/tasks/nothing")

    expect(page.get_by_role("alert").first).to_contain_text("There is no task nothing.")


@pytest.mark.parametrize(
    ("view", "path", "sent"),
    [
        ("users", "/users", {"email": "eve@example.com", "name": MARKUP}),
        ("notifications", "/notifications", {"recipient": MARKUP, "body": "-", "channel": "file"}),
    ],
)
def test_what_clients_say_is_text(
    page: Page, server: Process, view: str, path: str, sent: dict[str, str]
) -> None:
    server.client.post(path, json=sent).raise_for_status()
    page.goto(f"/dashboard/{view}")

    expect(page.locator("main").get_by_text(MARKUP, exact=True)).to_be_visible()
    assert page.locator("main img").count() == 0


def test_markup_from_elsewhere_does_nothing(page: Page, console: Console) -> None:
    console.expect("Content Security Policy")
    page.goto("/dashboard")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            document.body.setAttribute("style", "color: red");
        }"""
    )

    assert page.evaluate("window.ran") is None
    assert len(console.complaints) >= 2
