"""Which workers are alive: what their processes hold is let go with them, however they end.

So a worker that restarts can tell at once what its dead predecessor left behind, without waiting
for leases to run out and without ever touching what a living sibling on the same database runs.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from service.tasks.engines.liveness.base import Liveness
from service.tasks.engines.liveness.files import FileLocks

__all__ = ["FileLocks", "Liveness", "open_liveness"]


def open_liveness(database_url: str) -> Liveness:
    """This process's life, told in the way that all workers of that database can see."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return FileLocks(Path(f"{url.database or 'pixmill'}.workers"))
    from service.tasks.engines.liveness.advisory import AdvisoryLocks  # it needs the driver

    return AdvisoryLocks(database_url)
