"""/figures, /board, /workload, /flow, /burn-up, /aging, /changes and a task's history: what the pages show, for programs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from connectors.records import Priority, StatusCategory, TaskKind
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.figures import Named
from hub.api.hub import HubHere
from hub.api.paging import Paging, Zoned
from hub.api.problems import not_found
from hub.api.tasks import AssigneeShape
from hub.portfolio import board, burnup, changes, definitions, flow, history, tasks, workload
from hub.portfolio.reach import meta
from hub.portfolio.tasks import EARLIEST, Chosen
from hub.portfolio.triage import triage

router = APIRouter(tags=["views"])
FIRST, LAST = EARLIEST.date(), date(9000, 1, 1)
Past = Annotated[date, Field(ge=FIRST, le=LAST)]


class FigureShape(BaseModel):
    name: str
    formula: str
    unit: str


class AgeShape(BaseModel):
    """``at_least``: no change of status is known, the hub has seen it so since then."""

    days_in_status: int
    since: date
    at_least: bool


class CardShape(AgeShape):
    id: UUID
    connection_id: UUID
    tool: str
    kind: TaskKind
    title: str
    url: str | None
    parent_id: UUID | None
    status: str | None
    status_category: StatusCategory
    priority: Priority
    start_on: date | None
    due_on: date | None
    due_at: datetime | None
    completed_at: datetime | None
    estimate_minutes: int | None
    progress: int | None
    overdue: bool
    blocked: bool
    assignees: list[AssigneeShape]


class ColumnShape(BaseModel):
    """``tasks``: how many there are; ``cards``: the first of them, the earliest due first."""

    id: str | None
    name: str | None
    tasks: int
    cards: list[CardShape]


class CellShape(BaseModel):
    """``capacity_minutes`` null: nobody's working time (a team, or no one); ``percent`` null: no working time to compare with."""

    week: date
    minutes: float
    tasks: int
    capacity_minutes: int | None
    percent: float | None
    over: bool


class ApartShape(BaseModel):
    """``minutes`` null: unknown, not zero."""

    tasks: int
    minutes: float | None


class UserShape(BaseModel):
    id: UUID
    tool: str | None
    name: str | None
    email: str | None
    linked: bool


class LoadAssignee(BaseModel):
    id: UUID
    name: str | None
    kind: Literal["person", "identity", "team"]


class LoadShape(BaseModel):
    """``assignee`` null: what nobody has. ``linked`` false: one tool's user of whom the hub does not know which human it is."""

    assignee: LoadAssignee | None
    users: list[UserShape]
    linked: bool
    weeks: list[CellShape]
    load: list[float]
    overdue: ApartShape
    undated: ApartShape
    unestimated: ApartShape


class WorkloadShape(BaseModel):
    weeks: list[date]
    people: list[LoadShape]


class FlowWeek(BaseModel):
    """``known`` false: changes were not recorded for the whole week; its figures are null."""

    week: date
    known: bool
    finished: int | None
    cycle_days: float | None
    measured: int | None


class FlowShape(BaseModel):
    weeks: list[FlowWeek]
    known_from: date | None


class PointShape(BaseModel):
    """``week``: at its beginning; null: now. ``known`` false: before changes were recorded, its figures are null."""

    week: date | None
    known: bool
    scope: int | None
    done: int | None


class BurnUpShape(BaseModel):
    points: list[PointShape]
    known_from: date | None


class StuckShape(AgeShape):
    id: UUID
    title: str
    url: str | None
    tool: str
    status: str | None
    status_category: StatusCategory
    project_id: UUID | None
    project: str | None


class ChangeShape(BaseModel):
    """One field of one task or project. ``old`` and ``new`` hold ids, ``old_names`` and ``new_names`` the names of those ids as they are now.

    ``occurred_at``: as the tool says, null where it does not; precision ``between``: after ``occurred_after`` and not later than that (else than
    ``recorded_at``)."""

    id: int
    change_set: UUID
    entity: str
    entity_id: UUID
    field: str
    field_name: str | None
    old: Any
    new: Any
    old_names: list[str | None]
    new_names: list[str | None]
    at: datetime
    occurred_at: datetime | None
    occurred_after: datetime | None
    recorded_at: datetime
    precision: str
    actor: Named | None


class TitledChange(ChangeShape):
    tool: str
    title: str | None
    url: str | None
    kind: TaskKind | None


class ProjectChanges(BaseModel):
    project: Named | None
    items: list[TitledChange]


class SummaryShape(BaseModel):
    """Tasks, each counted once in each column. ``changed``: with any change at all."""

    project: Named | None
    tool: str
    created: int
    finished: int
    reopened: int
    later: int
    earlier: int
    reassigned: int
    deleted: int
    changed: int


class BoardQuery(Zoned):
    project_id: UUID = Field(description="the project")
    by: board.By = Field(board.By.CATEGORY, description="columns by what a status counts as, by the tool's sections, or by who has the task")
    limit: int = Field(100, ge=1, le=1000, description="cards a column")


class WorkloadQuery(Chosen, Zoned):
    first: Past | None = Field(None, alias="from", description="a day of the first week; else today")
    weeks: int = Field(6, ge=1, le=26, description="how many weeks")


class FlowQuery(Chosen, Zoned):
    project_id: list[UUID] = Field([], description="tasks at home there; repeatable")
    weeks: int = Field(12, ge=1, le=104, description="how many weeks, the present one included")


