"""The servers that are compared: how each is started, and how its clients talk to it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import installs
from bench.client import SIZES, Protocol, by_document, by_ipx, by_thumbor
from bench.places import PEERS, PROJECT
from bench.servers import PORT, Server

OURS = "Pixmill"
#: The same with a process for each of the two cores.
OURS_TWO = "Pixmill, 2 processes"
TUTORIAL = "tutorial"
THUMBOR = "thumbor"
IPX = "IPX"
SHARP = "busboy + sharp"

#: Another command for the service, for instance one under a profiler.
COMMAND_VARIABLE = "BENCH_SERVICE"

PRESETS = [
    {
        "name": f"p{size}",
        "operations": [{"op": "resize", "width": size, "height": size, "fit": "inside"}],
        "format": "jpeg",
        "quality": 82,
    }
    for size in SIZES
]


@dataclass(frozen=True)
class Contestant:
    """A server of the whole job. It is built with a folder of its own."""

    name: str
    build: Callable[[Path], Server]
    protocol: Protocol


def pixmill(folder: Path, **settings: str) -> Server:
    """Our service as `pixmill serve` starts it, with all it stores inside the folder."""
    command = os.environ.get(COMMAND_VARIABLE) or f"{shlex.quote(sys.executable)} -m service serve"
    paths = {
        "UPLOADS": folder / "uploads",
        "PROCESSED": folder / "processed",
        "DATABASE_URL": f"sqlite:///{folder / 'pixmill.db'}",
        "NOTIFICATIONS_FILE": folder / "notifications.jsonl",
        "PRESETS": json.dumps(PRESETS),
        "PORT": PORT,
        "LOG_LEVEL": "warning",
        **settings,
    }
    env = {f"PIXMILL_{name}": str(value) for name, value in paths.items()}
    return Server(OURS, tuple(shlex.split(command)), folder, {"PYTHONPATH": str(PROJECT), **env})


def pixmill_in_two(folder: Path, **settings: str) -> Server:
    """The same service in two processes behind its port."""
    return replace(pixmill(folder, WORKERS="2", **settings), name=OURS_TWO)


def tutorial(folder: Path) -> Server:
    """The tutorial's code in one uvicorn process, on the very libraries of the service."""
    command = f"-m uvicorn tutorial:app --no-access-log --log-level warning --app-dir {PEERS}"
    env = {"BENCH_FOLDER": str(folder)}
    return Server(TUTORIAL, (sys.executable, *command.split(), "--port", PORT), folder, env)


def thumbor(folder: Path) -> Server:
    options = f"-c {PEERS / 'thumbor.conf'} -i 127.0.0.1 -l error -p".split()
    env = {"BENCH_FOLDER": str(folder)}
    command = (str(installs.thumbor()), *options, PORT)
    return Server(THUMBOR, command, folder, env, health="/healthcheck")


def sharp(folder: Path) -> Server:
    return _node(SHARP, "sharp.mjs", folder)


def ipx(folder: Path) -> Server:
    return _node(IPX, "ipx.mjs", folder)


def _node(name: str, script: str, folder: Path) -> Server:
    command = ("node", str(installs.node() / script), PORT)
    return Server(name, command, folder, {"BENCH_FOLDER": str(folder)})


CONTESTANTS = (
    Contestant(OURS, pixmill, by_document),
    Contestant(OURS_TWO, pixmill_in_two, by_document),
    Contestant(SHARP, sharp, by_document),
    Contestant(IPX, ipx, by_ipx),
    Contestant(THUMBOR, thumbor, by_thumbor),
    Contestant(TUTORIAL, tutorial, by_document),
)
