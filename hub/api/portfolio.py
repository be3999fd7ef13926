"""/portfolio, /projects, /containers, /people: what there is, with its figures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from connectors.records import ContainerKind
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.figures import ColoursShape, Counted, HealthShape, Named
from hub.api.hub import HubHere
from hub.api.paging import Paging, Zoned
from hub.api.problems import not_found
from hub.portfolio import containers, projects, rollup
from hub.portfolio.reach import meta
from hub.portfolio.tasks import EARLIEST, Chosen

router = APIRouter(tags=["portfolio"])


class TotalsShape(Counted):
    projects: int
    colours: ColoursShape = Field(description="projects by computed colour")


class ConnectionLine(BaseModel):
    id: UUID
    name: str
    state: str
    last_synced_at: datetime | None


class ToolLine(TotalsShape):
    tool: str
    connections: list[ConnectionLine]


class ProjectLine(Counted):
    """``id`` null: the tool's tasks that are in no project."""

    id: UUID | None
    name: str | None
    url: str | None
    due_on: date | None
    triage: str | None
    computed_health: HealthShape | None
    tool: str
    connection_id: UUID


class TriageShape(BaseModel):
    """Live projects by whether they count. ``decided`` false: nobody has decided anything yet, and all count."""

    model_config = ConfigDict(populate_by_name=True)

    decided: bool
    in_: int = Field(alias="in")
    out: int
    unsorted: int


class PortfolioShape(BaseModel):
    """Once somebody has decided which projects count, it holds those only."""

    triage: TriageShape
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


class ProjectShape(Counted):
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
    health: str | None = Field(description="the tool's word for what the team says of it")
    health_text: str | None
    computed_health: HealthShape
    triage: str = Field(description="whether it counts: in, out or unsorted; by hand, else by the first rule that fits")
    triage_by_hand: bool
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


class PortfolioQuery(Chosen, Zoned):
    since: date | None = Field(None, ge=EARLIEST.date(), description="slips since this day; else since the policy's number of days ago")


class ProjectQuery(projects.ProjectFilter, Paging, Zoned):
    pass


class ContainerQuery(containers.ContainerFilter, Paging):
    pass


@router.get("/portfolio", summary="Everything at a glance", response_model=Single[PortfolioShape])
def read_portfolio(request: Request, hub: HubHere, asked: Annotated[PortfolioQuery, Query()]) -> Response:
    """Per tool and project: how far, what is overdue, due soon, blocked, slipping or missing, the next milestone, and a colour with its reasons.
    Archived tasks do not count."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shape = rollup.portfolio(session, reached, day, since=asked.since)
        return answers.tagged(request, answers.single(shape, meta(session, reached, day)))


@router.get("/projects", summary="Projects", response_model=Listed[ProjectShape])
def list_projects(request: Request, hub: HubHere, asked: Annotated[ProjectQuery, Query()]) -> Response:
    """What each tool calls a project, board or list: ordered by id."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = projects.page(session, asked, reached, day, asked.after(projects.BY_ID), asked.limit)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, reached, day)))


@router.get("/projects/{project_id}", summary="One project", response_model=Single[ProjectShape])
def read_project(request: Request, hub: HubHere, project_id: UUID, asked: Annotated[Zoned, Query()]) -> Response:
    """Deleted projects are shown too, with `deleted_at`; `meta.coverage` is the project's own."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        shape = projects.one(session, project_id, hub.reach(session), day)
        if shape is None:
            raise not_found("project")
        mine = hub.reach_of(session, shape["connection_id"])
        return answers.tagged(request, answers.single(shape, meta(session, mine, day, containers=[project_id])))


@router.get("/containers", summary="The tools' own trees", response_model=Listed[ContainerShape])
def list_containers(request: Request, hub: HubHere, asked: Annotated[ContainerQuery, Query()]) -> Response:
    """Workspaces, teams, spaces, folders and portfolios, ordered by id; `parent_id` makes the tree."""
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = containers.page(session, asked, reached, asked.after(containers.BY_ID), asked.limit)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, reached, hub.day())))
