"""Who of ours is in a team of a tool: by e-mail address, for nothing else is common to both.

A tool's word on an address is trusted here as far as an admin turned the rule on: whoever may change addresses in that tool could let people in.
Guests and users that are no longer active are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, cast, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from hub.models import Identity, Team, User

MOST = 100
"""Users of tools with one address; members looked up in one statement."""


def teams_of(session: Session, email: str | None) -> Select[Any]:
    """The teams that somebody with this (folded) address is a member of, to be used with IN."""
    wanted = select(Team.id).where(Team.deleted_at.is_(None)).correlate(None)
    if email is None:
        return wanted.where(false())
    mine = select(Identity.id).where(func.lower(Identity.email) == email, *_counts()).order_by(Identity.id).limit(MOST)
    return wanted.where(_has_any(session, [str(each) for each in session.scalars(mine)]))


def members(session: Session, team_id: UUID) -> list[User]:
    """Our people who are in that team now, by address."""
    found: dict[UUID, User] = {}
    listed = [UUID(each) for each in session.scalar(select(Team.member_ids).where(Team.id == team_id, Team.deleted_at.is_(None))) or ()]
    for at in range(0, len(listed), MOST):
        theirs = select(func.lower(Identity.email)).where(Identity.id.in_(listed[at : at + MOST]), Identity.email.is_not(None), *_counts())
        found |= {user.id: user for user in session.scalars(select(User).where(User.folded_email.in_(theirs), User.disabled_at.is_(None)))}
    return sorted(found.values(), key=lambda user: user.folded_email)


def _counts() -> Sequence[ColumnElement[bool]]:
    return (Identity.deleted_at.is_(None), Identity.active.is_(True), Identity.guest.is_(False), Identity.agent.is_(False))


def _has_any(session: Session, ids: Sequence[str]) -> ColumnElement[bool]:
    if not ids:
        return false()
    if session.get_bind().dialect.name == "postgresql":
        return or_(*(cast(Team.member_ids, JSONB).contains([each]) for each in ids))
    each = func.json_each(Team.member_ids).table_valued("value")
    return select(literal(1)).select_from(each).where(cast(each.c.value, String).in_(ids)).exists()
