"""Celery: the broker that carries the ids of due tasks, and the workers that run them.

Nothing else of Celery's is used: no results, no retries, no delays, no chains. All that is in the
rows. `celery -A service.tasks.engines.celery …` finds `app` here, made from the settings.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from celery import Celery, signals
from celery.bootsteps import StartStopStep, Step
from celery.worker.request import Request
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError

from service import kinds
from service.config import Settings
from service.logs import logger
from service.runtime import Runtime
from service.tasks.engines.child import Child
from service.tasks.engines.relay import BrokerFailed, RelayEngine
from service.tasks.registry import Kind, Lane
from service.tasks.rows import Dispatched

log = logger(__name__)

RUN = "pixmill.run"
#: Tasks after which a process is replaced: whatever it leaks is bounded.
TASKS_PER_CHILD = 1000
#: Celery's pools of which a process runs one task at a time.
POOLS = ("prefork", "solo")
#: Longest time until a child that has died is missed, in seconds.
REPLACE_SECONDS = 0.25
#: Longest wait for a connection to the broker, and for an answer of it, in seconds.
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0

CONFIGURATION: dict[str, Any] = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    # A message is taken off the broker when its task has ended, and no worker reserves more than
    # it runs. How a task ended is in its row: no message is ever sent again because of that.
    "task_acks_late": True,
    "task_acks_on_failure": True,
    "task_acks_on_timeout": True,
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_max_tasks_per_child": TASKS_PER_CHILD,
    "worker_proc_alive_timeout": 60,
    "worker_lost_wait": 1,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_connection_timeout": CONNECT_SECONDS,
}
#: A connection that is tried once more and then given up: whoever publishes tries again anyway.
BRIEFLY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
REDIS = {
    "global_keyprefix": "pixmill:",
    "visibility_timeout": 900,
    "socket_timeout": ANSWER_SECONDS,
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
AMQP = {"confirm_publish": True, "read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS}


def new_app(settings: Settings) -> Celery:
    """Celery for one service; its children open the runtime of these settings."""
    app = Celery("pixmill", set_as_current=False)
    url = settings.broker_url.get_secret_value()
    app.conf.update(
        CONFIGURATION,
        broker_url=url,
        broker_transport_options=AMQP if url.startswith(("amqp", "pyamqp")) else REDIS,
        task_queues=[_queue(lane, url) for lane in Lane],
        task_default_queue=name_of(Lane.PIXELS),
        worker_concurrency=settings.pixel_threads,
    )

    @cache
    def child() -> Child:
        return Child(settings, kinds.KINDS)

    def close(**_: object) -> None:
        if child.cache_info().currsize:
            child().close()

    def run(task_id: str) -> None:
        child().run(task_id)

    app.task(run, name=RUN, shared=False, Request=ForgivingRequest)
    app.steps["consumer"].add(LetGo)
    app.steps["worker"].update((OneByOne, Replace))
    signals.worker_process_init.connect(lambda **_: child(), weak=False)
    signals.worker_process_shutdown.connect(close, weak=False)
    signals.worker_shutting_down.connect(partial(_drain, settings.drain_seconds), weak=False)
    return app


class LetGo(StartStopStep):  # type: ignore[misc] # Celery has no types
    """A connection that is lost is let go of, and whatever it had not acknowledged with it.

    Celery would put those messages back over that very connection, and end the whole worker when
    that fails. The rows know better what there is to do.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """A connection has been made."""
        consumer.task_consumer.channel.do_restore = False


class OneByOne(Step):  # type: ignore[misc] # as above
    """A worker whose pool would run several tasks in one process does not start.

    The process is the isolation, and a stop is a signal, which only its main thread hears.
    """

    def include_if(self, worker: Any) -> bool:
        """Look at the pool that was asked for; another ends the program."""
        pool = worker.pool_cls.__module__.rpartition(".")[2]
        if pool not in POOLS:
            raise SystemExit(f"Not with the pool {pool}: give --pool {' or '.join(POOLS)}.")
        return False  # nothing is left to do


class Replace(StartStopStep):  # type: ignore[misc] # as above
    """A child that has died is replaced.

    Celery hears of its end at once, but now and then before it can be waited for, and would then
    look again five seconds later.
    """

    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: Any) -> bool:
        """A pool without an event loop has no children."""
        return bool(worker.use_eventloop)

    def start(self, worker: Any) -> None:
        """The pool has its children."""
        worker.hub.call_repeatedly(REPLACE_SECONDS, worker.pool.maintain_pool)


