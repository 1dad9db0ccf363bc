"""A port for the metrics that several processes count together, where none of them answers others.

Source: the metrics library's documentation, "multiprocess mode".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


def serve_metrics(host: str, port: int, folder: Path) -> str:
    """Serve what is counted in a folder, from a thread of this process; return the URL.

    Raises: OSError when the address cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(_Together(folder))
    server, _ = start_http_server(port, host, registry)
    return f"http://{host}:{server.server_port}"


class _Together:
    """All processes that ever counted there; of gauges, those that live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """Forget what the dead were doing, then add up."""
        for file in self._folder.glob("gauge_live*.db"):
            pid = int(file.stem.rpartition("_")[2])
            if not Path(f"/proc/{pid}").exists():
                mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
        yield from self._processes.collect()  # type: ignore[no-untyped-call]
