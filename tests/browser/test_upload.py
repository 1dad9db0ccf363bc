"""Images sent from the page: chosen, dropped, pasted; refused, cancelled, tried again."""

from __future__ import annotations

import re
from typing import Any

from tests.browser.driving import Console, Dialog, Page, expect
from tests.flow import failing
from tests.pictures import picture_bytes
from tests.servers import Process, until

JPEG = picture_bytes(size=(900, 600))
SMALL = picture_bytes()
#: Names that would be something else than names where they were taken for markup.
HOSTILE = ["<img src=x onerror=alert(1)>.jpg", "\"'><script>alert(1).jpg", "&amp;<b>bold.jpg"]
BYTES_A_SECOND = 40_000


def file(name: str, content: bytes = JPEG, kind: str = "image/jpeg") -> Any:
    return {"name": name, "mimeType": kind, "buffer": content}


def choose(page: Page, *files: Any) -> None:
    page.get_by_label("Choose images").set_input_files(files)


def card(page: Page, name: str) -> Any:
    return page.locator(".card").filter(has=page.get_by_role("link", name=name, exact=True))


def noise(size: int = 400_000) -> bytes:
    """A picture that is followed by as much as is wanted."""
    return JPEG + bytes(size)


def slow_down(page: Page) -> None:
    """Have the page's uploads take seconds."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": BYTES_A_SECOND,
        },
    )


def test_several_files_are_sent_and_become_ready_by_themselves(page: Page) -> None:
    page.goto("/dashboard")
    choose(page, file("one.jpg"), file("two.jpg", picture_bytes(size=(800, 500))))

    for name in ("one.jpg", "two.jpg"):
        expect(card(page, name)).to_have_attribute("data-status", "ready")
        expect(card(page, name)).to_contain_text("4 of 4 variants")
    shown = card(page, "one.jpg").locator("img")
    expect(shown).to_have_attribute("src", re.compile(r"/images/\w+/variants/medium"))
    assert shown.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 800
    expect(page.locator(".sending li")).to_have_count(0)


def test_an_image_is_shown_beside_its_variants_with_what_a_page_needs(page: Page) -> None:
    page.goto("/dashboard")
    choose(page, file("beside.jpg"))
    card(page, "beside.jpg").get_by_role("link", name="beside.jpg", exact=True).click()

    figures = page.locator(".figures > li")
    expect(figures).to_have_count(5)
    expect(figures.first).to_contain_text("900 × 600 jpeg")
    expect(figures.filter(has_text="small")).to_contain_text("400 × 267 jpeg")
    expect(figures.filter(has_text="small")).to_contain_text(re.compile(r"−\d\d %"))
    snippet = page.get_by_label("<picture> element", exact=True)
    expect(snippet).to_contain_text('srcset="http://127.0.0.1')
    expect(snippet).to_contain_text("400w")
    expect(page.locator("tbody tr")).to_contain_text("succeeded")


def test_an_address_can_be_copied(page: Page, server: Process) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/dashboard")
    choose(page, file("copied.jpg"))
    card(page, "copied.jpg").locator("a").first.click()
    page.get_by_role("button", name="Copy the address of small").click()

    expect(page.locator("#notices")).to_contain_text("Copied the address of small.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(rf"{server.url}/images/\w+/variants/small", copied)


def test_only_the_presets_that_are_marked_are_made(page: Page) -> None:
    page.goto("/dashboard")
    page.get_by_label(re.compile("^large")).uncheck()
    page.get_by_label(re.compile("^medium")).uncheck()
    choose(page, file("few.jpg"))

    expect(card(page, "few.jpg")).to_contain_text("2 of 2 variants")


def test_images_are_taken_by_dropping_and_by_pasting(page: Page) -> None:
    page.goto("/dashboard")
    expect(page.locator(".presets")).to_be_visible()
    for event, name in (("drop", "dropped.jpg"), ("paste", "pasted.jpg")):
        page.evaluate(
            """([event, name, bytes]) => {
                const moved = new DataTransfer();
                moved.items.add(new File([new Uint8Array(bytes)], name, {type: "image/jpeg"}));
                const made = event === "drop"
                    ? new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true})
                    : new ClipboardEvent("paste", {clipboardData: moved, bubbles: true});
                document.body.dispatchEvent(made);
            }""",
            [event, name, list(SMALL)],
        )
        expect(card(page, name)).to_have_attribute("data-status", "ready")


def test_the_camera_is_offered_where_there_may_be_one(phone: Page) -> None:
    phone.goto("/dashboard")

    camera = phone.get_by_label("Take a photo")
    expect(camera).to_have_attribute("capture", "environment")
    assert phone.locator(".camera").is_visible()


def test_a_refusal_is_told_in_the_services_words(page: Page, console: Console) -> None:
    console.expect("415")
    page.goto("/dashboard")
    choose(page, file("words.txt", b"no picture at all", "text/plain"))

    row = page.locator(".sending li")
    expect(row).to_have_attribute("data-state", "refused")
    expect(row).to_contain_text("Not an image of an accepted format")
    expect(row).to_contain_text("The file is not an image of an accepted format (jpeg, png")
    row.get_by_role("button", name="Dismiss words.txt").click()
    expect(row).to_have_count(0)


def test_what_is_too_large_is_said_before_it_is_sent(page: Page, server: Process) -> None:
    limits = server.client.get("/limits").json()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto("/dashboard")
    expect(page.locator(".limits")).to_contain_text("50 megapixels")
    page.evaluate(
        """size => {
            const moved = new DataTransfer();
            moved.items.add(new File([new Uint8Array(size)], "huge.jpg", {type: "image/jpeg"}));
            const dropped = new DragEvent("drop", {dataTransfer: moved, bubbles: true});
            document.body.dispatchEvent(dropped);
        }""",
        limits["max_upload_bytes"] + 1,
    )

    expect(page.locator(".sending li")).to_contain_text("the limit is 26.2 MB")
    assert "POST" not in sent


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled_and_tried_again(
    page: Page, console: Console
) -> None:
    page.goto("/dashboard")
    expect(page.locator(".presets")).to_be_visible()
    slow_down(page)
    choose(page, file("slow.jpg", noise()))
    row = page.locator(".sending li")

    expect(row).to_have_attribute("data-state", "sending")
    until(lambda: 0 < row.locator("progress").evaluate("bar => bar.value") < 400_000, "progress")
    row.get_by_role("button", name="Cancel slow.jpg").click()
    expect(row).to_have_attribute("data-state", "cancelled")
    row.get_by_role("button", name="Retry slow.jpg").click()
    expect(row).to_have_attribute("data-state", "sending")
    row.get_by_role("button", name="Cancel slow.jpg").click()


def test_leaving_in_the_middle_of_an_upload_is_asked_about_and_told_afterwards(page: Page) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.goto("/dashboard")
    page.locator(".presets input").first.click()  # a browser asks only where something was done
    slow_down(page)
    choose(page, file("torn.jpg", noise()))
    expect(page.locator(".sending li")).to_have_attribute("data-state", "sending")
    page.reload()

    assert asked == ["beforeunload"]
    expect(page.locator("#notices")).to_contain_text("left before it had sent torn.jpg")
    expect(page.locator(".sending li")).to_have_count(0)
    expect(card(page, "torn.jpg")).to_have_count(0)
    page.reload()
    assert asked == ["beforeunload"]


def test_names_are_shown_as_they_are(page: Page) -> None:
    page.goto("/dashboard")
    choose(page, *map(file, HOSTILE))

    for name in HOSTILE:
        expect(card(page, name)).to_have_attribute("data-status", "ready")
        assert page.locator("main script, main b, main img[src=x]").count() == 0
    card(page, HOSTILE[0]).locator("a.name").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE[0])
    assert page.locator("main img[src=x]").count() == 0


def test_a_card_tells_how_far_its_image_is(page: Page, server: Process) -> None:
    hold = server.folder / failing.HOLD
    hold.touch()
    page.goto("/dashboard")
    choose(page, file("held.jpg"))

    held = card(page, "held.jpg")
    expect(held.locator("progress")).to_be_visible()
    expect(held.locator("img")).to_have_attribute("src", re.compile("^blob:"))
    hold.unlink()
    expect(held).to_have_attribute("data-status", "ready")
    expect(held.locator("img")).to_have_attribute("src", re.compile("/variants/"))


def test_what_was_cut_short_fails_and_says_why(page: Page) -> None:
    page.goto("/dashboard")
    choose(page, file("cut.jpg", JPEG[: len(JPEG) // 2]))

    failed = card(page, "cut.jpg")
    expect(failed).to_have_attribute("data-status", "failed")
    expect(failed.locator(".bad")).not_to_be_empty()
