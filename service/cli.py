"""The commands `pixmill serve`, `migrate`, `doctor` and `upload`."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console

from service import __version__
from service.config import Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=f"Pixmill {__version__}: image uploads, turned into variants by durable tasks.",
)

#: What a stop waits for open requests, in seconds, before the engine drains.
REQUEST_GRACE_SECONDS = 10


@cli.command(epilog="Every setting is an environment variable as well: see `pixmill settings`.")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: a free one.")] = None,
    engine: Annotated[
        bool | None, typer.Option("--engine/--no-engine", help="Work tasks in this process.")
    ] = None,
) -> None:
    """Start the API and, unless told otherwise, the engine that works its tasks."""
    from service.app import create_app
    from service.logs import configure_logs
    from service.protocol import BoundedProtocol
    from service.runtime import check

    chosen = {"host": host, "port": port}
    if engine is not None:
        chosen["engine"] = "embedded" if engine else "none"
    settings = _settings(**chosen)
    try:
        check(settings)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for a person
        raise typer.Exit(2) from None
    configure_logs(settings)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        http=BoundedProtocol,
        ws="none",
        timeout_graceful_shutdown=REQUEST_GRACE_SECONDS,
    )
    # What is imported by now stays for good: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    # The server raises the signal again once it has stopped in good order: that is the end we
    # asked for, not a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = _server(config, settings)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise typer.Exit(3)


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date (`serve` does so by itself)."""
    from service.database import without_password
    from service.migrations import migrate as bring_up_to_date

    settings = _settings()
    try:
        bring_up_to_date(settings.database_url)
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - for a person
        raise typer.Exit(1) from None
    database = without_password(settings.database_url)
    Console().print(f"The database {database} is up to date.", highlight=False, soft_wrap=True)


@cli.command()
def settings() -> None:
    """List every setting with its environment variable, its value now and what it means."""
    from rich.table import Table

    from service.database import without_password

    now = _settings()
    now = now.model_copy(update={"database_url": without_password(now.database_url)})
    table = Table("variable", "value", "meaning")
    for name, field in Settings.model_fields.items():
        table.add_row(f"PIXMILL_{name.upper()}", str(getattr(now, name)), field.description)
    Console().print(table)


@cli.command()
def doctor() -> None:
    """Check this installation: folders, database, codecs, fast resampling."""
    from service.doctor import examine

    console = Console()
    findings = examine(_settings())
    for finding in findings:
        mark = "[green]ok[/]  " if finding.is_well else "[red]bad[/] "
        console.print(f"{mark} {finding.what}: {finding.detail}", highlight=False)
    raise typer.Exit(0 if all(finding.is_well for finding in findings) else 1)


@cli.command()
def upload(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    server: Annotated[str, typer.Option(help="Where Pixmill answers.")] = "http://127.0.0.1:8000",
    preset: Annotated[list[str] | None, typer.Option(help="Preset to make; repeatable.")] = None,
) -> None:
    """Upload files and wait until their variants are ready."""
    from service.client import upload_all

    raise typer.Exit(0 if upload_all(server, files, preset or []) else 1)


class _Server(uvicorn.Server):
    """A server that tells a person at a terminal where it answers."""

    greets = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then greet."""
        await super().startup(sockets)
        if self.started and self.greets:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(_greeting(f"http://{host}:{port}"), flush=True)  # noqa: T201 - for a person


def _server(config: uvicorn.Config, settings: Settings) -> uvicorn.Server:
    server = _Server(config)
    server.greets = settings.log_format == "text"
    return server


def _greeting(url: str) -> str:
    return f"""
  Pixmill {__version__} answers at {url}
    API      {url}/docs
    metrics  {url}/metrics
    try      curl -F file=@photo.jpg {url}/images
"""


def _settings(**chosen: Any) -> Settings:
    """The settings, what the command line chose above all; a wrong one ends the program."""
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        for one in error.errors():
            name = "PIXMILL_" + "_".join(str(part) for part in one["loc"]).upper()
            print(f"{name}: {one['msg']}", file=sys.stderr)  # noqa: T201 - for a person
        raise typer.Exit(2) from None
