"""Every kind of task there is: a new one is a handler with `@task` and a line here."""

from service import images, items, notifications
from service.tasks import Kind

KINDS: tuple[Kind, ...] = (
    images.process,
    images.process_item,
    images.erase,
    items.carry_out,
    items.update_statistics,
    items.notify_admin,
    notifications.send,
)
