"""What admins do about people, keys and grants: each act with its audit row, in the caller's transaction. API and pages both do it here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access import audit, grants, keys, links, users
from hub.access.audit import Actor
from hub.access.grants import Subject, Target
from hub.access.keys import Role, Scope
from hub.models import ApiKey, User


def invite(session: Session, email: str, name: str, role: Role, now: datetime, by: Actor, *, local: bool) -> tuple[User, str | None]:
    """A new person, and the token of the link with which they choose a password; none where nobody has one (``local`` false: everybody comes by the
    log-in provider). Raises UserProblem."""
    made = users.add(session, email, name, role, now)
    token = links.make(session, now, user_id=made.id) if local else None
    if token is None:
        users.open_for_provider(made, now)
    audit.add(session, by, "user.created", f"user:{made.id}", now, after={"role": made.role})
    return made, token


def new_link(session: Session, user: User, now: datetime, by: Actor, *, local: bool) -> str | None:
    """The token of a link with which a person chooses a new password; the old one holds until then. None where they come by the log-in provider,
    which a password would be a way past: they are opened to be joined there anew."""
    if not local or users.is_vouched_for(session, user):
        users.open_for_provider(user, now)
        audit.add(session, by, "user.opened_for_provider", f"user:{user.id}", now)
        return None
    audit.add(session, by, "password.link_made", f"user:{user.id}", now)
    return links.make(session, now, user_id=user.id)


def change_user(session: Session, user: User, now: datetime, by: Actor, *, role: Role | None = None, disabled: bool | None = None) -> None:
    """Another role, shut out, or let in again; what is null stays. Raises UserProblem for the last admin."""
    before = {"role": user.role, "disabled": user.disabled_at is not None}
    if role is not None and role.value != user.role:
        users.set_role(session, user, role, now)
    if disabled and user.disabled_at is None:
        users.disable(session, user, now)
    elif disabled is False:
        users.enable(user)
    after = {"role": user.role, "disabled": user.disabled_at is not None}
    if after != before:
        audit.add(session, by, "user.changed", f"user:{user.id}", now, before=before, after=after)
    session.flush()


def issue_key(
    session: Session,
    name: str,
    role: Role,
    now: datetime,
    by: Actor,
    *,
    granted: Sequence[str] = (),
    scope: Scope = Scope.FULL,
    expires_at: datetime | None = None,
    owner: User | None = None,
) -> tuple[ApiKey, str]:
    """A new key with what it may see, and its text, this once. Raises GrantProblem, and ValueError for what else is wrong."""
    text = keys.create(session, name, role.value, now, expires_at=expires_at, scope=scope, owner=owner)
    made = session.scalars(select(ApiKey).where(ApiKey.prefix == keys.prefix_of(text))).one()
    targets = grants.parsed(granted, role, owner_role=owner.role if owner else None)
    grants.replace(session, Subject("key", made.id), targets, now, None)
    after = {"role": made.role, "scope": made.scope, "grants": list(granted), "expires_at": made.expires_at, "owner_user_id": made.owner_user_id}
    audit.add(session, by, "key.created", f"key:{made.id}", now, after=after)
    return made, text


def revoke_key(session: Session, key: ApiKey, now: datetime, by: Actor) -> None:
    """Ends it at once; one that has ended already stays as it is."""
    if keys.revoke(session, key.prefix, now):
        audit.add(session, by, "key.revoked", f"key:{key.id}", now)


def set_grants(session: Session, subject: Subject, texts: Sequence[str], now: datetime, by: Actor, *, enabled: bool = True) -> None:
    """Makes these a subject's grants. Raises GrantProblem."""
    before: dict[str, Any] = {"grants": [str(each) for each in grants.listed(session, subject)]}
    targets = [Target.parse(text) for text in texts]
    if grants.replace(session, subject, targets, now, by.id, enabled=enabled):
        after = {"grants": [str(each) for each in sorted(set(targets))], "enabled": enabled}
        audit.add(session, by, "grants.changed", str(subject), now, before=before, after=after)
