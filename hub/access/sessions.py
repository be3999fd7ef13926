"""Sessions of people: a cookie's token opens one, its SHA-256 is what the table holds. They end after a time without use, after a longest time
whatever happens, when they are revoked, and with the person they belong to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from hub.access.keys import Role
from hub.access.who import Who
from hub.models import User, UserSession

PREFIX = "hub_session_"
"""A word that the redaction of logs knows."""
SEEN_NOTED_EVERY = timedelta(minutes=1)
KEPT_AFTER_END = timedelta(days=30)
AGENT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts without use, and at most."""

    idle: timedelta
    longest: timedelta


def start(session: Session, user: User, now: datetime, limits: Limits, *, address: str | None, agent: str | None) -> str:
    """A new session; returns its token, this once. What ended long ago is forgotten."""
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        UserSession(
            id=hashed(token),
            user_id=user.id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + limits.longest,
            address=address,
            agent=(agent or "")[:AGENT_LENGTH] or None,
        )
    )
    user.last_login_at = now
    session.execute(delete(UserSession).where(UserSession.expires_at < now - KEPT_AFTER_END))
    session.flush()
    return token


def find(session: Session, token: str, now: datetime, limits: Limits) -> tuple[Who, bool] | None:
    """Who the token stands for, and whether its use is to be noted again. None for one that is unknown or has ended."""
    if not token.startswith(PREFIX):
        return None
    asked = select(UserSession, User).join(User, User.id == UserSession.user_id).where(UserSession.id == hashed(token))
    found = session.execute(asked).one_or_none()
    if found is None:
        return None
    held, user = found
    if held.revoked_at is not None or user.disabled_at is not None or held.expires_at <= now or held.last_seen_at + limits.idle <= now:
        return None
    return Who(user.id, None, user.name, Role(user.role), held.id), held.last_seen_at <= now - SEEN_NOTED_EVERY


def note_seen(session: Session, session_id: str, now: datetime) -> None:
    """Two requests at once write it once."""
    due = UserSession.last_seen_at <= now - SEEN_NOTED_EVERY
    session.execute(update(UserSession).where(UserSession.id == session_id, due).values(last_seen_at=now))


def listed(session: Session, user_id: UUID, now: datetime, limits: Limits) -> Sequence[UserSession]:
    """Those of a person that are open, last used first."""
    opened = (UserSession.revoked_at.is_(None), UserSession.expires_at > now, UserSession.last_seen_at > now - limits.idle)
    return session.scalars(select(UserSession).where(UserSession.user_id == user_id, *opened).order_by(UserSession.last_seen_at.desc())).all()


def revoke(session: Session, user_id: UUID, session_id: str, now: datetime) -> bool:
    """Ends one session of that person; False where there is no such open one."""
    mine = (UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    return bool(session.execute(update(UserSession).where(*mine).values(revoked_at=now)).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def end(session: Session, token: str, now: datetime) -> None:
    """Ends the session that the token opens, whosever it is."""
    session.execute(update(UserSession).where(UserSession.id == hashed(token), UserSession.revoked_at.is_(None)).values(revoked_at=now))


def revoke_all(session: Session, user_id: UUID, now: datetime, *, but: str | None = None) -> int:
    """Ends all sessions of that person, ``but`` one; returns how many."""
    theirs = (UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.id != (but or ""))
    return int(session.execute(update(UserSession).where(*theirs).values(revoked_at=now)).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()
