"""Tasks on the page: found by filters, looked into, tried again, cancelled, one or many."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from service.tasks import Priority
from tests.browser.driving import Page, enqueue_many, expect
from tests.flow import failing
from tests.servers import Process, finished, until

FINAL = ("succeeded", "failed", "cancelled")


def rows(page: Page) -> Any:
    return page.locator("main tbody tr")


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def notices(page: Page) -> Any:
    return page.locator("#notices")


def ended(server: Process, ids: list[str]) -> list[str]:
    return [finished(server.client, f"/tasks/{task_id}", FINAL)["status"] for task_id in ids]


def test_a_failure_is_seen_understood_and_tried_again(page: Page, server: Process) -> None:
    needed = server.folder / "needed"
    (task_id,) = enqueue_many(
        server, failing.needs, file=str(needed), journal=str(server.folder / "journal")
    )
    page.goto(f"/dashboard/tasks/{task_id}")
    badge = page.locator(".head .badge")

    expect(badge).to_have_text(re.compile("failed"))
    expect(page.get_by_role("alert")).to_contain_text(f"There is no {needed}.")
    page.get_by_text("Traceback of attempt 1").click()
    expect(page.locator("pre")).to_contain_text("raise DeliveryRefused")
    expect(rows(page)).to_have_count(1)
    needed.touch()
    page.get_by_role("button", name="Retry").click()
    expect(notices(page)).to_contain_text("A new round of attempts was begun.")
    expect(badge).to_have_text(re.compile("succeeded"))
    expect(rows(page)).to_have_count(2)
    expect(page.locator(".timeline")).to_contain_text("retried")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_every_attempt_is_told_with_its_error(page: Page, server: Process) -> None:
    (task_id,) = enqueue_many(server, failing.transient)
    page.goto(f"/dashboard/tasks/{task_id}")

    expect(rows(page)).to_have_count(3)
    for attempt in (1, 2, 3):
        told = rows(page).filter(has_text=f"Nobody answered attempt {attempt}.")
        expect(told).to_contain_text("delivery_failed")
    expect(page.get_by_text(re.compile("^Traceback of attempt"))).to_have_count(3)


def test_the_chain_leads_from_task_to_task(page: Page, server: Process) -> None:
    first, second = server.client.post("/items/chained/process").json()["task_ids"]
    ended(server, [first, second])
    page.goto(f"/dashboard/tasks/{first}")

    chain = page.get_by_role("navigation", name="Chain")
    expect(chain.locator("li")).to_have_count(2)
    chain.get_by_role("link", name="item.notify_admin").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("item.notify_admin")
    assert page.url.endswith(second)


def test_the_image_of_a_task_is_shown_before_and_after(page: Page, server: Process) -> None:
    from tests.browser.test_upload import JPEG

    image = server.client.post("/images", files={"file": ("seen.jpg", JPEG)}).json()
    page.goto(f"/dashboard/tasks/{image['task_id']}")

    expect(page.locator(".figures > li")).to_have_count(5)
    expect(page.locator(".figures")).to_contain_text("original")
    expect(page.locator(".head .badge")).to_have_text(re.compile("succeeded"))


def test_filters_stand_in_the_address_and_follow_it_back_and_forth(
    page: Page, server: Process
) -> None:
    ended(server, enqueue_many(server, failing.endless, 2))
    ended(server, enqueue_many(server, failing.permanent, 1, Priority.HIGH))
    page.goto("/dashboard/tasks")
    page.get_by_role("checkbox", name="failed").check()
    page.get_by_role("combobox", name="Kind").select_option("test.endless")

    expect(rows(page)).to_have_count(2)
    assert query(page) == {"status": ["failed"], "kind": ["test.endless"]}
    page.get_by_role("combobox", name="Kind").select_option("")
    page.get_by_role("combobox", name="Priority", exact=True).select_option("high")
    page.get_by_label("Error text").fill("no such receiver")
    page.get_by_label("Error text").press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("test.permanent")
    page.go_back()
    page.go_back()
    page.go_back()
    expect(page.get_by_role("combobox", name="Kind")).to_have_value("test.endless")
    expect(page.get_by_label("Error text")).to_have_value("")
    expect(rows(page)).to_have_count(2)
    page.go_forward()
    expect(page.get_by_role("combobox", name="Kind")).to_have_value("")
    page.reload()
    expect(page.get_by_role("checkbox", name="failed")).to_be_checked()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("checkbox", name="failed")).not_to_be_checked()
    expect(page).to_have_url(f"{server.url}/dashboard/tasks")


def test_an_address_that_names_no_time_is_one_without_an_age(page: Page, server: Process) -> None:
    ended(server, enqueue_many(server, failing.permanent))
    page.goto("/dashboard/tasks?kind=test.permanent&age=yesterday")

    expect(rows(page).first).to_contain_text("test.permanent")


def test_what_an_item_caused_is_a_link_away(page: Page, server: Process) -> None:
    ended(server, server.client.post("/items/caused?action=rename").json()["task_ids"])
    page.goto("/dashboard/items")
    page.get_by_role("link", name="tasks of item caused").click()

    expect(rows(page)).to_have_count(2)
    for kind in ("item.action", "notification.send"):
        expect(rows(page).filter(has_text=kind)).to_have_count(1)
    assert query(page) == {"subject_type": ["item"], "subject_id": ["caused"]}
    expect(page.get_by_label("with id")).to_have_value("caused")


def test_what_a_user_caused_is_a_link_away(page: Page, server: Process) -> None:
    user = server.client.post("/users", json={"email": "caused@example.com"}).json()
    page.goto("/dashboard/users")
    page.get_by_role("link", name="tasks of user caused@example.com").click()

    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_have_attribute("data-key", user["task_id"])
    expect(page.get_by_label("About")).to_have_value("user")
    expect(page.get_by_label("with id")).to_have_value(user["id"])


def test_what_a_message_caused_is_a_link_away(page: Page, server: Process) -> None:
    message = {"recipient": "told@example.com", "body": "-", "channel": "file"}
    task_id = server.client.post("/notifications", json=message).json()["task_id"]
    page.goto("/dashboard/notifications")
    page.get_by_role("link", name="task that sends to told@example.com").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("notification.send")
    assert page.url.endswith(task_id)


def test_many_are_cancelled_after_a_question_that_names_their_number(
    page: Page, server: Process
) -> None:
    server.client.post("/kinds/test.third_time/pause").raise_for_status()
    ids = enqueue_many(server, failing.third_time, 7)
    page.goto("/dashboard/tasks?status=queued&kind=test.third_time")
    expect(rows(page)).to_have_count(7)
    page.get_by_role("button", name="Cancel all that fit").click()

    question = page.get_by_role("dialog")
    expect(question.get_by_role("heading")).to_have_text("Cancel 7 tasks?")
    question.get_by_role("button", name="Leave it").click()
    expect(question).to_have_count(0)
    expect(rows(page)).to_have_count(7)
    page.get_by_role("button", name="Cancel all that fit").click()
    question.get_by_role("button", name="Cancel 7 tasks").click()
    expect(notices(page)).to_contain_text("7 tasks were cancelled.")
    assert set(ended(server, ids)) == {"cancelled"}
    expect(rows(page)).to_have_count(0)
    expect(page.locator("main .empty")).to_have_text("No task fits.")
    server.client.post("/kinds/test.third_time/resume").raise_for_status()


def test_more_than_a_thousand_are_cancelled_by_their_filter(page: Page, server: Process) -> None:
    server.client.post("/kinds/test.follows/pause").raise_for_status()
    enqueue_many(server, failing.follows, 1050, journal="unused")
    page.goto("/dashboard/tasks?status=queued&kind=test.follows")
    page.get_by_role("button", name="Cancel all that fit").click()
    page.get_by_role("button", name="Cancel 1,000 tasks or more").click()

    expect(notices(page)).to_contain_text("1,050 tasks were cancelled.")
    expect(page.locator("main .empty")).to_have_text("No task fits.")
    server.client.post("/kinds/test.follows/resume").raise_for_status()


def test_only_what_fits_the_statuses_is_offered(page: Page) -> None:
    page.goto("/dashboard/tasks?status=succeeded")

    for name in ("Retry all that fit", "Cancel all that fit"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    page.get_by_role("checkbox", name="failed").check()
    expect(page.get_by_role("button", name="Retry all that fit")).to_be_enabled()
    expect(page.get_by_role("button", name="Cancel all that fit")).to_be_disabled()


def test_priorities_are_changed_one_by_one_and_together(page: Page, server: Process) -> None:
    server.client.post("/kinds/test.follows/pause").raise_for_status()
    first, *_ = enqueue_many(server, failing.follows, 3, journal="unused")
    page.goto(f"/dashboard/tasks/{first}")
    page.locator(".head").get_by_label("Priority").select_option("high")

    expect(notices(page)).to_contain_text("The priority was changed.")
    assert server.client.get(f"/tasks/{first}").json()["priority"] == "high"
    page.goto("/dashboard/tasks?status=queued&kind=test.follows")
    page.get_by_label("Set the priority of all that fit").select_option("low")
    page.get_by_role("button", name="Set the priority of 3 tasks to low").click()
    priorities = page.locator("td[data-column=Priority]")
    expect(priorities.get_by_text("low", exact=True)).to_have_count(3)
    server.client.post("/tasks/cancel", json={"status": "queued", "kind": "test.follows"})
    server.client.post("/kinds/test.follows/resume").raise_for_status()


def test_a_running_task_is_seen_at_work_and_stopped(page: Page, server: Process) -> None:
    (task_id,) = enqueue_many(server, failing.waits, file=str(server.folder / "never"))
    page.goto("/dashboard/activity")

    worker = page.locator(".workers li").filter(has_text="test.waits")
    expect(worker.locator("time").first).to_have_text(re.compile(r"^\d+ s$"))
    worker.get_by_role("link", name=re.compile("test.waits")).first.click()
    page.get_by_role("button", name="Cancel").click()
    expect(notices(page)).to_contain_text("It was asked to stop.")
    expect(page.locator(".head .badge")).to_have_text(re.compile("cancelled"))
    assert ended(server, [task_id]) == ["cancelled"]


def test_failures_are_grouped_and_tried_again_together(page: Page, server: Process) -> None:
    needed, journal = server.folder / "shared", server.folder / "journal"
    ids = enqueue_many(server, failing.needs, 4, file=str(needed), journal=str(journal))
    assert set(ended(server, ids)) == {"failed"}
    page.goto("/dashboard/activity")
    group = (
        page.get_by_role("region", name="Failures by error")
        .locator("tr")
        .filter(has_text="test.needs")
    )

    expect(group).to_contain_text("delivery_refused")
    needed.touch()
    page.get_by_role("button", name=re.compile("^Retry all test.needs")).click()
    page.get_by_role("button", name=re.compile(r"^Retry \d+ tasks$")).click()
    expect(notices(page)).to_contain_text("were tried again.")
    until(lambda: set(ended(server, ids)) == {"succeeded"}, "success")
    expect(group).to_have_count(0)


def test_a_kind_is_paused_and_goes_on(page: Page, server: Process) -> None:
    page.goto("/dashboard/activity")
    row = page.get_by_role("region", name="Kinds of tasks").locator("tr")
    row = row.filter(has_text="item.action")
    page.get_by_role("button", name="Pause item.action").click()

    expect(row).to_contain_text("paused")
    paused = {kind["name"] for kind in server.client.get("/kinds").json() if kind["paused"]}
    assert "item.action" in paused
    page.get_by_role("button", name="Resume item.action").click()
    expect(row).not_to_contain_text("paused")


def test_the_counts_and_the_series_show_what_ended(page: Page, server: Process) -> None:
    ended(server, enqueue_many(server, failing.permanent))
    page.goto("/dashboard/activity")

    failed = page.locator(".tiles").get_by_role("link", name=re.compile("failed"))
    assert int(failed.locator(".count").inner_text()) >= 1
    chart = page.locator("svg.chart")
    expect(chart).to_have_attribute("aria-label", re.compile(r"[1-9]\d* failed"))
    page.get_by_text("As a table").click()
    expect(page.get_by_role("region", name="Tasks that ended, by time")).to_be_visible()
    kinds = page.get_by_role("region", name="Kinds of tasks").locator("tr")
    figures = kinds.filter(has_text="test.permanent").get_by_role("img")
    expect(figures.first).to_have_attribute("aria-label", re.compile(r"\d+ of test.permanent"))
    failed.click()
    assert query(page) == {"status": ["failed"]}
