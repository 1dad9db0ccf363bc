"""What parent and child say to each other: pickles, each with its length before it.

The child believes its parent and takes any pickle. The parent does not believe its child, which
reads files of strangers: it takes plain values, dataclasses, enumerations and exceptions, of
modules that it has loaded itself, and nothing else that a pickle could name and call.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
import sys
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

#: The length of what follows, in bytes.
HEAD = struct.Struct("!Q")
#: "Send the next value when you have it."
NEXT = b"next"


def packed(value: object) -> bytes:
    """A value as a frame. Raises whatever pickle raises at what it cannot take."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(body)) + body


def receive(connection: socket.socket) -> bytes:
    """The next frame's body. Raises: EOFError when the other side is gone."""
    (size,) = HEAD.unpack(_exactly(connection, HEAD.size))
    return bytes(_exactly(connection, size))


def _exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data


def data_of(body: bytes) -> Any:
    """The value of a child's frame. Raises: pickle.UnpicklingError at anything but data."""
    return _Data(io.BytesIO(body)).load()


class _Data(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A class that only holds values."""
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and (
            is_dataclass(found) or issubclass(found, (Enum, Exception))
        ):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no data")
