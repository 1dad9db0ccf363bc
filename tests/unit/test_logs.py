"""Logs: one record a line, whatever a value holds, with the ids of request and task."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service.config import Settings
from service.logs import configure_logs, current_request_id

FORGERY = "x\r\n2026 [info] forged\x1b[2J\x1b[31m\x00\u2028end"
Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure(make_settings: Callable[..., Settings]) -> Iterator[Configure]:
    """Configure the logs onto a stream; afterwards everything is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = structlog.get_config()

    def onto(**changes: Any) -> io.StringIO:
        stream = io.StringIO()
        configure_logs(make_settings(**{"log_level": "info", **changes}), stream)
        return stream

    yield onto
    root.handlers[:], root.level = handlers, level
    structlog.configure(**kept)
    structlog.contextvars.clear_contextvars()


def test_json_is_one_object_a_line(configure: Configure) -> None:
    stream = configure(log_format="json")
    log = structlog.get_logger("service.test")

    log.info("one", size=1)
    log.warning("two", name="ü")

    one, two = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (one["event"], one["level"], one["size"]) == ("one", "info", 1)
    assert (two["event"], two["level"], two["name"]) == ("two", "warning", "ü")
    assert one["timestamp"].endswith("Z")


def test_records_of_libraries_take_the_same_form(configure: Configure) -> None:
    stream = configure(log_format="json")

    logging.getLogger("library").warning("%s of %s", 1, 2)

    assert json.loads(stream.getvalue())["event"] == "1 of 2"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_value_can_forge_a_line_or_drive_a_terminal(
    configure: Configure, log_format: str
) -> None:
    stream = configure(log_format=log_format)

    structlog.get_logger("service.test").info("asked", filename=FORGERY)

    (line,) = stream.getvalue().splitlines()  # also splits at U+2028
    assert not set(line) & {"\r", "\x1b", "\x00", "\u2028"}


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_message_of_a_library_can_either(configure: Configure, log_format: str) -> None:
    stream = configure(log_format=log_format)

    logging.getLogger("library").warning("got %s", FORGERY)

    (line,) = stream.getvalue().splitlines()
    assert not set(line) & {"\r", "\x1b", "\x00", "\u2028"}


def test_ids_of_request_and_task_are_on_every_line(configure: Configure) -> None:
    stream = configure(log_format="json")
    structlog.contextvars.bind_contextvars(request_id="r1", task_id="t1")

    structlog.get_logger("service.test").info("ours")
    logging.getLogger("library").warning("theirs")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["request_id"], line["task_id"]) for line in lines] == [("r1", "t1")] * 2
    assert current_request_id() == "r1"


def test_outside_a_request_there_is_no_id(configure: Configure) -> None:
    structlog.contextvars.clear_contextvars()

    assert current_request_id() is None


def test_an_exception_stays_on_the_line_of_its_record(configure: Configure) -> None:
    stream = configure(log_format="json")
    log = structlog.get_logger("service.test")

    try:
        raise ValueError("broken\nin two")
    except ValueError:
        log.exception("failed")

    (line,) = stream.getvalue().splitlines()
    assert "ValueError: broken\nin two" in json.loads(line)["exception"]


@pytest.mark.parametrize(("level", "heard"), [("info", True), ("error", False)])
def test_what_is_below_the_level_is_not_written(
    configure: Configure, level: str, heard: bool
) -> None:
    stream = configure(log_format="json", log_level=level)

    structlog.get_logger("service.test").info("one")
    logging.getLogger("library").warning("two")

    assert bool(stream.getvalue()) is heard


@pytest.fixture(scope="module")
def line_of() -> Callable[[str], str]:
    """What the JSON form makes of a value."""
    from service.logs import _formatter

    formatter = _formatter(Settings(_env_file=None, log_format="json"))

    def make(value: str) -> str:
        record = logging.LogRecord("library", logging.WARNING, "x.py", 1, "%s", (value,), None)
        return formatter.format(record)

    return make


@given(value=st.text())
def test_any_text_comes_back_from_its_one_line(line_of: Callable[[str], str], value: str) -> None:
    line = line_of(value)

    assert len(line.splitlines()) == 1
    assert json.loads(line)["event"] == value


def test_a_server_takes_nothing_along_for_tracebacks_in_colour() -> None:
    program = (
        "import sys, service.cli, service.app, service.server\n"
        "print(*sorted({'rich', 'pygments'} & set(sys.modules)))\n"
        "import rich.console\n"  # and a command that draws still can
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (run.stdout, run.stderr) == ("\n", "")
