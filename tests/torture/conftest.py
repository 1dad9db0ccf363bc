"""Torture: each round is a test of its own; what the rounds found is summed up in a ledger.

The default suite has one round of each. `make torture` has ten, and prints the ledger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from tests.flow.conftest import photo, start
from tests.torture.ledger import CLEAN, Account

__all__ = ["photo", "start"]

OPTION = "--rounds"
PROPERTY = "ledger"

#: Enter a round in the ledger, and hold it to be clean.
Enter = Callable[[str, Account], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, type=int, default=1, help="Rounds of each torture; prints a ledger.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `number` is run as often as there are rounds."""
    if "number" in metafunc.fixturenames:
        rounds = metafunc.config.getoption(OPTION, 1)
        metafunc.parametrize("number", range(rounds), ids=lambda number: f"round{number}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A single round is on SQLite alone: the steps are the same, and the default suite is short."""
    if config.getoption(OPTION, 1) == 1:
        dropped = [one for one in items if "torture" in one.nodeid and "postgresql" in one.name]
        items[:] = [one for one in items if one not in dropped]
        config.hook.pytest_deselected(items=dropped)


@pytest.fixture
def enter(record_property: Callable[[str, object], None]) -> Enter:
    def enter(torture: str, found: Account) -> None:
        counts = {one.name: len(getattr(found, one.name)) for one in fields(found)}
        record_property(PROPERTY, {"torture": torture, **counts})
        assert found == CLEAN

    return enter


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the ledger, one line a torture, where rounds were asked for."""
    if config.getoption(OPTION, 1) == 1:
        return
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for report in _all_reports(terminalreporter):
        for name, entry in report.user_properties:
            if name == PROPERTY and isinstance(entry, dict):
                counts = {key: entry[key] for key in entry if key != "torture"}
                sums[entry["torture"]].update(counts, rounds=1)
    names = ["rounds", *(one.name for one in fields(Account))]
    terminalreporter.section("ledger")
    terminalreporter.write_line(f"{'':34}" + "".join(f"{name:>8}" for name in names))
    for torture, counts in sorted(sums.items()):
        cells = "".join(f"{counts[name]:>8}" for name in names)
        terminalreporter.write_line(f"{torture:34}{cells}")


def _all_reports(terminalreporter: Any) -> list[pytest.TestReport]:
    ended = ("passed", "failed")
    return [one for outcome in ended for one in terminalreporter.stats.get(outcome, [])]
