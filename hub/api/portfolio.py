"""/portfolio, /projects, /containers, /people: what there is, with its figures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from connectors.records import ContainerKind
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.hub import HubHere
from hub.api.paging import Paging, Zoned
from hub.api.problems import not_found
from hub.api.tasks import Named
from hub.portfolio import containers, people, projects, rollup
from hub.portfolio.reach import meta
from hub.portfolio.tasks import Concerned

router = APIRouter(tags=["portfolio"])


class MilestoneShape(BaseModel):
    id: UUID
    title: str
    due_on: date
    project_id: UUID | None


class ByCategory(BaseModel):
    backlog: int
    unstarted: int
    started: int
    blocked: int
    done: int
    cancelled: int
    unknown: int = Field(description="statuses whose meaning an admin should say")


class Figures(BaseModel):
    """Live tasks of every kind and depth, each counted once, at its home. ``overdue``: due before today, neither done nor cancelled."""

    tasks: int
    overdue: int
    by_category: ByCategory
    next_milestone: MilestoneShape | None


class TotalsShape(Figures):
    projects: int


class ConnectionLine(BaseModel):
    id: UUID
    name: str
    state: str
    last_synced_at: datetime | None


class ToolLine(TotalsShape):
    tool: str
    connections: list[ConnectionLine]


class ProjectLine(Figures):
    """``id`` null: the tool's tasks that are in no project."""

    id: UUID | None
    name: str | None
    tool: str
    connection_id: UUID


class PortfolioShape(BaseModel):
    totals: TotalsShape
    tools: list[ToolLine]
    projects: list[ProjectLine]


class HeldShape(BaseModel):
    """``vendor_count``: the tool's own count; ``proof``: what proves that all is held."""

    held: int
    vendor_count: int | None
    proof: str
    refused: str | None
    proved_at: datetime | None


class ProjectShape(Figures):
    id: UUID
    connection_id: UUID
    external_id: str
    url: str | None
    name: str
    container_id: UUID | None
    start_on: date | None
    due_on: date | None
    completed_at: datetime | None
    private: bool
    health: str | None
    health_text: str | None
    triage: str
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    tool: str
    owner: Named | None
    archived: bool
    coverage: HeldShape | None


class ContainerShape(BaseModel):
    id: UUID
    tool: str
    connection_id: UUID
    external_id: str
    kind: ContainerKind
    name: str
    parent_id: UUID | None
    archived: bool
    private: bool
    url: str | None
    projects: int = Field(description="projects directly in it")


class PersonShape(BaseModel):
    """One user of one tool. ``person_id``: the human, once several users are known to be one."""

    id: UUID
    tool: str
    connection_id: UUID
    external_id: str
    name: str | None
    email: str | None
    active: bool
    guest: bool
    agent: bool
    person_id: UUID | None
    open_tasks: int
    overdue_tasks: int


class PortfolioQuery(Concerned, Zoned):
    pass


class ProjectQuery(projects.ProjectFilter, Paging, Zoned):
    pass


class ContainerQuery(containers.ContainerFilter, Paging):
    pass


class PeopleQuery(people.PeopleFilter, Paging, Zoned):
    pass


@router.get("/portfolio", summary="Everything at a glance", response_model=Single[PortfolioShape])
def read_portfolio(request: Request, hub: HubHere, asked: Annotated[PortfolioQuery, Query()]) -> Response:
    """Per tool and project: tasks by category, overdue ones, the next milestone. Archived tasks do not count."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shape = rollup.portfolio(session, reached, day.today)
        return answers.tagged(request, answers.single(shape, meta(session, reached, day)))


@router.get("/projects", summary="Projects", response_model=Listed[ProjectShape])
def list_projects(request: Request, hub: HubHere, asked: Annotated[ProjectQuery, Query()]) -> Response:
    """What each tool calls a project, board or list: ordered by id."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = projects.page(session, asked, reached, day.today, asked.after(projects.BY_ID), asked.limit)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, reached, day)))


@router.get("/projects/{project_id}", summary="One project", response_model=Single[ProjectShape])
def read_project(hub: HubHere, project_id: UUID, asked: Annotated[Zoned, Query()]) -> Response:
    """Deleted projects are shown too, with `deleted_at`; `meta.coverage` is the project's own."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        shape = projects.one(session, project_id, hub.reach(session), day.today)
        if shape is None:
            raise not_found("project")
        mine = hub.reach_of(session, shape["connection_id"])
        return answers.single(shape, meta(session, mine, day, containers=[project_id]))


@router.get("/containers", summary="The tools' own trees", response_model=Listed[ContainerShape])
def list_containers(hub: HubHere, asked: Annotated[ContainerQuery, Query()]) -> Response:
    """Workspaces, teams, spaces, folders and portfolios, ordered by id; `parent_id` makes the tree."""
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = containers.page(session, asked, reached, asked.after(containers.BY_ID), asked.limit)
        return answers.listed(shapes, asked.next_cursor(further), meta(session, reached, hub.day()))


@router.get("/people", summary="The tools' users", response_model=Listed[PersonShape])
def list_people(hub: HubHere, asked: Annotated[PeopleQuery, Query()]) -> Response:
    """Active ones first, by name, with their open and overdue tasks."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = people.page(session, asked, reached, day.today, asked.after(people.ORDER), asked.limit)
        return answers.listed(shapes, asked.next_cursor(further), meta(session, reached, day))
