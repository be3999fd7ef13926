"""People who log in: added by an admin, disabled rather than deleted, so that the audit log's ids keep their meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from hub.access import sessions
from hub.access.keys import Role
from hub.models import ApiKey, Endpoint, User, UserIdentity

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{1,60}")
LINK_LASTS = timedelta(days=7)


class UserProblem(ValueError):
    """It cannot be done; the message says why."""


def add(session: Session, email: str, name: str, role: Role, now: datetime, *, password_hash: str | None = None) -> User:
    """A new person; without a password they choose one by a link. Raises UserProblem."""
    email, name = email.strip(), " ".join(name.split())
    if not EMAIL.fullmatch(email) or not email.isprintable():
        raise UserProblem("This is not an e-mail address.")
    if not name or len(name) > 200 or not name.isprintable():
        raise UserProblem("A person needs a name of at most 200 characters.")
    if by_email(session, email) is not None:
        raise UserProblem("There is somebody with this e-mail address already.")
    made = User(id=uuid4(), email=email, folded_email=fold(email), name=name, role=role.value, password_hash=password_hash, created_at=now)
    session.add(made)
    session.flush()
    return made


def fold(email: str) -> str:
    return email.strip().casefold()


def by_email(session: Session, email: str) -> User | None:
    return session.scalars(select(User).where(User.folded_email == fold(email))).one_or_none()


def listed(session: Session) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.folded_email)).all()


def state(user: User) -> str:
    """active, invited (has not chosen a password nor come in by the provider yet), disabled."""
    return "disabled" if user.disabled_at else "active" if user.password_hash or user.last_login_at else "invited"


def has_admin(session: Session) -> bool:
    """Whether somebody can log in, by password or provider, and let others in."""
    return _admins(session) > 0


def _admins(session: Session, *, but: UUID | None = None) -> int:
    able = (User.role == Role.ADMIN.value, User.disabled_at.is_(None), _comes_in())
    others = () if but is None else (User.id != but,)
    return session.execute(select(func.count()).where(*able, *others)).scalar_one()


def _comes_in() -> ColumnElement[bool]:
    vouched_for = select(UserIdentity.user_id).where(UserIdentity.user_id == User.id).exists()
    return or_(User.password_hash.is_not(None), vouched_for)


def is_vouched_for(session: Session, user: User) -> bool:
    """Whether the log-in provider decides on this person: by their groups, not by a password of the hub's own."""
    return session.scalar(select(UserIdentity.subject).where(UserIdentity.user_id == user.id).limit(1)) is not None


def open_for_provider(user: User, now: datetime) -> None:
    """For some days the provider's log-in with this person's address is joined to them, once."""
    user.link_until = now + LINK_LASTS


def set_password(session: Session, user: User, password_hash: str, now: datetime, *, keep: str | None = None) -> None:
    """Ends all the person's sessions, ``keep`` apart: who knew the old password is out."""
    user.password_hash = password_hash
    sessions.revoke_all(session, user.id, now, but=keep)


def set_role(session: Session, user: User, role: Role, now: datetime) -> None:
    """Ends the person's sessions, so that no page of the former role stays open. Raises UserProblem for the last admin."""
    if role is not Role.ADMIN:
        _not_the_last(session, user)
    put_role(session, user, role, now)


def put_role(session: Session, user: User, role: Role, now: datetime) -> None:
    """The same, be it the last admin."""
    user.role = role.value
    sessions.revoke_all(session, user.id, now)


def disable(session: Session, user: User, now: datetime) -> tuple[int, int]:
    """Ends the person's sessions; the keys they own are refused from now on (see ``keys.verify``) and the endpoints made with those keys hold their
    events back. Returns how many keys and endpoints that are. Raises UserProblem for the last admin."""
    _not_the_last(session, user)
    user.disabled_at = user.disabled_at or now
    sessions.revoke_all(session, user.id, now)
    owned = session.scalars(select(ApiKey.id).where(ApiKey.owner_user_id == user.id, ApiKey.revoked_at.is_(None))).all()
    with_them = (Endpoint.owner_key_id.in_(select(ApiKey.id).where(ApiKey.owner_user_id == user.id)), Endpoint.state == "active")
    paused = session.execute(update(Endpoint).where(*with_them).values(state="paused", paused_at=now, revision=Endpoint.revision + 1))
    return len(owned), int(paused.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def enable(user: User) -> None:
    """Lets the person log in again, and their keys. Their endpoints stay paused: what to do with the events held back is for a person to say."""
    user.disabled_at = None


def _not_the_last(session: Session, user: User) -> None:
    able = select(User.id).where(User.id == user.id, User.role == Role.ADMIN.value, User.disabled_at.is_(None), _comes_in())
    if session.scalar(able) is not None and _admins(session, but=user.id) == 0:
        raise UserProblem("This is the last admin: make somebody else one first.")
