"""Python programs as processes of their own, without the second that their imports take.

Each is forked from one process that has imported what all of them need and no module of ours, so
whatever is changed before ours are imported, is. Libraries that look at the environment when they
are imported are left to the programs.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO

IMPORTED = [
    "aiofiles", "aiosmtplib", "alembic.command", "alembic.operations", "email_validator", "fastapi",
    "fastapi.middleware.cors", "httptools", "httpx", "PIL.Image", "PIL.ImageCms", "psycopg",
    "pydantic_settings", "pydantic.v1", "python_multipart", "rich.console", "sqlalchemy.orm",
    "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "standardwebhooks", "structlog",
    "typer", "uvicorn.protocols.http.httptools_impl", "uvloop",
]  # fmt: skip
LOG = "log"


def begin(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[str] | Forked:
    """Run `python -m <arguments>` in `folder`; its errors are added to the file `log` there."""
    # A program of its own is what a library is to be preloaded into, and what Celery's workers are:
    # these fork children themselves, and some did not end where they had been forked as well.
    if "LD_PRELOAD" not in environment and "worker" not in arguments:
        return Forked(arguments, folder, environment)
    command = [sys.executable, "-m", *arguments]
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )


class Forked:
    """A fork, in the manner of `subprocess.Popen`."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(IMPORTED)
        reader, writer = context.Pipe(duplex=False)
        given = (arguments, folder, environment, writer)
        self._process: ForkServerProcess = context.Process(target=_run, args=given, daemon=True)
        self._process.start()
        writer.close()
        self.stdout: TextIO = os.fdopen(os.dup(reader.fileno()))
        reader.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: Connection
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with Path(LOG).open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    os.dup2(output.fileno(), sys.stdout.fileno())
    output.close()
    sys.argv = [*arguments]
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
