"""What can be told only when a run has seen everything: new projects, which may be a wider view and not new work, and new subtasks whose parents came
after them, so that nobody knew where they lie. Both are in the tables since their page; a run killed in between leaves them to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from hub import events
from hub.events import Draft, EventType
from hub.models import Connection, Coverage, Event, Project, Task
from hub.sync import gone, relations
from hub.sync.diff import project_events, summed_up, task_events
from hub.sync.store import PASS_LIFE
from hub.sync.write import Account

NEW = 2 * PASS_LIFE
"""Nothing older is told as new: its event may have been forgotten since."""


def orphans(session: Session, account: Account, now: datetime) -> list[UUID]:
    """New subtasks that lie nowhere yet and are not told; to be asked before tasks are settled."""
    told = exists().where(Event.entity_id == Task.id)
    since = select(Connection.history_from).where(Connection.id == account.connection_id).scalar_subquery()
    homeless = (Task.project_id.is_(None), Task.home_inherited, Task.deleted_at.is_(None))
    wanted = select(Task.id).where(Task.connection_id == account.connection_id, *homeless, Task.first_seen_at > since, ~told)
    return list(session.scalars(wanted.where(Task.first_seen_at > now - NEW)))


def tell(session: Session, account: Account, found: Sequence[UUID], is_baseline: Callable[[UUID | None], bool], now: datetime) -> None:
    """Tells new projects, and the ``found`` orphans that lie in a known project now or whose parent the tool shows to nobody. The caller's
    transaction."""
    if account.is_first(session):
        return
    created = [draft for row in session.execute(_new_projects(account.connection_id)).mappings() for draft in project_events(None, dict(row), [])]
    drafts = summed_up(created, account.connection_id, EventType.CONNECTION_SCOPE_CHANGED) + _tasks(session, found, is_baseline)
    events.append(session, drafts, connection_id=account.connection_id, change_set=uuid4(), now=now)


def _new_projects(connection_id: UUID) -> Select[tuple[object, ...]]:
    """Every run that ends keeps books on each project that it read: one without books is new, unless a run that failed in it has told it."""
    kept = exists().where(Coverage.container_id == Project.id)
    told = exists().where(Event.entity_id == Project.id)
    return select(Project.__table__).where(Project.connection_id == connection_id, Project.deleted_at.is_(None), ~kept, ~told)


def _tasks(session: Session, found: Sequence[UUID], is_baseline: Callable[[UUID | None], bool]) -> list[Draft]:
    drafts: list[Draft] = []
    for part in gone.chunks(found):
        beside = relations.held(session, part)
        for row in session.execute(select(Task.__table__).where(Task.id.in_(part))).mappings():
            if row["project_id"] is None or not is_baseline(row["project_id"]):
                drafts += task_events(None, dict(row), [], beside.get(row["id"]))
    return drafts
