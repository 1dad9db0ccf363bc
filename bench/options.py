"""How long to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """`quick` proves that everything works; its figures are not to be quoted."""

    rounds: int
    quick: bool

    def seconds(self, usual: float) -> float:
        return min(usual, 1.0) if self.quick else usual


def in_turn(round_number: int, things: Sequence[T]) -> Sequence[T]:
    """Every second round goes backwards, so that nobody always comes after the same one."""
    return things if round_number % 2 == 0 else list(reversed(things))
