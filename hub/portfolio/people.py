"""People: one human with all the users that the tools have for them, and what is open on their list.

A human is a person, once several users are known to be one (``joining``), else the user itself; either's id stands for the human in filters. Names
and addresses are the users' own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from hub.models import Assignment, Identity, Person, Task
from hub.portfolio.fold import holds
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import SETTLED, Chosen, live, overdue
from hub.portfolio.texts import Text

Shape = dict[str, Any]
KEY = func.coalesce(Identity.person_id, Identity.id)
"""Whose a user is: its person's, else its own."""
IDENTITY = ("id", "connection_id", "external_id", "name", "email", "active", "guest", "agent")


class PeopleFilter(Chosen):
    """Filters of people."""

    active: bool | None = Field(None, description="whether any tool lets them in")
    q: Text | None = Field(None, description="part of a name or e-mail address of theirs, whatever the case")


def _listed(reached: Reach) -> Any:
    """Every human that the reader sees, with what they are sorted by. The mark is a number, because not every database can compare true and false."""
    sort_active = func.min(case((Identity.active, 0), else_=1)).label("sort_active")
    sort_name = func.coalesce(func.min(Identity.name), "").label("sort_name")
    seen = (Identity.deleted_at.is_(None), *reached.people())
    return select(KEY.label("id"), sort_active, sort_name).where(*seen).group_by(KEY).subquery()


def _order(human: Any) -> Keyset:
    return Keyset((("sort_active", human.c.sort_active, int), ("sort_name", human.c.sort_name, str), ("id", human.c.id, UUID)))


ORDER = _order(_listed(Reach((), partial=False)))
"""For cursors: which columns a key has."""


def page(session: Session, asked: PeopleFilter, reached: Reach, today: date, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    """Those whom a tool lets in first, then by name."""
    human = _listed(reached)
    statement = select(human)
    if asked.active is not None:
        statement = statement.where(human.c.sort_active == (0 if asked.active else 1))
    if asked.q:
        fits = holds(Identity.name, asked.q) | holds(Identity.email, asked.q)
        statement = statement.where(human.c.id.in_(select(KEY).where(fits, Identity.deleted_at.is_(None), *reached.people())))
    rows, further = _order(human).page(session, statement, after, limit)
    return _with_tasks(session, [row["id"] for row in rows], reached, today), further


def one(session: Session, human_id: UUID, reached: Reach, today: date) -> Shape | None:
    """A human by the id of a person, of one that became another, or of any of their users."""
    former = session.scalar(select(Person.became_id).where(Person.id == human_id))
    own = session.scalar(select(Identity.person_id).where(Identity.id == human_id, *reached.people()))
    return next(iter(_with_tasks(session, [former or own or human_id], reached, today)), None)


def humans(session: Session, reached: Reach, ids: Collection[UUID]) -> dict[UUID, Shape]:
    """{id: {id, name, email, active, guest, agent, linked, identities}} as far as the reader sees them. One statement."""
    columns = [Identity.__table__.c[name] for name in IDENTITY]
    order = (Identity.active.desc(), Identity.name.is_(None), Identity.name, Identity.id)
    wanted = select(KEY.label("human"), *columns).where(KEY.in_(ids), Identity.deleted_at.is_(None), *reached.people()).order_by(*order)
    found: dict[UUID, list[Shape]] = defaultdict(list)
    tools = reached.tools
    for row in session.execute(wanted).mappings():
        found[row["human"]].append({**{name: row[name] for name in IDENTITY}, "tool": tools[row["connection_id"]]})
    return {human: _shape(human, identities) for human, identities in found.items()}


def _shape(human: UUID, identities: Sequence[Shape]) -> Shape:
    return {
        "id": human,
        "name": identities[0]["name"],
        "email": next((each["email"] for each in identities if each["email"]), None),
        "active": any(each["active"] for each in identities),
        "guest": all(each["guest"] for each in identities),
        "agent": all(each["agent"] for each in identities),
        "linked": len(identities) > 1,
        "identities": list(identities),
    }


def _with_tasks(session: Session, ids: Sequence[UUID], reached: Reach, today: date) -> list[Shape]:
    known, counted = humans(session, reached, ids), _open(session, ids, reached, today)
    none = {"open_tasks": 0, "overdue_tasks": 0}
    return [{**known[human], **counted.get(human, none)} for human in ids if human in known]


def _open(session: Session, ids: Sequence[UUID], reached: Reach, today: date) -> Mapping[UUID, Shape]:
    """A task that two users of one human have counts once."""
    late = func.count(case((overdue(today), Task.id)).distinct())
    counted = (
        select(KEY, func.count(Task.id.distinct()), late)
        .select_from(Identity)
        .join(Assignment, Assignment.assignee_id == Identity.id)
        .join(Task, Task.id == Assignment.task_id)
        .where(KEY.in_(ids), Task.status_category.not_in(SETTLED), *live(), *reached.people(), *reached.scope.tasks())
        .group_by(KEY)
    )
    return {who: {"open_tasks": tasks, "overdue_tasks": behind} for who, tasks, behind in session.execute(counted)}
