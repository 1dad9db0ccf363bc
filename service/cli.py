"""The commands `pixmill serve`, `worker`, `migrate`, `settings`, `doctor`, `upload`, …"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from service import __version__
from service.config import Settings
from service.errors import ServiceError
from service.shared_metrics import shared_metrics

_GREETING = """
  Pixmill {0} works for Celery and answers at {1}
    metrics  {1}/metrics
"""

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=f"Pixmill {__version__}: image uploads, turned into variants by durable tasks.",
)


@cli.command(epilog="Every setting is an environment variable as well: see `pixmill settings`.")
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes behind the port.")] = None,
    engine: Annotated[
        bool | None, typer.Option("--engine/--no-engine", help="Work tasks in these processes.")
    ] = None,
) -> None:
    """Start the API and, unless told otherwise, the engine that works its tasks."""
    chosen = {"host": host, "port": port, "workers": workers}
    if engine is not None:
        chosen["engine"] = "embedded" if engine else "none"
    _serve(_settings(**chosen), "create_app")


@cli.command(epilog="Every setting is an environment variable as well: see `pixmill settings`.")
def worker(
    host: Annotated[str | None, typer.Option(help="Address of its health and metrics.")] = None,
    port: Annotated[int, typer.Option(help="Port of its health and metrics; 0: a free one.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that work.")] = None,
    engine: Annotated[
        Literal["embedded", "celery"] | None, typer.Option(help="Who hands out the tasks.")
    ] = None,
    lane: Annotated[
        Literal["pixels", "light"] | None, typer.Option(help="Celery: work only this lane.")
    ] = None,
) -> None:
    """Work tasks beside `pixmill serve --no-engine`: no API but health, readiness and metrics.

    With Celery: one of its workers beside `pixmill serve`, and metrics alone.
    """
    chosen = {"host": host, "port": port, "workers": workers, "engine": engine}
    settings = _settings(**chosen)
    if settings.engine == "celery":
        _work_for_celery(settings, lane)
    else:
        _serve(settings.model_copy(update={"engine": "embedded"}), "create_worker_app")


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date (`serve` does so by itself)."""
    from rich.console import Console

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
    from rich.console import Console
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
    from rich.console import Console

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


@cli.command()
def sign(
    address: Annotated[str, typer.Argument(help="'/images/…/render?w=…', without the server.")],
    expires: Annotated[
        int | None, typer.Option(min=1, help="Seconds after which it is refused.")
    ] = None,
) -> None:
    """Print the address of a render with its signature, by `PIXMILL_RENDER_KEY`."""
    from service.signing import sign as signed

    settings = _settings()
    if not settings.render_keys:
        print("PIXMILL_RENDER_KEY is not set", file=sys.stderr)  # noqa: T201 - for a person
        raise typer.Exit(2)
    until = int(time.time()) + expires if expires else None
    print(settings.public_url + signed(settings.render_keys[0], address, until))  # noqa: T201


@cli.command()
def backfill(
    preset: Annotated[
        list[str] | None, typer.Option(help="Preset to make; repeatable; left out: all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would take.")
    ] = False,
) -> None:
    """Make the stored images' variants by the presets as they are now, while the service runs."""
    from service.backfill import backfill as fill

    try:
        done = fill(_settings(), preset or [], dry_run=dry_run)
    except (ValueError, ServiceError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - for a person
        raise typer.Exit(2) from None
    raise typer.Exit(0 if done else 1)


def _serve(settings: Settings, application: str) -> None:
    """Serve an application of `service.app`; a setting that cannot be used ends the program."""
    with shared_metrics() if settings.workers > 1 else nullcontext():
        from service import app
        from service.kinds import KINDS
        from service.runtime import check
        from service.server import serve as serve_until_stopped
        from service.tasks.engines import check_engine

        try:
            check(settings, KINDS)
            check_engine(settings)
            code = serve_until_stopped(settings, getattr(app, application))
        except (ValueError, OSError) as error:
            print(error, file=sys.stderr)  # noqa: T201 - for a person
            raise typer.Exit(2) from None
    raise typer.Exit(code)


def _work_for_celery(settings: Settings, lane: str | None) -> None:
    """Work what comes from the broker; a setting that cannot be used ends the program."""
    with shared_metrics() as folder:
        from service.kinds import KINDS
        from service.logs import configure_logs
        from service.migrations import migrate as bring_up_to_date
        from service.runtime import check
        from service.scraping import serve_metrics
        from service.tasks.engines import check_engine

        try:
            check(settings, KINDS)
            check_engine(settings)
            bring_up_to_date(settings.database_url)
            configure_logs(settings)
            url = serve_metrics(settings.host, settings.port, folder)
        except (ValueError, RuntimeError, OSError) as error:
            print(error, file=sys.stderr)  # noqa: T201 - for a person
            raise typer.Exit(2) from None
        from service.tasks.engines.celery import work

        if settings.log_format == "text":
            print(_GREETING.format(__version__, url), flush=True)  # noqa: T201 - for a person
        code = work(settings, lane)
    raise typer.Exit(code)


def _settings(**chosen: Any) -> Settings:
    """The settings, what the command line chose above all; a wrong one ends the program."""
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        for one in error.errors():
            name = "PIXMILL_" + "_".join(str(part) for part in one["loc"]).upper()
            print(f"{name}: {one['msg']}", file=sys.stderr)  # noqa: T201 - for a person
        raise typer.Exit(2) from None