class BurnUpQuery(Zoned):
    project_id: list[UUID] = Field(min_length=1, max_length=100, description="tasks at home there; repeatable")
    weeks: int = Field(12, ge=1, le=104, description="how many weeks, the present one included")


class AgingQuery(Chosen, Zoned):
    project_id: list[UUID] = Field([], description="tasks at home there; repeatable")
    limit: int = Field(25, ge=1, le=1000, description="how many")


class ChangesQuery(changes.ChangesFilter, Paging, Zoned):
    since: Past | None = Field(None, description="the first day; else seven days ago")


class SummaryQuery(Chosen, Zoned):
    since: Past | None = Field(None, description="the first day; else seven days ago")


@router.get("/figures", summary="What the figures mean", response_model=Listed[FigureShape])
def list_figures(request: Request, hub: HubHere) -> Response:
    """Each figure's formula in words and its unit, all in one page."""
    rows = [{"name": figure.name, "formula": figure.formula, "unit": figure.unit} for figure in definitions.FIGURES]
    with hub.database.reading() as session:
        return answers.tagged(request, answers.listed(rows, None, meta(session, hub.reach(session), hub.day())))


@router.get("/board", summary="A project as a board", response_model=Listed[ColumnShape])
def read_board(request: Request, hub: HubHere, asked: Annotated[BoardQuery, Query()]) -> Response:
    """Its live tasks in columns, all in one page."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session)
        columns = board.board(session, asked.project_id, reached, day, asked.by, asked.limit)
        return answers.tagged(request, answers.listed(columns, None, meta(session, reached, day, containers=[asked.project_id])))


@router.get("/workload", summary="Who has how much to do", response_model=Single[WorkloadShape])
def read_workload(request: Request, hub: HubHere, asked: Annotated[WorkloadQuery, Query()]) -> Response:
    """Per person and week over all tools, against working time; the most loaded first. Work without dates or estimates stands apart."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shape = workload.workload(session, reached, day, first=asked.first, weeks=asked.weeks)
        return answers.tagged(request, answers.single(shape, meta(session, reached, day)))


@router.get("/flow", summary="What gets finished, week by week", response_model=Single[FlowShape])
def read_flow(request: Request, hub: HubHere, asked: Annotated[FlowQuery, Query()]) -> Response:
    """Throughput and cycle time; weeks before changes were recorded are null."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shape = flow.flow(session, reached, day, weeks=asked.weeks, projects=asked.project_id)
        return answers.tagged(request, answers.single(shape, meta(session, reached, day, containers=asked.project_id)))


@router.get("/burn-up", summary="How a project grew, and how much of it is done", response_model=Single[BurnUpShape])
def read_burn_up(request: Request, hub: HubHere, asked: Annotated[BurnUpQuery, Query()]) -> Response:
    """At the beginning of each week and now; what lies before changes were recorded is null."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session)
        shape = burnup.burn_up(session, reached, day, asked.project_id, weeks=asked.weeks)
        return answers.tagged(request, answers.single(shape, meta(session, reached, day, containers=asked.project_id)))


@router.get("/aging", summary="What has been in its status longest", response_model=Listed[StuckShape])
def read_aging(request: Request, hub: HubHere, asked: Annotated[AgingQuery, Query()]) -> Response:
    """Started and blocked tasks, the oldest first, all in one page."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        rows = history.oldest(session, reached, day, triage(session, reached), projects=asked.project_id, limit=asked.limit)
        return answers.tagged(request, answers.listed(rows, None, meta(session, reached, day, containers=asked.project_id)))


@router.get("/changes", summary="What changed since a day", response_model=Listed[ProjectChanges])
def list_changes(request: Request, hub: HubHere, asked: Annotated[ChangesQuery, Query()]) -> Response:
    """By project, newest first in each; `limit` counts changes, a project that does not fit on a page goes on on the next one. Nothing is
    known before `meta.history_from`."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        first = asked.since or day.today - timedelta(days=7)
        shapes, further = changes.page(session, asked, reached, day, first, asked.after(changes.BY_PROJECT), asked.limit)
        said = meta(session, reached, day, containers=asked.project_id)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), said))


@router.get("/changes/summary", summary="How much changed since a day", response_model=Listed[SummaryShape])
def summarise_changes(request: Request, hub: HubHere, asked: Annotated[SummaryQuery, Query()]) -> Response:
    """By project, the most changed first, all in one page."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        rows = changes.summary(session, reached, day, asked.since or day.today - timedelta(days=7))
        return answers.tagged(request, answers.listed(rows, None, meta(session, reached, day)))


@router.get("/tasks/{task_id}/history", summary="What changed in a task", response_model=Listed[ChangeShape])
def read_task_history(request: Request, hub: HubHere, task_id: UUID, asked: Annotated[Paging, Query()]) -> Response:
    """Newest first; names as they are now beside the ids. Nothing is known before `meta.history_from`."""
    with hub.database.reading() as session:
        row = tasks.one(session, task_id, hub.reach(session))
        if row is None:
            raise not_found("task")
        mine = hub.reach_of(session, row["connection_id"])
        shapes, further = changes.of_task(session, task_id, mine, asked.after(changes.NEWEST), asked.limit)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, mine, hub.day())))
