"""Addresses that only a holder of the key can make: HMAC-SHA256 over path and query.

What is signed is the address as it stands before `s`, the last parameter, byte by byte: nothing is
sorted or decoded, so whoever signs need not know how. Source: RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl

#: The shortest key that is taken, in characters.
MIN_KEY = 32


def sign(key: str, address: str, expires: int | None = None) -> str:
    """The address, which may have a query, with its signature; valid until `expires`, in seconds
    since 1970, if given."""
    if expires is not None:
        address = f"{address}{_joint(address)}e={expires}"
    return f"{address}{_joint(address)}s={_signature(key, address)}"


def is_signed(keys: Sequence[str], path: str, query: str) -> bool:
    """Whether the query ends in a signature of all before it, by one of the keys."""
    before, _, given = f"{path}?{query}".rpartition("s=")
    if not before or before[-1] not in "?&":
        return False
    made = (_signature(key, before[:-1]) for key in keys)
    # In a time that does not tell how much of it was right.
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in made)


def has_expired(query: str, now: float) -> bool:
    """Whether the query names a time that has passed, or one that is none."""
    named = [value for name, value in parse_qsl(query) if name == "e"]
    return any(not value.isdecimal() or int(value) < now for value in named)


def check_keys(keys: Sequence[str]) -> None:
    """Raises: ValueError for a key that could be guessed."""
    if any(len(key) < MIN_KEY for key in keys):
        raise ValueError(f"A key of PIXMILL_RENDER_KEY has fewer than {MIN_KEY} characters.")


def _signature(key: str, address: str) -> str:
    return hmac.new(key.encode(), address.encode(), hashlib.sha256).hexdigest()


def _joint(address: str) -> str:
    return "&" if "?" in address else "?"
