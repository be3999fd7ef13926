"""/tasks and /milestones: the same shape, filters and functions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from connectors.records import DependencyType, FieldType, Priority, StatusCategory, TaskKind
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.figures import Named
from hub.api.hub import Hub, HubHere
from hub.api.paging import Paging, Zoned
from hub.api.problems import not_found
from hub.portfolio import history, tasks
from hub.portfolio.keyset import Keyset
from hub.portfolio.reach import meta
from hub.portfolio.shapes import task_shapes

router = APIRouter(tags=["tasks"])


class AssigneeShape(BaseModel):
    """``kind``: identity (a person) or team; a team has no e-mail address."""

    id: UUID
    name: str | None
    email: str | None
    kind: str


class DependsOnShape(BaseModel):
    """``assumed``: the tool does not say the type."""

    task_id: UUID
    type: DependencyType
    lag_minutes: int
    assumed: bool


class CustomFieldShape(BaseModel):
    """``value``: a list of ids for people and related tasks, [from, to] for a range, names for options."""

    id: UUID
    name: str | None
    type: FieldType | None
    value: Any


class TaskShape(BaseModel):
    """A task, milestone or approval. ``status`` is the tool's word, ``status_category`` what it counts as. Dates are days as the tool's users see
    them; ``*_at`` are set where the tool knows a time."""

    id: UUID
    tool: str
    connection_id: UUID
    external_id: str
    url: str | None
    kind: TaskKind
    title: str
    project_id: UUID | None = Field(description="its home")
    project_ids: list[UUID] = Field(description="all projects it is in by itself")
    section: Named | None
    parent_id: UUID | None
    status: str | None
    status_category: StatusCategory
    assignees: list[AssigneeShape]
    priority: Priority
    start_on: date | None
    start_at: datetime | None
    due_on: date | None
    due_at: datetime | None
    completed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    estimate_minutes: int | None
    logged_minutes: int | None
    progress: int | None = Field(description="0 to 100")
    tags: list[str]
    custom_fields: list[CustomFieldShape]
    depends_on: list[DependsOnShape]
    archived: bool = Field(description="it, or something above it, is archived")
    deleted_at: datetime | None


class TaskQuery(tasks.TaskFilter, Paging, Zoned):
    pass


class MovementShape(BaseModel):
    """How its due date moved. ``first_due_on``: the first that is known, or the one at ``since``; ``delta_days`` null: one of the two dates is
    missing; ``known_from``: nothing is known of the time before, null: nothing at all."""

    first_due_on: date | None
    due_on: date | None
    delta_days: int | None
    moves: int
    known_from: date | None


class DatedMilestoneShape(TaskShape):
    movement: MovementShape


class MilestoneQuery(tasks.MilestoneFilter, Paging, Zoned):
    since: date | None = Field(None, ge=tasks.EARLIEST.date(), description="movement since this day; else since changes are known")
    moved: bool | None = Field(None, description="true: only those that moved (since the day given)")


@router.get("/tasks", summary="Tasks by filter", response_model=Listed[TaskShape])
def list_tasks(request: Request, hub: HubHere, asked: Annotated[TaskQuery, Query()]) -> Response:
    """Ordered by id, or with `changed_since` by the order of changes. Take `meta.position` of the walk's last page as the next `changed_since`."""
    order = tasks.BY_ID if asked.changed_since is None else tasks.BY_POSITION
    return answers.tagged(request, _page(hub, asked, order))


@router.get("/milestones", summary="Milestones by due date", response_model=Listed[DatedMilestoneShape])
def list_milestones(request: Request, hub: HubHere, asked: Annotated[MilestoneQuery, Query()]) -> Response:
    """The earliest due first, those without a date last; filters as for tasks. Each with how its due date moved."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        moved = [] if asked.moved is None else [history.moved_since(reached, day, asked.since)]
        extra = moved if asked.moved is not False else [~each for each in moved]
        order = tasks.BY_DUE
        rows, further = tasks.page(session, tasks.milestones(asked), reached, day.today, order, asked.after(order), asked.limit, extra=extra)
        moves = history.movements(session, reached, day, [row["id"] for row in rows], asked.since)
        shapes = [shape | {"movement": moves[shape["id"]]} for shape in task_shapes(session, rows, reached)]
        said = meta(session, reached, day, containers=asked.project_id)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), said))


@router.get("/tasks/{task_id}", summary="One task", response_model=Single[TaskShape])
def read_task(request: Request, hub: HubHere, task_id: UUID) -> Response:
    """Deleted tasks are shown too, with `deleted_at`; not those that the tool no longer lets the hub see."""
    with hub.database.reading() as session:
        reached = hub.reach(session)
        row = tasks.one(session, task_id, reached)
        if row is None:
            raise not_found("task")
        shape = task_shapes(session, [row], reached)[0]
        mine = hub.reach_of(session, row["connection_id"])
        return answers.tagged(request, answers.single(shape, meta(session, mine, hub.day())))


def _page(hub: Hub, asked: TaskQuery, order: Keyset) -> Response:
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        place = tasks.position(session)
        reached = hub.reach(session, asked)
        rows, further = tasks.page(session, asked, reached, day.today, order, asked.after(order), asked.limit)
        shapes = task_shapes(session, rows, reached)
        said = meta(session, reached, day, containers=asked.project_id)
    if asked.changed_since is not None:
        # Rows of one write share a position, so a walk that stops early goes on just before the last row's: seen twice rather than never.
        said["position"] = place if further is None else rows[-1]["position"] - 1
    return answers.listed(shapes, asked.next_cursor(further), said)
