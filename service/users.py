"""Users: a row, and a welcome in the background."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import notifications
from service.errors import AlreadyExists, NotFound
from service.inserts import add_rows
from service.models import User, new_id, now
from service.schemas import UserDocument
from service.tasks import Subject


def create(
    session: Session, *, email: str, name: str | None, channel: str, request_id: str | None
) -> tuple[UserDocument, str]:
    """Write a user and the welcome to be sent; return the document and the task's id.

    Raises: AlreadyExists when the address is taken.
    """
    user_id = new_id()
    row = {"id": user_id, "email": email, "name": name, "created_at": now()}
    try:
        add_rows(session, User, row)
    except IntegrityError:
        raise AlreadyExists("A user with this address exists.", field="email") from None
    welcome = notifications.queue(
        session,
        channel=channel,
        recipient=email,
        subject="Welcome",
        body=f"Welcome, {name or email}! Your account is ready.",
        request_id=request_id,
        about=Subject("user", user_id),
    )
    return document(User(**row)), welcome.task_id


def page(session: Session, cursor: str | None, limit: int) -> list[UserDocument]:
    """Up to `limit` users before `cursor`, newest first."""
    statement = select(User).order_by(User.id.desc()).limit(limit)
    if cursor:
        statement = statement.where(User.id < cursor)
    return [document(row) for row in session.scalars(statement)]


def get(session: Session, user_id: str) -> UserDocument:
    """One user. Raises: NotFound."""
    row = session.get(User, user_id)
    if row is None:
        raise NotFound(f"There is no user {user_id}.")
    return document(row)


def document(row: User) -> UserDocument:
    """The document of a row."""
    return UserDocument(id=row.id, email=row.email, name=row.name, created_at=row.created_at)
