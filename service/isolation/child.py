"""The child's side: `python -m service.isolation.child DESCRIPTOR PARENT MEMORY MODULE…`.

It loads the modules, bounds itself, says that it is ready, and then serves one call after another
until its connection is closed. A call is a function that yields values; each value is sent when
the parent asks for it, while the function is already at the next one.
"""

from __future__ import annotations

import faulthandler
import importlib
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress

from service.isolation import limits
from service.isolation.calls import Call, Done, Raised, Value
from service.isolation.frames import packed, receive


def main(descriptor: int, parent: int, memory_bytes: int, *modules: str) -> None:
    """Serve the parent at the other end of `descriptor` for as long as it wants."""
    limits.die_with(parent)
    for ours in (signal.SIGINT, signal.SIGTERM):  # the whole group's; the parent drains first
        signal.signal(ours, signal.SIG_IGN)
    faulthandler.enable()
    limits.be_modest()
    limits.keep_memory()
    for name in modules:
        importlib.import_module(name)
    limits.bound(memory_bytes)
    with (
        socket.socket(fileno=descriptor) as connection,
        suppress(EOFError, BrokenPipeError, ConnectionResetError),
    ):
        connection.sendall(packed(Done()))
        while True:
            _serve(connection, receive(connection))


def _serve(connection: socket.socket, call: bytes) -> None:
    for answer in _carried_out(call):
        receive(connection)
        connection.sendall(answer)
    limits.give_back_memory()


def _carried_out(body: bytes) -> Iterator[bytes]:
    """The answers to a call as frames, one more only after the one before was sent."""
    try:
        call: Call = pickle.loads(body)  # noqa: S301 - our parent's
        limits.allow_cpu(call.seconds)
        for value in call.function(*call.args, **call.kwargs):
            yield packed(Value(value))
        last: Done | Raised = Done()
    except MemoryError:
        last = Raised(MemoryError())  # the frames that hold the memory are let go
    except Exception as error:  # noqa: BLE001 - it belongs to the parent
        last = Raised(_portable(error))
    yield packed(last)


def _portable(error: Exception) -> Exception:
    """The error with its traceback as text, or its name and message where it cannot travel."""
    trace = f"In the child process:\n{''.join(traceback.format_exception(error))}"
    error.add_note(trace)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever its constructor dislikes
        error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(trace)
    return error


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
