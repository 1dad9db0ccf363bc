"""What tells the living from the dead."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol

from service.models import new_id


class Liveness(Protocol):
    """The port: alive from its making until `close` or the end of the process."""

    @property
    def worker(self) -> str:
        """This worker's name, which no other ever had."""
        ...

    def dead(self, workers: Iterable[str]) -> list[str]:
        """Those of `workers` that have certainly ended; never this one."""
        ...

    def close(self) -> None:
        """End this worker's life in the eyes of the others."""
        ...


def new_name() -> str:
    """A name for a worker: machine, process, and what makes it the only one."""
    return f"{os.uname().nodename[:24]}-{os.getpid()}-{new_id()[-8:]}"
