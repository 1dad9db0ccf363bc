"""Which URLs name a database, and how one is shown."""

from __future__ import annotations

import subprocess
import sys

import pytest

from service.database import backend_of, check_url, postgresql, sqlite, without_password


@pytest.mark.parametrize(
    ("url", "backend"),
    [
        ("sqlite:///data/pixmill.db", sqlite),
        ("postgresql://me@host/pixmill", postgresql),
        ("postgres://me@host/pixmill", postgresql),
        ("postgresql+psycopg://me@host:5433/pixmill?sslmode=require", postgresql),
    ],
)
def test_urls_of_both_databases_are_taken(url: str, backend: object) -> None:
    check_url(url)

    assert backend_of(url) is backend


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pixmill.db",
        "sqlite://",
        "mysql://me:hunter2@host/pixmill",
        "postgresql+asyncpg://me:hunter2@host/pixmill",
        "postgresql://me:hunter2@host",
        "postgresql://me:hunter2@host:port/pixmill",
    ],
)
def test_others_are_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="PIXMILL_DATABASE_URL") as refused:
        check_url(url)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data/pixmill.db", "sqlite:///data/pixmill.db"),
        ("postgresql://me:hunter2@host/pixmill", "postgresql://me:***@host/pixmill"),
        ("postgresql://host/pixmill?password=hunter2", "postgresql://host/pixmill?password=***"),
        ("postgresql://host/pixmill?sslpassword=x", "postgresql://host/pixmill?sslpassword=***"),
        ("me:hunter2@host", "***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url).replace("%2A", "*") == shown


def test_without_the_driver_the_extra_is_named() -> None:
    """In a process of its own, where the driver cannot be found."""
    check = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from service.database import check_url\n"
        "check_url('sqlite:///x')\n"
        "check_url('postgresql://me:hunter2@host/pixmill')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )

    assert "install pixmill[postgres]" in done.stderr
    assert "hunter2" not in done.stderr


def test_sqlite_alone_loads_no_driver() -> None:
    check = (
        "import sys\n"
        "import service.app, service.tasks.engines.liveness as liveness, service.database as d\n"
        "d.check_url('sqlite:///x')\n"
        "assert 'psycopg' not in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", check], check=True)
