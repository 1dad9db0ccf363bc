"""`pixmill backfill` beside a service: what a changed preset made stale is made anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.flow.evidence import Start, in_database, query, upload
from tests.pictures import picture_bytes
from tests.servers import finished, until

OLD = '[card]\noperations = [{op = "resize", width = 40}]\n'
NEW = '[card]\noperations = [{op = "resize", width = 60}]\n[icon]\noperations = []\n'
IMAGES = 3
REFRESHES = "SELECT count(*) FROM tasks WHERE kind = 'image.refresh'"


@pytest.fixture
def images(start: Start, tmp_path: Path) -> list[str]:
    """Images whose preset has been changed since they were made; no service runs."""
    presets = tmp_path / "presets.toml"
    presets.write_text(OLD)
    process = start(presets=presets)
    uploaded = [upload(process.client, picture_bytes(size=(96, 60 + n))) for n in range(IMAGES)]
    for image in uploaded:
        finished(process.client, f"/images/{image['id']}", ("ready",))
    assert process.terminate() == 0
    presets.write_text(NEW)
    return [image["id"] for image in uploaded]


def test_what_is_stale_is_served_until_its_successor_is_recorded(
    start: Start, tmp_path: Path, images: list[str]
) -> None:
    api = start(engine="none", presets=tmp_path / "presets.toml")
    assert [card(api.client, image)["stale"] for image in images] == [True] * IMAGES
    old = {image: variant(api.client, image) for image in images}
    told = backfilled(tmp_path, "--preset", "card", "--dry-run")
    assert re.match(rf"{IMAGES} images, {IMAGES} variants, about \d+ KiB, about \d+ s", told), told
    assert query(tmp_path, REFRESHES) == [0]

    with backfilling(tmp_path) as filling:
        until(lambda: query(tmp_path, REFRESHES) == [IMAGES], "the tasks")
        filling.kill()
    assert {image: variant(api.client, image) for image in images} == old
    with backfilling(tmp_path) as again:
        start(command="worker", presets=tmp_path / "presets.toml")
        assert again.wait(30) == 0

    for image in images:
        document = api.client.get(f"/images/{image}").json()
        assert document["status"] == "ready"
        assert [one["name"] for one in document["variants"]] == ["card", "icon"]
        assert [one["stale"] for one in document["variants"]] == [False, False]
        assert card(api.client, image)["width"] == 60
        assert len(variant(api.client, image)) == card(api.client, image)["size_bytes"]
    assert "Every image has these variants" in backfilled(tmp_path)
    # One that was ready between the look and the task is found ready by the task.
    results = query(tmp_path, "SELECT result FROM tasks WHERE kind = 'image.refresh'")
    assert sum("card" in str(result) for result in results) == IMAGES, "and none of them twice"


def test_a_failure_is_told_and_what_was_replaced_goes_a_while_later(
    start: Start, tmp_path: Path, images: list[str]
) -> None:
    (original,) = (tmp_path / "uploads").glob(f"*/{images[0]}")
    original.unlink()
    for file in cards(tmp_path):
        os.utime(file, (0, 0))
    api = start(presets=tmp_path / "presets.toml")

    with backfilling(tmp_path, "--preset", "card") as filling:
        said, _ = filling.communicate(timeout=30)

    assert filling.returncode == 1
    assert "1 images failed" in said
    assert [card(api.client, image)["stale"] for image in images] == [True, False, False]
    assert variant(api.client, images[0])
    assert len(cards(tmp_path)) == 2 * IMAGES - 1, "answers that found the old rows go on"
    due = text("UPDATE tasks SET run_at = created_at WHERE kind = 'image.discard' RETURNING id")
    assert len(in_database(api, lambda session: session.scalars(due).all())) == IMAGES - 1
    until(lambda: len(cards(tmp_path)) == IMAGES, "the removal of what was replaced")
    assert sum(file.stat().st_mtime == 0 for file in cards(tmp_path)) == 1, "that nothing replaced"


def test_a_preset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "presets.toml").write_text(NEW)
    with backfilling(tmp_path, "--preset", "nix") as filling:
        _, said = filling.communicate(timeout=30)

    assert filling.returncode == 2
    assert said == "There is no preset 'nix'; there is card, icon.\n"


def backfilling(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if "PIXMILL" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "service", "backfill", *arguments],
        cwd=folder,
        env=clean
        | {
            "PIXMILL_PRESETS": str(folder / "presets.toml"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def backfilled(folder: Path, *arguments: str) -> str:
    """What the command says, once it has done all."""
    with backfilling(folder, *arguments) as filling:
        said, errors = filling.communicate(timeout=30)
    assert filling.returncode == 0, errors
    return said


def card(client: httpx.Client, image_id: str) -> dict[str, Any]:
    variants = client.get(f"/images/{image_id}").json()["variants"]
    found: dict[str, Any] = next(one for one in variants if one["name"] == "card")
    return found


def variant(client: httpx.Client, image_id: str) -> bytes:
    return client.get(f"/images/{image_id}/variants/card").raise_for_status().content


def cards(folder: Path) -> list[Path]:
    return list((folder / "processed").glob("*/*/card.*"))
