"""The service with three more routes: one does nothing, one writes a row, one enqueues a task."""

from __future__ import annotations

from fastapi import BackgroundTasks
from sqlalchemy.orm import Session

from service import app as application
from service import kinds
from service.api.deps import PartsDep
from service.config import Settings
from service.inserts import add_rows
from service.logs import configure_logs
from service.models import Item, new_id, now
from service.tasks import Work, enqueue, task


@task("bench.noop")
async def noop(work: Work) -> None:
    """Nothing: it is the request that is measured."""


application.KINDS = (*kinds.KINDS, noop)
settings = Settings()
configure_logs(settings)
app = application.create_app(settings)


@app.post("/nothing", status_code=202)
async def nothing(parts: PartsDep, background: BackgroundTasks) -> dict[str, str]:  # noqa: ARG001
    return {"id": "0" * 32}


@app.post("/row", status_code=202)
async def row(parts: PartsDep, background: BackgroundTasks) -> dict[str, str]:  # noqa: ARG001
    return {"id": await parts.runtime.database.write(_add_row)}


def _add_row(session: Session) -> str:
    item_id = new_id()
    add_rows(session, Item, {"id": item_id, "created_at": now()})
    return item_id


@app.post("/task", status_code=202)
async def with_task(parts: PartsDep, background: BackgroundTasks) -> dict[str, str]:
    task_id = await parts.runtime.database.write(enqueue, noop, {})
    parts.wake(background, task_id)
    return {"id": task_id}
