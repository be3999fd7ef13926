"""What changed: of one task, newest first; and over all tools since a day, by project. Names stand beside the ids, as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic import Field as Param
from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from connectors.records import TaskKind
from hub.models import Change, Field, Identity, Project, Section, Status, StatusMapping, Task, Team
from hub.portfolio.history import AT, since
from hub.portfolio.kept import kept
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.moments import json_date, json_uuid, only
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tasks import SETTLED, Chosen, present
from hub.portfolio.texts import Text
from hub.portfolio.triage import triage

Shape = dict[str, Any]
NOWHERE = UUID(int=0)
"""Stands for no project: null would not compare."""

NEWEST = Keyset((("at", AT, datetime), ("id", Change.id, int)), descending=True)
HOME = func.coalesce(case((Change.entity == "project", Change.entity_id), else_=Task.project_id), literal(NOWHERE, Task.project_id.type))
BY_PROJECT = Keyset((("home", HOME, UUID), ("at", AT, datetime), ("id", Change.id, int)), descending=True)
ROW = (
    *(Change.id, Change.connection_id, Change.change_set, Change.entity, Change.entity_id, Change.field, Change.old, Change.new),
    *(Change.occurred_at, Change.occurred_after, Change.recorded_at, Change.precision, Change.actor_id, AT.label("at")),
)
NAMED: tuple[tuple[Any, Any], ...] = (
    *((each, each.name) for each in (Status, Section, Project, Identity, Team, Field)),
    (Task, Task.title),
)
"""Where the name of an id may be found; ids are unique over all of them."""
PLACES = ("project_id", "memberships", "section_id", "parent_id", "depends_on")


class ChangesFilter(Chosen):
    """Filters of changes."""

    project_id: list[UUID] = Param([], description="tasks at home there, and the project itself; repeatable")
    field: list[Text] = Param([], description="such as due_on, status_id, assignee_ids, deleted_at; repeatable")
    kind: list[TaskKind] = Param([], description="of tasks of this kind; repeatable")


def of_task(session: Session, task_id: UUID, reached: Reach, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    """One task's changes, newest first. ``occurred_at``: when the tool says it happened, null where it does not; ``recorded_at``: when the hub saw
    it; precision ``between``: some time after ``occurred_after`` and not later than that. ``actor``: null where the tool does not say who."""
    statement = select(*ROW).where(Change.entity == "task", Change.entity_id == task_id, *reached.where(Change.connection_id))
    rows, further = NEWEST.page(session, statement, after, limit)
    return _shapes(session, rows, reached), further


def page(
    session: Session, asked: ChangesFilter, reached: Reach, day: Day, first: date, after: Key | None, limit: int
) -> tuple[list[Shape], Key | None]:
    """[{project, items}]: changes since a day, newest first in each project; ``limit`` counts changes, a project that does not fit goes on on the
    next page. Only projects that count. A task's first appearance is no change: ``summary`` counts those."""
    statement = (
        select(*ROW, HOME.label("home"), Task.title, Task.url, Task.kind)
        .outerjoin(Task, and_(Task.id == Change.entity_id, Change.entity == "task"))
        .where(since(reached, day, first), Change.entity.in_(("task", "project")), or_(Task.id.is_(None), Task.access_lost_at.is_(None)))
        .where(*_seen(reached))
    )
    rows, further = BY_PROJECT.page(session, _chosen(session, asked, reached, statement), after, limit)
    shapes = _shapes(session, rows, reached)
    names = dict(session.execute(select(Project.id, Project.name).where(Project.id.in_({row["home"] for row in rows}))).all())
    tools = reached.tools
    made = []
    for home, group in groupby(zip(rows, shapes, strict=True), key=lambda pair: pair[0]["home"]):
        items = [
            {**shape, "tool": tools[row["connection_id"]], "title": row["title"], "url": row["url"], "kind": row["kind"]} for row, shape in group
        ]
        made.append({"project": {"id": home, "name": names.get(home)} if home != NOWHERE else None, "items": items})
    return made, further


def _seen(reached: Reach) -> list[ColumnElement[bool]]:
    """Rows of tasks at home in what the reader sees, and of the projects themselves."""
    if reached.scope.everything:
        return []
    project = and_(Change.entity == "project", Change.entity_id.in_(reached.scope.project_ids()))
    return [or_(and_(Change.entity == "task", *reached.scope.tasks()), project)]


def _chosen(session: Session, asked: ChangesFilter, reached: Reach, statement: Select[Any]) -> Select[Any]:
    sorting = triage(session, reached)
    if sorting.decided:
        statement = statement.where(HOME.in_(select(Project.id).where(sorting.of == "in")))
    if asked.project_id:
        statement = statement.where(HOME.in_(asked.project_id))
    if asked.field:
        statement = statement.where(Change.field.in_(asked.field))
    if asked.kind:
        statement = statement.where(Task.kind.in_([kind.value for kind in asked.kind]))
    return statement


def summary(session: Session, reached: Reach, day: Day, first: date) -> list[Shape]:
    """By project: how many tasks are new, were finished, reopened, moved later, moved earlier, reassigned, deleted or otherwise changed since a day;
    the most changed project first. A task counts once in each of these, however often it changed. Kept until something changes: for reading only."""
    return kept(session, reached, day, ("summary", first), lambda: _summary(session, reached, day, first))