class ForgivingRequest(Request):  # type: ignore[misc] # as above
    """A message that is taken off the broker at the end of its task, if that is possible.

    Here too Celery would end the worker when the connection was lost in the meantime.
    """

    acknowledged: bool

    def acknowledge(self) -> None:
        """Take the message off the broker."""
        if self.acknowledged:
            return
        self.acknowledged = True
        try:
            self.message.ack()
        except Exception as error:  # noqa: BLE001 - whatever a connection that is gone raises
            log.warning("message_not_acknowledged", error=str(error))


def name_of(lane: Lane) -> str:
    """The queue of a lane."""
    return f"pixmill.{lane.value}"


def _queue(lane: Lane, url: str) -> Queue:
    name = name_of(lane)
    arguments = {"x-queue-type": "quorum"} if url.startswith(("amqp", "pyamqp")) else None
    return Queue(name, Exchange(name), routing_key=name, queue_arguments=arguments)


def _drain(seconds: float, **_: object) -> None:
    """A stop has begun: what still runs after that time is given back to the queue."""
    timer = threading.Timer(seconds, _stop_children)
    timer.daemon = True
    timer.start()


def _stop_children() -> None:
    from billiard.process import active_children

    for process in active_children():
        os.kill(process.pid, signal.SIGTERM)


class CeleryBroker:
    """Implements Broker on one connection, used by one thread at a time."""

    def __init__(self, app: Celery, registry: Iterable[Kind], lease_seconds: float) -> None:
        self._app = app
        # A process that does not even notice its time limit is killed: after the time that the
        # end of an attempt may take to be recorded, and as much again.
        self._grace_seconds = 2 * lease_seconds
        self._time_limits = {kind.name: kind.time_limit + self._grace_seconds for kind in registry}
        self._connection: Connection | None = None

    def waiting(self) -> dict[Lane, int]:
        """How many messages of each lane wait to be delivered; makes the queues if need be."""
        found: dict[Lane, int] = self._bounded(self._waiting)
        return found

    def publish(self, tasks: Sequence[Dispatched]) -> None:
        """Send a message for each task."""
        self._bounded(partial(self._publish, tasks))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            with suppress(Exception):  # it may be broken
                self._connection.release()
            self._connection = None

    def _bounded(self, call: Callable[[Connection], Any]) -> Any:
        """Call with a connection; one that has failed is not used again."""
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.transport_options |= BRIEFLY
        connection = self._connection
        try:
            return call(connection)
        except (OperationalError, OSError, *connection.recoverable_connection_errors) as error:
            self.close()
            raise BrokerFailed(f"{type(error).__name__}: {error}") from error

    def _waiting(self, connection: Connection) -> dict[Lane, int]:
        channel = connection.default_channel
        return {
            lane: self._app.amqp.queues[name_of(lane)].bind(channel).queue_declare().message_count
            for lane in Lane
        }

    def _publish(self, tasks: Sequence[Dispatched], connection: Connection) -> None:
        run = self._app.tasks[RUN]
        producer = self._app.amqp.Producer(connection, auto_declare=False)
        for task in tasks:
            run.apply_async(
                (task.id,),
                queue=name_of(task.lane),
                producer=producer,
                time_limit=self._time_limits.get(task.kind, self._grace_seconds),
                retry=False,
            )


def open_relay(runtime: Runtime) -> RelayEngine:
    """The engine of a process that answers requests."""
    settings = runtime.settings
    broker = CeleryBroker(new_app(settings), runtime.registry, settings.lease_seconds)
    return RelayEngine(runtime, broker)


def work(settings: Settings, lane: str | None = None) -> int:
    """Run a worker, of one lane or of all, until a signal says stop; return its exit code."""
    app = new_app(settings)
    for chatty in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    signals.worker_ready.connect(lambda **_: log.info("started", engine="celery"), weak=False)
    worker = app.Worker(
        queues=[name_of(one) for one in ([Lane(lane)] if lane else Lane)],
        hostname=f"pixmill-{os.getpid()}@{os.uname().nodename}",
        pool="prefork",
        loglevel=settings.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def __getattr__(name: str) -> Any:
    """`app`, for Celery's own command line."""
    if name == "app":
        return new_app(Settings())
    raise AttributeError(name)
