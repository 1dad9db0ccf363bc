"""The sweep removes what nobody will ever claim, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service.config import Settings
from service.kinds import KINDS
from service.migrations import migrate
from service.models import new_id
from service.runtime import Runtime, open_runtime
from service.upkeep import claim_folders, sweep

pytestmark = pytest.mark.anyio


async def _bytes() -> AsyncIterator[bytes]:
    yield b"a stored original"


async def _sweep(settings: Settings, store_first: bool) -> tuple[int, list[Path]]:
    """Open a runtime, perhaps store a file that no row knows, sweep, and look."""
    migrate(settings.database_url)
    async with open_runtime(settings, KINDS) as runtime:
        if store_first:
            await sweep(runtime)  # the folder becomes this database's while it is empty
            await runtime.uploads.put(new_id(), _bytes())
        removed = await sweep(runtime)
        return removed, _files(runtime)


def _files(runtime: Runtime) -> list[Path]:
    return [one for one in runtime.uploads.root.rglob("[0-9a-f]*") if one.is_file()]


async def test_a_file_that_no_row_knows_is_removed(make_settings: Callable[..., Settings]) -> None:
    assert await _sweep(make_settings(orphan_seconds=0), store_first=True) == (1, [])


async def test_folders_that_were_claimed_are_swept_though_they_have_filled_since(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(orphan_seconds=0)
    migrate(settings.database_url)
    async with open_runtime(settings, KINDS) as runtime:
        await claim_folders(runtime)
        await runtime.uploads.put(new_id(), _bytes())

        assert await sweep(runtime) == 1
        assert _files(runtime) == []


async def test_a_young_file_is_left_alone(make_settings: Callable[..., Settings]) -> None:
    removed, files = await _sweep(make_settings(orphan_seconds=3600), store_first=True)

    assert (removed, len(files)) == (0, 1)


async def test_full_folders_beside_a_new_database_are_left_alone(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    await _sweep(make_settings(orphan_seconds=3600), store_first=True)
    another = make_settings(orphan_seconds=0, database_url=f"sqlite:///{tmp_path}/another.db")

    removed, files = await _sweep(another, store_first=False)

    assert (removed, len(files)) == (0, 1)
