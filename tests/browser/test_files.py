"""The page's files as they are served: under a strict policy, cached with care, and few."""

from __future__ import annotations

import re

import httpx
import pytest

from service.dashboard.files import FOLDER, read_files
from service.dashboard.routes import VIEWS, policy
from tests.servers import Process

FILES = sorted(read_files())
SCRIPTS = [path for path in FILES if path.endswith(".js")]
#: All that a browser loads for the page, uncompressed, in bytes.
PAGE_BYTES = 100_000
SCRIPT_LINES = 200
LINE_LENGTH = 140
#: Ways to make markup, or code, of text.
UNSAFE = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
    r"|DOMParser|setHTMLUnsafe|srcdoc|eval|Function)\b"
)


@pytest.fixture
def client(server: Process) -> httpx.Client:
    return server.client


def source(path: str) -> str:
    return (FOLDER / path).read_text("utf-8")


def test_the_start_tells_the_address_of_the_page(server: Process) -> None:
    assert server.process.stdout is not None

    assert next(server.process.stdout).split() == ["page", f"{server.url}/dashboard"]


def test_the_root_leads_to_the_page(client: httpx.Client) -> None:
    answer = client.get("/")

    assert (answer.status_code, answer.headers["Location"]) == (307, "/dashboard")


@pytest.mark.parametrize("address", [*VIEWS, "/dashboard/"])
def test_every_view_is_the_same_document(client: httpx.Client, address: str) -> None:
    answer = client.get(address.replace("{", "").replace("}", ""))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text == source("page.html")


@pytest.mark.parametrize("path", ["/dashboard", *(f"/dashboard/static/{path}" for path in FILES)])
def test_the_policy_lets_in_nothing_but_our_own(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers

    assert headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_may_come_from_where_the_documents_say_they_are() -> None:
    assert "img-src 'self' blob: https://cdn.example.org;" in policy("https://cdn.example.org/a/b")
    assert "img-src 'self' blob:;" in policy("")


def test_a_file_is_sent_once(client: httpx.Client) -> None:
    first = client.get("/dashboard/static/script/main.js")
    again = client.get(
        "/dashboard/static/script/main.js", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    "path", ["nothing.js", "../routes.py", "%2e%2e/routes.py", "..%2froutes.py", ""]
)
def test_only_the_pages_files_are_sent(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/dashboard/static/{path}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_view_that_is_not_there_is_a_problem(client: httpx.Client) -> None:
    assert client.get("/dashboard/nothing").json()["code"] == "not_found"


def test_the_page_weighs_little() -> None:
    weights = {path: len(file.content) for path, file in read_files().items()}

    assert sum(weights.values()) < PAGE_BYTES, weights


@pytest.mark.parametrize("path", SCRIPTS)
def test_text_never_becomes_markup(path: str) -> None:
    assert UNSAFE.findall(source(path)) == []


@pytest.mark.parametrize("path", SCRIPTS)
def test_a_script_is_short_and_says_what_it_is(path: str) -> None:
    lines = source(path).splitlines()

    assert len(lines) <= SCRIPT_LINES
    assert max(map(len, lines)) <= LINE_LENGTH
    assert lines[0].startswith("/**")


@pytest.mark.parametrize("path", FILES)
def test_nothing_comes_from_elsewhere(path: str) -> None:
    addresses = re.findall(r"https?://[\w.-]+|(?<=[\"'(])//[\w.-]+", source(path))

    assert set(addresses) <= {"http://www.w3.org"}  # a namespace, which nobody asks for


def test_the_document_holds_no_script_and_no_style_of_its_own() -> None:
    document = source("page.html")

    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", document) == []
    assert re.findall(r"<script[^>]*>([^<]*)", document) == [""]
