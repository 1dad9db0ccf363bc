"""Ids that are ordered by time, and the time itself."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from datetime import UTC, datetime

_SECRET = os.urandom(32)
_COUNT = itertools.count()


def new_id() -> str:
    """A fresh id: 32 hexadecimal digits, ordered by time, not to be guessed.

    Source: RFC 9562, UUID version 7 (48 bits of milliseconds, 74 random bits). The random bits
    are a keyed hash of a counter: as good as the system's, without a system call for each.
    """
    counted = f"{os.getpid()}.{next(_COUNT)}".encode()
    noise = hashlib.blake2b(counted, key=_SECRET, digest_size=10).digest()
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(noise, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


def first_id(at: datetime) -> str:
    """An id that is less than any made at that time or later, and greater than all before."""
    return f"{max(0, int(at.timestamp() * 1000)) << 80:032x}"


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)
