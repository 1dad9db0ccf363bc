"""An engine wakes the runner. The rows say what there is to do; an engine may forget anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Engine(Protocol):
    """The port."""

    async def start(self) -> None:
        """Begin: rescue what dead workers left, then look for due tasks."""
        ...

    def submit(self, ids: Sequence[str]) -> None:
        """Say that these tasks are committed. Quick; never raises; may be lost without harm."""
        ...

    async def drain(self, seconds: float) -> None:
        """Claim no more, and wait up to `seconds` for what runs."""
        ...

    async def stop(self) -> None:
        """Give back what still runs, and end."""
        ...

    async def worn_out(self) -> None:
        """Return when this process should be replaced by a fresh one; perhaps never."""
        ...
