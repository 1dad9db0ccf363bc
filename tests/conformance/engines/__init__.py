"""The engines that the suite holds to one behaviour: a new one is a module and a line here."""

from __future__ import annotations

from tests.conformance.engines.base import Cluster
from tests.conformance.engines.embedded import Embedded
from tests.conformance.engines.with_celery import WithCelery

__all__ = ["ENGINES", "Cluster"]

#: By the name of the engine, of its database, and of its broker where it has one.
ENGINES: dict[tuple[str, ...], type[Cluster]] = {
    ("embedded", "sqlite"): Embedded,
    ("embedded", "postgresql"): Embedded,
    ("celery", "postgresql", "redis"): WithCelery,
    ("celery", "postgresql", "rabbitmq"): WithCelery,
}
