"""Which database a URL names: `sqlite:///path` or `postgresql://user:password@host/name`."""

from __future__ import annotations

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from service.database import postgresql, sqlite
from service.database.base import Backend

BACKENDS: dict[str, Backend] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
    "postgres": postgresql,
}
#: Threads that read; a read is short, so a few serve many requests.
READERS = 3


def check_url(url: str) -> None:
    """Raises: ValueError when `url` names no database that can be used here."""
    parsed = _parsed(url)
    backend_of(url).check(parsed)
    if not parsed.database:
        raise ValueError("PIXMILL_DATABASE_URL names no database: sqlite:///path or …host/name")


def backend_of(url: str) -> Backend:
    """The kind of database at `url`. Raises: ValueError for one that is not known here."""
    name = _parsed(url).get_backend_name()
    if name not in BACKENDS:
        raise ValueError("PIXMILL_DATABASE_URL must begin with sqlite:// or postgresql://")
    return BACKENDS[name]


def open_engine(url: str) -> Engine:
    """An engine for writers and readers. Raises: ValueError when `url` cannot be used."""
    check_url(url)
    backend = backend_of(url)
    return backend.open_engine(_parsed(url), backend.WRITERS + READERS)


def without_password(url: str) -> str:
    """The URL as it may be shown: no password, neither before the host nor in the query."""
    try:
        parsed = _parsed(url)
    except ValueError:
        return "***"
    secret = [name for name in parsed.query if "password" in name]
    return parsed.update_query_dict(dict.fromkeys(secret, "***")).render_as_string(
        hide_password=True
    )


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # without the URL, which may hold a password
        raise ValueError(
            "PIXMILL_DATABASE_URL must look like sqlite:///path or postgresql://user@host/name"
        ) from None
