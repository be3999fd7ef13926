"""Logging in with a password. Whoever is refused learns nothing more: unknown, disabled, without a password yet or a wrong one, the answer is the
same and costs the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from hub.access import audit, passwords, sessions, throttle, users
from hub.access.audit import Actor
from hub.access.sessions import Limits
from hub.db import Database
from hub.models import User


@dataclass(frozen=True, slots=True)
class Caller:
    """Where somebody comes from, and the session that the same browser had before."""

    address: str
    agent: str | None = None
    former: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Let:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many attempts; ``seconds`` until the next one is judged."""

    seconds: int


def log_in(database: Database, email: str, password: str, caller: Caller, now: datetime, limits: Limits) -> Let | Wait | None:
    """A new session, whatever session the browser had before; None for a refusal. Slow on purpose, and outside a transaction while it is."""
    with database.writing() as session:
        attempt = throttle.attempt(session, users.fold(email), caller.address, now)
        if isinstance(attempt, int):
            return Wait(attempt)
    with database.reading() as session:
        user = users.by_email(session, email)
    good = passwords.matches(user.password_hash if user else None, password) and user is not None and user.disabled_at is None
    with database.writing() as session:
        held = session.get(User, user.id) if user else None
        if not good or user is None or held is None or held.disabled_at is not None or held.password_hash != user.password_hash:
            audit.add(session, Actor("nobody", None, caller.address), "login.refused", _named(held), now)
            return None
        throttle.succeeded(session, attempt)
        return Let(enter(session, held, caller, now, limits))


def enter(session: Session, user: User, caller: Caller, now: datetime, limits: Limits, *, by: str = "password") -> str:
    """Opens a session and ends the browser's former one; returns its token. ``by``: what they were known by."""
    if caller.former:
        sessions.end(session, caller.former, now)
    token = sessions.start(session, user, now, limits, address=caller.address, agent=caller.agent)
    audit.add(session, Actor("user", str(user.id), caller.address), "login.succeeded", _named(user), now, after={"by": by})
    return token


def _named(user: User | None) -> str | None:
    return f"user:{user.id}" if user else None


def change_password(database: Database, user_id: UUID, old: str, new: str, caller: Caller, now: datetime, *, keep: str | None) -> Wait | bool:
    """Whether the old password was right and the new one holds now; the person's other sessions have ended. The old one is throttled as a log-in is,
    since an open browser is no proof of who sits before it. Raises WeakPassword."""
    with database.writing() as session:
        attempt = throttle.attempt(session, f"password of {user_id}", caller.address, now)
        if isinstance(attempt, int):
            return Wait(attempt)
    with database.reading() as session:
        user = session.get_one(User, user_id)
    if not passwords.matches(user.password_hash, old):
        return False
    made = passwords.made(new, user.email, user.name)
    with database.writing() as session:
        user = session.get_one(User, user_id)
        users.set_password(session, user, made, now, keep=keep)
        throttle.succeeded(session, attempt)
        audit.add(session, Actor("user", str(user_id), caller.address), "password.changed", _named(user), now)
        return True
