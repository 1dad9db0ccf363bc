"""The engines by the names the settings use."""

from __future__ import annotations

from service.runtime import Runtime
from service.tasks.engines.base import Engine
from service.tasks.engines.embedded import EmbeddedEngine
from service.tasks.engines.none import NoEngine

__all__ = ["EmbeddedEngine", "Engine", "NoEngine", "open_engine"]


def open_engine(runtime: Runtime) -> EmbeddedEngine | NoEngine:
    """The engine the settings name, not yet started."""
    return EmbeddedEngine(runtime) if runtime.settings.engine == "embedded" else NoEngine()
