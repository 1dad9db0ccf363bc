"""`render` as a function whose every value can travel: for a thread or a child process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.imaging.pipeline import Rendered, render
from service.imaging.presets import Recipe
from service.imaging.probe import Probe


@dataclass(frozen=True)
class Step:
    """A variant made, and what it took."""

    variant: Rendered
    #: Stage, format and seconds of each stage since the step before; see `pipeline.Observe`.
    stages: tuple[tuple[str, str, float], ...]


def steps(
    source: Path, probe: Probe, recipes: Sequence[Recipe], watermarks: Path | None = None
) -> Iterator[Step]:
    """Make the variants, largest first. Raises: as `render`."""
    stages: list[tuple[str, str, float]] = []

    def observe(stage: str, fmt: str, seconds: float) -> None:
        stages.append((stage, fmt, seconds))

    for variant in render(source, probe, recipes, watermarks=watermarks, observe=observe):
        yield Step(variant, tuple(stages))
        stages.clear()
