"""Nobody works here: tasks wait for another process that shares the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class NoEngine:
    """Implements Engine by doing nothing."""

    async def start(self) -> None:
        """Nothing to begin."""

    def submit(self, ids: Sequence[str]) -> None:
        """Nothing to wake."""

    async def drain(self, seconds: float) -> None:
        """Nothing runs."""

    async def stop(self) -> None:
        """Nothing to end."""

    async def worn_out(self) -> None:
        """It never is."""
        await asyncio.Event().wait()
