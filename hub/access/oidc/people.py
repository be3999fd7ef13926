"""Whose log-in it is, and what they may do from now on: the provider's word on one person, laid beside the hub's rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from hub import log
from hub.access import audit, sessions, users
from hub.access.audit import Actor
from hub.access.keys import Role
from hub.access.oidc.refusal import Reason
from hub.access.users import UserProblem
from hub.models import AdminLink, User, UserIdentity

EVERYBODY = "*"
LEAST = Role.VIEWER
LONGEST_NAME = 200
MOST_GROUPS = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """``email`` None: none that the provider vouches for."""

    issuer: str
    subject: str
    email: str | None
    name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Out:
    """Not let in. ``user``: who it was, where the hub knows them."""

    reason: Reason
    detail: str
    user: User | None = None


def told(claims: Mapping[str, Any], issuer: str, groups_claim: str, *, trust_email: bool) -> Person:
    """The person that the claims describe. An address counts when the provider says it is verified (some say it as a word), or, if the operator
    trusts its addresses, when it says nothing of that; one that it calls unverified never does."""
    email, verified = claims.get("email"), claims.get("email_verified")
    good = verified is True or verified == "true" or (trust_email and verified is None)
    named = (claims.get("name"), claims.get("preferred_username"), str(email).partition("@")[0])
    names = (" ".join("".join(char if char.isprintable() else " " for char in each).split()) for each in named if isinstance(each, str))
    name = next((each for each in names if each), "Somebody")
    return Person(
        issuer=issuer,
        subject=claims["sub"],
        email=email.strip() if isinstance(email, str) and good else None,
        name=name[:LONGEST_NAME],
        groups=frozenset(_groups(claims.get(groups_claim))),
    )


def _groups(found: Any) -> Iterable[str]:
    """A list of names; a single one may come as a word."""
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return (each for each in listed[:MOST_GROUPS] if isinstance(each, str))


def role_of(groups: frozenset[str], rules: Sequence[tuple[str, str]]) -> Role | None:
    """Of the first rule that fits."""
    return next((Role(role) for group, role in rules if group == EVERYBODY or group in groups), None)


def admit(session: Session, person: Person, role: Role | None, now: datetime, address: str) -> User | Out:
    """The hub's row of that person, found, joined or made, with the role and the address they have now."""
    by = Actor("provider", None, address)
    identity = session.get(UserIdentity, (person.issuer, person.subject))
    user = session.get(User, identity.user_id) if identity else None
    if user is None:
        return _newcomer(session, person, role, now, by)
    if user.disabled_at is not None:
        return Out(Reason.DISABLED, "shut out here", user)
    if role is None:
        _take_roles(session, user, now, by)
        return Out(Reason.ROLE, "no group that counts (any more)", user)
    if person.email is None:
        return Out(Reason.EMAIL, "no verified e-mail address", user)
    if not _moved(session, user, person, now, by):
        return Out(Reason.TAKEN, "the new e-mail address is somebody else's here", user)
    _follow(session, user, role, now, by)
    return user


def _newcomer(session: Session, person: Person, role: Role | None, now: datetime, by: Actor) -> User | Out:
    if role is None:
        return Out(Reason.ROLE, "no group that counts")
    if person.email is None:
        return Out(Reason.EMAIL, "no verified e-mail address")
    held = users.by_email(session, person.email)
    if held is not None:
        return _join(session, held, person, role, now, by)
    try:
        made = users.add(session, person.email, person.name, role, now)
    except UserProblem:
        return Out(Reason.EMAIL, "what the provider gives as e-mail address is none")
    _link(session, made, person, now)
    audit.add(session, by, "user.created", f"user:{made.id}", now, after={"role": made.role})
    return made


def _join(session: Session, user: User, person: Person, role: Role, now: datetime, by: Actor) -> User | Out:
    """Joins somebody of the hub's own to the provider's log-in, if an admin opened them for it. A password, or a link to choose one, would be a way
    past the groups: both end here."""
    if user.disabled_at is not None:
        return Out(Reason.DISABLED, "shut out here", user)
    if user.link_until is None or user.link_until <= now:
        return Out(Reason.TAKEN, "somebody here has that e-mail address: hub user link joins them", user)
    session.execute(delete(UserIdentity).where(UserIdentity.user_id == user.id, UserIdentity.issuer == person.issuer))
    session.execute(delete(AdminLink).where(AdminLink.user_id == user.id))
    user.link_until = user.password_hash = None
    _link(session, user, person, now)
    sessions.revoke_all(session, user.id, now)
    audit.add(session, by, "user.joined", f"user:{user.id}", now)
    _follow(session, user, role, now, by)
    return user


def _link(session: Session, user: User, person: Person, now: datetime) -> None:
    session.add(UserIdentity(issuer=person.issuer, subject=person.subject, user_id=user.id, created_at=now))
    session.flush()


def _moved(session: Session, user: User, person: Person, now: datetime, by: Actor) -> bool:
    """Takes over a new name and address; False where the address is another person's. Grants by team go by address, so an old one may not stay."""
    user.name = person.name
    email = person.email or ""
    if users.fold(email) == user.folded_email:
        return True
    if not users.EMAIL.fullmatch(email) or users.by_email(session, email) is not None:
        return False
    user.email, user.folded_email = email, users.fold(email)
    audit.add(session, by, "user.changed", f"user:{user.id}", now, after={"email": "another"})
    return True


def _follow(session: Session, user: User, role: Role, now: datetime, by: Actor) -> None:
    """The role as the groups have it. The last admin may lose it so: that is said aloud, and ``hub admin link`` makes another."""
    if user.role == role.value:
        return
    before = user.role
    users.put_role(session, user, role, now)
    left = users.has_admin(session)
    after: dict[str, Any] = {"role": role.value} if left else {"role": role.value, "admins_left": False}
    audit.add(session, by, "user.changed", f"user:{user.id}", now, before={"role": before}, after=after)
    if not left:
        log.get("oidc").warning("the log-in provider took the last admin's role: hub admin link makes another admin")


def _take_roles(session: Session, user: User, now: datetime, by: Actor) -> None:
    sessions.revoke_all(session, user.id, now)
    _follow(session, user, LEAST, now, by)
