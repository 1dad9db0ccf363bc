"""Every kind of task there is: a new one is a handler with `@task` and a line here."""

from service import items, notifications, processing, refreshing, renders
from service.tasks import Kind

KINDS: tuple[Kind, ...] = (
    processing.process,
    processing.process_item,
    processing.erase,
    refreshing.refresh,
    refreshing.discard,
    renders.render,
    items.carry_out,
    items.update_statistics,
    items.notify_admin,
    notifications.send,
)
