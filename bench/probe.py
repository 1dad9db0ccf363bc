"""What other visitors feel meanwhile: small requests at a steady pace, from a process of their own.

`python -m bench.probe PORT PROBE…` sends until its standard input ends, then prints the times.
While an answer is late nothing else is sent, but those who would have come meanwhile are counted,
each with the rest of the same wait: a server that stalls for a second is not excused by having
been asked only once in it.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from bench.places import PROJECT

ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Probe:
    """A request sent `per_second` times; `{n}` in its path makes every one new."""

    name: str
    method: str
    path: str
    per_second: float


@dataclass
class Felt:
    """Milliseconds of each answer, and how many answers were wrong."""

    ms: list[float] = field(default_factory=list)
    errors: int = 0


@contextmanager
def probing(port: int, probes: list[Probe]) -> Iterator[dict[str, Felt]]:
    """Probe while the body runs; what was felt is there when it is over."""
    words = [json.dumps(asdict(probe)) for probe in probes]
    command = [sys.executable, "-m", "bench.probe", str(port), *words]
    felt: dict[str, Felt] = {}
    process = subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield felt
        printed, _ = process.communicate("", timeout=2 * ANSWER_SECONDS)
        felt.update({name: Felt(**figures) for name, figures in json.loads(printed).items()})
    finally:
        process.kill()
        process.wait()


def main() -> None:
    port, probes = int(sys.argv[1]), [Probe(**json.loads(word)) for word in sys.argv[2:]]
    felt = {probe.name: Felt() for probe in probes}
    stop = threading.Event()
    threads = [
        threading.Thread(target=_send, args=(port, probe, felt[probe.name], stop))
        for probe in probes
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({name: asdict(figures) for name, figures in felt.items()}))


def _send(port: int, probe: Probe, felt: Felt, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    due, run = time.perf_counter(), time.time_ns()
    for number in range(sys.maxsize):
        if stop.wait(max(0.0, due - time.perf_counter())):
            break
        start = time.perf_counter()  # not when it was due: waking late is not the server's fault
        if not _is_answered(connection, probe.method, probe.path.format(n=f"{run}-{number}")):
            felt.errors += 1
        end = time.perf_counter()
        felt.ms.append((end - start) * 1e3)
        due = start + 1 / probe.per_second
        while due < end:
            felt.ms.append((end - due) * 1e3)
            due += 1 / probe.per_second
    connection.close()


def _is_answered(connection: http.client.HTTPConnection, method: str, path: str) -> bool:
    try:
        connection.request(method, path)
        response = connection.getresponse()
        response.read()
        return response.status < 300
    except (OSError, http.client.HTTPException):
        connection.close()
        return False


if __name__ == "__main__":
    main()
