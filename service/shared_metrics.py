"""Metrics that several processes count together, in files of a folder they share.

The metrics library is told by an environment variable, and looks at it when it is imported: so
this module imports nothing of it, and is asked first. Source: its documentation, "multiprocess
mode".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_metrics() -> Iterator[Path]:
    """A folder for as long as those processes run."""
    with TemporaryDirectory(prefix="pixmill-metrics-") as folder:
        os.environ[_VARIABLE] = folder
        yield Path(folder)


def are_shared() -> bool:
    """Whether other processes count with this one."""
    return _VARIABLE in os.environ