def _summary(session: Session, reached: Reach, day: Day, first: date) -> list[Shape]:
    status, due, gone = (Change.field == name for name in ("status_id", "due_on", "deleted_at"))
    before, mapped = (_category(only(status, value)) for value in (Change.old, Change.new))
    old_due, new_due = (json_date(only(due, value)) for value in (Change.old, Change.new))
    kinds = {
        "finished": and_(status, mapped.in_(SETTLED), func.coalesce(before, "").not_in(SETTLED)),
        "reopened": and_(status, before.in_(SETTLED), func.coalesce(mapped, "").not_in(SETTLED)),
        "later": new_due > old_due,
        "earlier": new_due < old_due,
        "reassigned": Change.field == "assignee_ids",
        "deleted": json_date(only(gone, Change.new)).is_not(None),
        "changed": Change.id.is_not(None),
    }
    counted = [func.count(case((condition, Change.entity_id)).distinct()).label(name) for name, condition in kinds.items()]
    sorting = triage(session, reached).tasks()
    changed = (
        select(Task.connection_id, Task.project_id, *counted)
        .join(Task, and_(Task.id == Change.entity_id, Change.entity == "task"))
        .where(since(reached, day, first), Task.access_lost_at.is_(None), *reached.scope.tasks(), *sorting)
        .group_by(Task.connection_id, Task.project_id)
    )
    new = (
        select(Task.connection_id, Task.project_id, func.count().label("created"))
        .where(Task.created_at >= day.midnight(first), *present(), *reached.tasks(), *sorting)
        .group_by(Task.connection_id, Task.project_id)
    )
    zero = {"created": 0, **dict.fromkeys(kinds, 0)}
    found: dict[tuple[UUID, UUID | None], Shape] = {}
    for row in (*session.execute(changed).mappings(), *session.execute(new).mappings()):
        found.setdefault((row["connection_id"], row["project_id"]), dict(zero)).update({name: row[name] for name in zero if name in row})
    names = dict(session.execute(select(Project.id, Project.name).where(Project.id.in_({project for _, project in found}))).all())
    made = [
        {"project": {"id": project, "name": names.get(project)} if project else None, "tool": reached.tools[connection], **numbers}
        for (connection, project), numbers in found.items()
    ]
    return sorted(made, key=lambda line: (-line["changed"] - line["created"], str(line["project"])))


def _category(status: Any) -> Any:
    """What a status in a change row counts as now."""
    return select(StatusMapping.category).where(StatusMapping.status_id == json_uuid(status)).correlate(Change).scalar_subquery()


def _shapes(session: Session, rows: Sequence[RowMapping], reached: Reach) -> list[Shape]:
    wanted: set[UUID] = set()
    for row in rows:
        wanted.update(_ids(row["field"], row["old"]), _ids(row["field"], row["new"]), [row["actor_id"]] if row["actor_id"] else [])
        if row["field"].startswith("custom_fields."):
            wanted.add(UUID(row["field"].partition(".")[2]))
    names = _names(session, wanted, reached)
    return [_shape(row, names, bound=not reached.scope.everything) for row in rows]


def _shape(row: RowMapping, names: Mapping[UUID, str | None], *, bound: bool) -> Shape:
    field, _, key = row["field"].partition(".")
    plain = ("id", "change_set", "entity", "entity_id", "occurred_at", "occurred_after", "recorded_at", "precision")
    old, new = (_only(row[each], names) if bound and field in PLACES else row[each] for each in ("old", "new"))
    return {
        **{name: row[name] for name in plain},
        "old": old,
        "new": new,
        "at": row["at"],
        "field": row["field"],
        "field_name": names.get(UUID(key)) if key else field,
        "old_names": [names.get(each) for each in _ids(row["field"], old)],
        "new_names": [names.get(each) for each in _ids(row["field"], new)],
        "actor": {"id": row["actor_id"], "name": names.get(row["actor_id"])} if row["actor_id"] else None,
    }


def _ids(field: str, value: Any) -> list[UUID]:
    """The ids in a change row's value, in its order: of references, and of custom fields that hold people or tasks."""
    if isinstance(value, list):
        return [found for each in value for found in _ids(field, each)]
    if not isinstance(value, str) or not (
        field.endswith(("_id", "_ids")) or field in ("memberships", "depends_on") or field.startswith("custom_fields.")
    ):
        return []
    try:
        return [UUID(value)] if len(value) == 36 else []
    except ValueError:
        return []


def _only(value: Any, names: Mapping[UUID, str | None]) -> Any:
    """Of places and tasks those that the reader sees: a change of a task that is seen must not tell where else it is. A membership is a list that
    begins with its project, a dependency one that begins with its task."""
    if not isinstance(value, list):
        return value if all(each in names for each in _ids("_id", value)) else None
    return [each for each in value if all(one in names for one in _ids("_id", each)[:1])]


def _names(session: Session, ids: set[UUID], reached: Reach) -> Mapping[UUID, str | None]:
    """One statement over all tables that have names; those that were not read have none, nor has what the reader does not see."""
    if not ids:
        return {}
    seen: dict[Any, list[ColumnElement[bool]]] = {
        Project: reached.scope.projects(),
        Task: reached.scope.listed(),
        Section: [] if reached.scope.everything else [Section.project_id.in_(reached.scope.project_ids())],
    }
    first, *rest = [select(of.id, name.label("name")).where(of.id.in_(ids), *seen.get(of, ())) for of, name in NAMED]
    return {key: name for key, name in session.execute(first.union_all(*rest))}  # noqa: C416  a result's rows are no pairs to mypy
