"""The house keeps its own rules: who imports whom, and how long a piece may be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "service").rglob("*.py"))
#: A schema's version is one long list, and is never touched again.
WRITTEN = [path for path in MODULES if path.parent.name != "versions"]
#: Lines a module may have, and those that may have more, with how many.
MODULE_LINES = 300
LONGER = {"service/models.py": 320}
FUNCTION_LINES = 45

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def test_the_import_rules_are_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout + found.stderr
    assert " 0 broken" in found.stdout


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_too_long(path: Path) -> None:
    lines = len(path.read_text().splitlines())

    assert lines <= LONGER.get(name_of(path), MODULE_LINES)


@pytest.mark.parametrize("name", LONGER)
def test_only_what_is_too_long_is_excepted(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) > MODULE_LINES


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_no_function_is_too_long(path: Path) -> None:
    lengths = {one.name: (one.end_lineno or 0) - one.lineno + 1 for one in functions(path)}

    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


#: The settings read it; a library that is told by an environment variable is told in one place.
READERS = ("service/config.py", "service/shared_metrics.py")


@pytest.mark.parametrize(
    "path", [path for path in MODULES if name_of(path) not in READERS], ids=name_of
)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    read = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]

    assert read == []
