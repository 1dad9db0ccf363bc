"""A real RabbitMQ for tests, from the system's package, on free ports of this machine only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from kombu import Connection

from service.tasks import Lane
from service.tasks.engines.celery import name_of
from tests.ports import free_port
from tests.servers import until

#: What Debian's `rabbitmq-server` wraps: that one insists on a user of its own.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass
class RabbitMQ:
    """A server that can be stopped and started on the same port; what it holds is on the disk."""

    folder: Path
    port: int
    #: Erlang's own, between nodes.
    distribution_port: int
    names_port: int
    #: Erlang's register of nodes, which it would start by itself and leave behind.
    names: subprocess.Popen[bytes] | None = field(default=None)
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        if self.names is None:
            self.names = subprocess.Popen(["epmd"], env=self._environment())
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started = b"Starting broker... completed"
        until(lambda: started in self._log(), "RabbitMQ answering", patience=90)

    def stop(self) -> None:
        """End it at once, and all it has started."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        (self.folder / "log").unlink()

    def empty(self) -> None:
        """Take all messages that wait out of the queues of tasks."""
        with Connection(self.url) as connection:
            for lane in Lane:
                connection.default_channel.queue_purge(name_of(lane))

    def close(self) -> None:
        self.stop()
        if self.names is not None:
            self.names.kill()
            self.names.wait(10)
        shutil.rmtree(self.folder)

    def _environment(self) -> dict[str, str]:
        here = str(self.folder)
        return {
            **os.environ,
            "HOME": here,
            "RABBITMQ_NODENAME": f"pixmill-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none"
            ),
            "RABBITMQ_MNESIA_BASE": here,
            "RABBITMQ_LOG_BASE": here,
            "RABBITMQ_CONFIG_FILE": f"{here}/none",
            "RABBITMQ_CONF_ENV_FILE": f"{here}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/plugins",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.names_port),
        }

    def _log(self) -> bytes:
        return (self.folder / "log").read_bytes()


def new_rabbitmq() -> RabbitMQ:
    """A server on a free port, running."""
    port, distribution_port, names_port = free_port(), free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
    server = RabbitMQ(folder, port, distribution_port, names_port)
    server.start()
    return server


def is_there() -> bool:
    """Whether the system's package is installed."""
    return PROGRAM.exists()
