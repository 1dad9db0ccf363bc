"""Says that a handler has begun: one system call, the same for everybody."""

import os
import struct
import time

_PIPE = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY)


def mark() -> None:
    """Write the time, in seconds of the machine's monotonic clock, which all processes share."""
    os.write(_PIPE, struct.pack("d", time.monotonic()))
