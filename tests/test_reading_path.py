"""The README's way through the code: it exists, holds together, and is as short as it says."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Stop:
    """One file of the way and the names to follow in it."""

    path: str
    names: tuple[str, ...]

    @property
    def source(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    def functions(self) -> dict[str, Function]:
        found = (node for node in ast.walk(ast.parse(self.source)) if isinstance(node, Function))
        return {node.name: node for node in found}

    def mentions(self, other: Stop) -> bool:
        """Whether a reader of this file meets a name of the other's, or its path."""
        words = set(re.findall(r"\w+", self.source))
        return not words.isdisjoint(other.names) or other.path.removeprefix("service/") in (
            self.source
        )


def _way() -> list[Stop]:
    rows = re.findall(r"^\| \[(service/[\w/]+\.py)\]\(([\w/.]+)\) \| (.+?) \|", README, re.M)
    assert all(shown == link for shown, link, _ in rows)
    return [Stop(path, tuple(re.findall(r"`(\w+)`", names))) for path, _, names in rows]


WAY = _way()


def _promised(pattern: str) -> int:
    found = re.search(pattern, README)
    assert found, f"the README does not say {pattern!r}"
    return int(found[1].replace(",", ""))


def test_the_way_leads_from_the_application_to_the_encoder() -> None:
    assert WAY[0].path == "service/app.py"
    assert WAY[-1].path == "service/imaging/encode.py"
    assert "encode" in WAY[-1].names


@pytest.mark.parametrize("stop", WAY, ids=lambda stop: stop.path)
def test_the_names_to_follow_are_functions_of_their_file(stop: Stop) -> None:
    assert stop.names
    assert set(stop.names) <= set(stop.functions())


@pytest.mark.parametrize("at", range(1, len(WAY)), ids=lambda at: WAY[at].path)
def test_each_file_is_met_in_one_before_it(at: int) -> None:
    assert any(stop.mentions(WAY[at]) for stop in WAY[:at])


def test_the_files_are_no_longer_than_promised() -> None:
    lines = sum(len(stop.source.splitlines()) for stop in WAY)

    assert lines <= _promised(r"at most ([\d,]+) lines together")


def test_the_names_are_no_longer_than_promised() -> None:
    functions = [stop.functions()[name] for stop in WAY for name in stop.names]
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions)

    assert lines <= _promised(r"those names at most ([\d,]+)")


def test_the_line_that_encodes_is_the_one_quoted() -> None:
    source = WAY[-1].source

    assert 'flattened(image).save(file, "JPEG",' in README
    assert 'flattened(image).save(file, "JPEG",' in source
