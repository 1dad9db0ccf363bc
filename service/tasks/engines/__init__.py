"""The engines by the names the settings use."""

from __future__ import annotations

from service.config import Settings
from service.runtime import Runtime
from service.tasks.engines.base import Engine
from service.tasks.engines.embedded import EmbeddedEngine
from service.tasks.engines.none import NoEngine
from service.tasks.engines.relay import RelayEngine

__all__ = ["EmbeddedEngine", "Engine", "NoEngine", "RelayEngine", "check_engine", "open_engine"]

#: Brokers that Celery speaks to here.
BROKERS = ("redis://", "rediss://", "sentinel://", "amqp://", "amqps://", "pyamqp://")


def open_engine(runtime: Runtime) -> EmbeddedEngine | RelayEngine | NoEngine:
    """The engine the settings name, not yet started."""
    match runtime.settings.engine:
        case "embedded":
            return EmbeddedEngine(runtime)
        case "celery":
            from service.tasks.engines.celery import open_relay  # it needs the extra

            return open_relay(runtime)
        case "none":
            return NoEngine()


def check_engine(settings: Settings) -> None:
    """Raises: ValueError when the engine lacks its library or its broker."""
    if settings.engine != "celery":
        return
    try:
        from service.tasks.engines import celery  # noqa: F401 - is it there?
    except ImportError as error:
        raise ValueError(
            f"PIXMILL_ENGINE is celery, which is missing ({error}): install pixmill[celery]"
        ) from None
    if not settings.broker_url.get_secret_value().startswith(BROKERS):
        raise ValueError(
            "PIXMILL_ENGINE is celery, which needs PIXMILL_BROKER_URL: redis://… or amqp://…"
        )
