"""The words that labels may have are those of the rest of the code."""

from __future__ import annotations

from typing import get_args

from service import config, labels
from service.imaging import presets
from service.tasks import Priority
from service.tasks.words import FINAL


def test_every_format_is_counted_from_the_start() -> None:
    assert set(labels.SOURCE_FORMATS) == set(get_args(config.Format))
    assert set(labels.OUTPUT_FORMATS) == set(get_args(presets.Format))


def test_tasks_are_counted_by_their_own_words() -> None:
    assert set(labels.PRIORITIES) == {priority.name.lower() for priority in Priority}
    assert set(labels.FINAL) == set(FINAL)
