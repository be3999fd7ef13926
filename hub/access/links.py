"""Links that work once: for the first admin, and for a person to choose a password. Made at the command line or by an admin, never logged; the table
holds the token's hash only."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from hub.access.sessions import hashed
from hub.models import AdminLink

PREFIX = "hub_setup_"
FOR_ADMIN, FOR_PASSWORD = timedelta(hours=1), timedelta(hours=24)


def make(session: Session, now: datetime, *, user_id: UUID | None = None) -> str:
    """A token for ``/setup/{token}``, this once. It takes the place of an earlier one for the same purpose."""
    token = PREFIX + secrets.token_urlsafe(32)
    same = AdminLink.user_id.is_(None) if user_id is None else AdminLink.user_id == user_id
    session.execute(delete(AdminLink).where(same))
    session.add(AdminLink(hash=hashed(token), user_id=user_id, created_at=now, expires_at=now + (FOR_PASSWORD if user_id else FOR_ADMIN)))
    session.flush()
    return token


def find(session: Session, token: str, now: datetime) -> AdminLink | None:
    """The link, if it can still be used."""
    good = (AdminLink.hash == hashed(token), AdminLink.used_at.is_(None), AdminLink.expires_at > now)
    return session.scalars(select(AdminLink).where(*good)).one_or_none()


def use(session: Session, token: str, now: datetime) -> bool:
    """Spends the link; False where somebody else was quicker, or it has run out."""
    good = (AdminLink.hash == hashed(token), AdminLink.used_at.is_(None), AdminLink.expires_at > now)
    return bool(session.execute(update(AdminLink).where(*good).values(used_at=now)).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it
