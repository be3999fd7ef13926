"""Tasks by filter, a page at a time; the one place that says which tasks a reader sees."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement, String, cast, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from connectors.records import Priority, StatusCategory, TaskKind
from hub import events
from hub.models import Assignment, Identity, Person, Task, TaskProject
from hub.portfolio.fold import holds
from hub.portfolio.keyset import LARGEST, Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.texts import Text

SETTLED = (StatusCategory.DONE.value, StatusCategory.CANCELLED.value)
COLUMNS = tuple(
    Task.__table__.c[name]
    for name in (
        *("id", "connection_id", "external_id", "url", "kind", "title", "project_id", "section_id", "parent_id", "status", "status_category"),
        *("priority", "start_on", "start_at", "due_on", "due_at", "completed_at", "created_at", "updated_at", "estimate_minutes"),
        *("logged_minutes", "progress", "tags", "custom_fields", "archived_effective", "deleted_at", "position"),
    )
)
BY_ID = Keyset((("id", Task.id, UUID),))
BY_POSITION = Keyset((("position", Task.position, int), ("id", Task.id, UUID)))
NO_DUE = date(9999, 12, 31)
BY_DUE = Keyset((("sort_due", func.coalesce(Task.due_on, literal(NO_DUE)), date), ("id", Task.id, UUID)))
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)

Instant = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]


class Archived(StrEnum):
    FALSE = "false"
    TRUE = "true"
    ANY = "any"


class Concerned(BaseModel):
    """Filters that name connections; what every list knows."""

    tool: list[str] = Field([], description="the tool; repeat it for several")
    connection_id: list[UUID] = Field([], description="the connection; repeatable")


class Chosen(Concerned):
    """Filters of what belongs to projects: a portfolio narrows them too."""

    portfolio_id: list[UUID] = Field([], description="what belongs to this portfolio of the PMO's own, or to one below it; repeatable")


class MilestoneFilter(Chosen):
    """Filters of milestones, and of tasks. Different filters narrow each other; a filter given several times means any of its values."""

    project_id: list[UUID] = Field([], description="any project the task is in, its home or another; repeatable")
    external_id: list[Text] = Field([], description="the tool's own id; repeatable")
    assignee_id: list[UUID] = Field([], description="whom it is assigned to: a person, a tool's user or a team; repeatable")
    status_category: list[StatusCategory] = Field([], description="what its status counts as; repeatable")
    priority: list[Priority] = Field([], description="repeatable")
    tag: list[Text] = Field([], description="a tag as the tool writes it; repeatable")
    due_before: date | None = Field(None, description="due before this day (the day itself not included)")
    due_after: date | None = Field(None, description="due on this day or later")
    updated_after: Instant | None = Field(None, description="changed in the tool after this instant, such as 2026-01-31T09:00:00Z")
    overdue: bool | None = Field(None, description="due before today and neither done nor cancelled")
    archived: Archived | None = Field(None, description="false (the default), true or any; archived is also what lies under something archived")
    include_deleted: bool = Field(False, description="also what was deleted in the tool, and what the tool no longer lets the hub see")
    q: Text | None = Field(None, description="part of the title, whatever the case")


class TaskFilter(MilestoneFilter):
    """Filters of tasks of every kind."""

    kind: list[TaskKind] = Field([], description="repeatable")
    changed_since: int | None = Field(
        None,
        ge=0,
        lt=LARGEST,
        description="changed in the hub after this position, deletions included, in the order of the changes; begin with 0, go on with the answer's "
        "meta.position. Archived tasks are then shown too, unless archived says otherwise",
    )


def milestones(asked: MilestoneFilter) -> TaskFilter:
    """The same filter, of milestones only."""
    given = {name: getattr(asked, name) for name in MilestoneFilter.model_fields}
    return TaskFilter.model_construct(**given, kind=[TaskKind.MILESTONE], changed_since=None)


def open_(of: Any = Task) -> ColumnElement[bool]:
    """Open: neither done nor cancelled."""
    still: ColumnElement[bool] = of.status_category.not_in(SETTLED)
    return still


def overdue(today: date) -> ColumnElement[bool]:
    """Overdue: open, and due before today."""
    return (Task.due_on < today) & open_()


def present(of: Any = Task) -> list[ColumnElement[bool]]:
    """Neither deleted nor refused by the tool."""
    return [of.deleted_at.is_(None), of.access_lost_at.is_(None)]


def live(of: Any = Task) -> list[ColumnElement[bool]]:
    """What counts: present and not archived."""
    return [*present(of), of.archived_effective.is_(False)]


def in_projects(reached: Reach, project_ids: Collection[UUID]) -> ColumnElement[bool]:
    """By membership or by inherited home. IN over two indexes: an EXISTS for each task costs seconds on a million of them."""
    seen = reached.seen_projects(project_ids)
    members = select(TaskProject.task_id).where(TaskProject.project_id.in_(seen))
    return or_(Task.project_id.in_(seen), Task.id.in_(members))


def conditions(session: Session, asked: TaskFilter, reached: Reach, today: date) -> list[ColumnElement[bool]]:
    """The WHERE of a filter."""
    wanted = [*reached.listed(), *_shown(asked), *_chosen(asked)]
    if asked.project_id:
        wanted.append(in_projects(reached, asked.project_id))
    if asked.assignee_id:
        meant = assignees_meant(session, asked.assignee_id)
        wanted.append(Task.id.in_(select(Assignment.task_id).where(Assignment.assignee_id.in_(meant))))
    if asked.tag:
        wanted.append(_tagged(session, asked.tag))
    if asked.due_before:
        wanted.append(Task.due_on < asked.due_before)
    if asked.due_after:
        wanted.append(Task.due_on >= asked.due_after)
    if asked.updated_after:
        wanted.append(Task.updated_at > asked.updated_after)
    if asked.changed_since is not None:
        wanted.append(Task.position > asked.changed_since)
    if asked.overdue is not None:
        wanted.append(overdue(today) if asked.overdue else ~func.coalesce(overdue(today), false()))
    if asked.q:
        wanted.append(holds(Task.title, asked.q))
    return wanted


def assignees_meant(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """The users and teams that a filter by assignee means: for a person, or one that became another, all of its users; a user is only itself."""
    persons = select(func.coalesce(Person.became_id, Person.id)).where(Person.id.in_(ids))
    return {*ids, *session.scalars(select(Identity.id).where(Identity.person_id.in_(persons)))}


def _shown(asked: TaskFilter) -> list[ColumnElement[bool]]:
    follows = asked.changed_since is not None
    archived = asked.archived or (Archived.ANY if follows else Archived.FALSE)
    shown = [] if asked.include_deleted or follows else present()
    return shown if archived is Archived.ANY else [*shown, Task.archived_effective.is_(archived is Archived.TRUE)]


def _chosen(asked: TaskFilter) -> list[ColumnElement[bool]]:
    columns: tuple[tuple[Any, Sequence[Any]], ...] = (
        (Task.external_id, asked.external_id),
        (Task.status_category, asked.status_category),
        (Task.kind, asked.kind),
        (Task.priority, asked.priority),
    )
    return [column.in_([str(value) for value in values]) for column, values in columns if values]


def _tagged(session: Session, tags: Sequence[str]) -> ColumnElement[bool]:
    if session.get_bind().dialect.name == "postgresql":
        return or_(*(cast(Task.tags, JSONB).contains([tag]) for tag in tags))
    each = func.json_each(Task.tags).table_valued("value")
    return select(literal(1)).select_from(each).where(cast(each.c.value, String).in_(tags)).exists()


def page(
    session: Session,
    asked: TaskFilter,
    reached: Reach,
    today: date,
    order: Keyset,
    after: Key | None,
    limit: int,
    *,
    extra: Sequence[ColumnElement[bool]] = (),
) -> tuple[Sequence[RowMapping], Key | None]:
    """One page of a filter's tasks in the given order. ``extra``: further conditions."""
    sorting = [BY_DUE.columns[0][1].label("sort_due")] if order is BY_DUE else []
    statement = select(*COLUMNS, *sorting).where(*conditions(session, asked, reached, today), *extra)
    return order.page(session, statement, after, limit)


def position(session: Session) -> int:
    """Where the hub's log of writes stands. To be read before the tasks: writers commit in the order of
    positions, so nothing up to it can turn up later."""
    return events.position(session, "position")


def one(session: Session, task_id: UUID, reached: Reach) -> RowMapping | None:
    """A task by id, deleted ones included; not what the tool refuses now."""
    statement = select(*COLUMNS).where(Task.id == task_id, Task.access_lost_at.is_(None), *reached.listed())
    return session.execute(statement).mappings().one_or_none()
