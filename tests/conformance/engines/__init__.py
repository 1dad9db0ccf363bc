"""The engines that the suite holds to one behaviour: a new one is a module and a line here."""

from __future__ import annotations

from tests.conformance.engines.base import Cluster
from tests.conformance.engines.embedded import Embedded
from tests.conformance.engines.with_celery import WithCelery

__all__ = ["ENGINES", "Cluster"]

#: By the name of the engine and its database.
ENGINES: dict[tuple[str, str], type[Cluster]] = {
    ("embedded", "sqlite"): Embedded,
    ("embedded", "postgresql"): Embedded,
    ("celery", "postgresql"): WithCelery,
}
