"""Ports of this machine for servers that are told theirs."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port below those that the system gives whoever asks for any: nobody takes it before the
    server does, nor while the server is stopped."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
