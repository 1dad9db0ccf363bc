"""Several processes behind one port, each a whole service on the same database and folders.

The parent does nothing but look after them: it holds a listening socket for each, hands the
signals on, and starts a process anew when one ends unasked. The system shares the connections
out among the sockets; a socket outlives its process, so whoever has connected meanwhile waits for
the next one and is not refused.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from service.isolation.limits import die_with
from service.logs import logger

log = logger(__name__)

#: Exit code of a process that never came to serve: another try would end the same way.
NOT_STARTED = 3
#: Pause before a process is started anew, in seconds: one that dies at once must not spin.
RESTART_SECONDS = 1.0
#: Connections that may wait to be accepted.
BACKLOG = 2048
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

#: Serves on a socket until it is told to stop, and returns an exit code; the first one greets.
Serve = Callable[[socket.socket, bool], int]


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """That many sockets on one address; port 0 becomes one free port for all.

    Raises: OSError when the address cannot be had.
    """
    sockets: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(count):
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, port))
        one.listen(BACKLOG)
        port = one.getsockname()[1]
        sockets.append(one)
    return sockets


def run(
    sockets: Sequence[socket.socket],
    serve: Serve,
    forget: Callable[[int], object] = lambda _: None,
) -> int:
    """Serve on every socket in a process of its own until a signal says stop.

    Call it before any thread exists: the processes are forks. `forget` is told the id of each
    that has ended. Returns the fleet's exit code: 0 after a stop that was asked for, NOT_STARTED
    when a process could not begin to serve.
    """
    # Blocked, signals wait in a queue for `sigwait`: no handler, and none comes at a bad moment.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    running = {_start(one, serve, greets=one is sockets[0]): one for one in sockets}
    code, stopping = 0, False
    while running:
        if signal.sigwait(_SIGNALS) != signal.SIGCHLD:
            stopping = _stop(running)
        for pid, ended_with in _ended():
            if pid not in running:  # a dead process's child, which a container gives to its first
                continue
            freed = running.pop(pid)
            forget(pid)
            if ended_with == NOT_STARTED:
                code, stopping = NOT_STARTED, _stop(running)
            elif not stopping:
                log.error("process_ended", pid=pid, code=ended_with)
                time.sleep(RESTART_SECONDS)
                running[_start(freed, serve, greets=False)] = freed
    return code


def _start(own: socket.socket, serve: Serve, *, greets: bool) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    die_with(parent, signal.SIGTERM)
    code = 1
    try:
        code = serve(own, greets)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # what stands below on the stack is the parent's


def _stop(pids: Iterable[int]) -> bool:
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    return True


def _ended() -> Iterator[tuple[int, int]]:
    """The processes that have ended since the last look, with their exit codes."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)
