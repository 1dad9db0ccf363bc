"""`python -m service.migrations URL`: Alembic, in a process of its own; `-` reads the URL."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config


def upgrade(database_url: str) -> None:
    """Apply what is missing."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")


if __name__ == "__main__":
    upgrade(sys.stdin.read() if sys.argv[1] == "-" else sys.argv[1])
