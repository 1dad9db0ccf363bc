"""Flow tests drive the real command line: processes that share a folder and outlive each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.flow.evidence import Start, name_database
from tests.pictures import encoded
from tests.servers import Process


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    """Start processes on the test's folder; keywords are settings. What still lives is killed."""
    name_database(tmp_path, database_url)
    started: list[Process] = []

    def start(module: str = "service", command: str = "serve", **settings: object) -> Process:
        changes = {f"PIXMILL_{name.upper()}": str(value) for name, value in settings.items()}
        started.append(Process(tmp_path, changes, module, command))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A JPEG of two megapixels, about a megabyte, that keeps a thread busy for a while."""
    channels = [Image.effect_noise((1600, 1200), 40) for _ in range(3)]
    return encoded(Image.merge("RGB", channels), "jpeg", quality=85)
