"""The command line: serve, migrate, doctor, upload."""

from __future__ import annotations

from service.cli import cli


def main() -> None:
    """Run the command the arguments name."""
    cli()


if __name__ == "__main__":
    main()
