"""/timeline and /dependencies: what happens when, and what waits for what."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from connectors.records import DependencyType, StatusCategory, TaskKind
from hub.api import answers
from hub.api.answers import Listed
from hub.api.figures import Named
from hub.api.hub import HubHere
from hub.api.paging import Paging, Zoned
from hub.api.problems import Problem
from hub.portfolio import dependencies, timeline
from hub.portfolio.reach import meta

router = APIRouter(tags=["timeline"])
BACK, AHEAD = timedelta(days=30), timedelta(days=90)


class BarShape(BaseModel):
    id: UUID
    tool: str
    kind: TaskKind
    title: str
    url: str | None
    parent_id: UUID | None
    status: str | None
    status_category: StatusCategory
    start_on: date | None
    start_at: datetime | None
    due_on: date | None
    due_at: datetime | None
    completed_at: datetime | None
    progress: int | None
    overdue: bool


class TimelineShape(BaseModel):
    """``project`` null: tasks in no project."""

    project: Named | None
    items: list[BarShape]


class EndShape(BaseModel):
    """A task at one end; all but its id is null where the hub has not read it."""

    id: UUID
    tool: str | None
    connection_id: UUID | None
    title: str | None
    url: str | None
    project_id: UUID | None
    status_category: StatusCategory | None
    start_on: date | None
    due_on: date | None


class DependencyShape(BaseModel):
    """The successor waits for the predecessor. ``violated``: the planned dates contradict it, in whole days."""

    predecessor: EndShape
    successor: EndShape
    type: DependencyType
    lag_minutes: int
    assumed: bool
    origin: str = Field(description="vendor: the tool says so; hub: written here by hand, between tasks of different tools")
    note: str | None
    violated: bool


class TimelineQuery(timeline.TimelineFilter, Paging, Zoned):
    first: date | None = Field(None, alias="from", description="first day; else 30 days ago")
    last: date | None = Field(None, alias="to", description="last day; else 90 days after the first day or after today, whichever is later")


class DependencyQuery(dependencies.DependencyFilter, Paging):
    pass


@router.get("/timeline", summary="What happens in a stretch of time", response_model=Listed[TimelineShape])
def read_timeline(request: Request, hub: HubHere, asked: Annotated[TimelineQuery, Query()]) -> Response:
    """Live tasks and milestones that lie in the window or reach into it, by project, then by first day. `limit` counts items; a project that does not
    fit on a page goes on on the next one."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        found = timeline.page(session, asked, reached, _window(asked, day.today), day.today, asked.after(timeline.ORDER), asked.limit)
        shapes, further = found
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, reached, day, containers=asked.project_id)))


def _window(asked: TimelineQuery, today: date) -> tuple[date, date]:
    first = asked.first or today - BACK
    latest = max(first, today)
    last = asked.last or latest + min(AHEAD, date.max - latest)
    if last < first:
        problem = f"the window ends ({last}) before it begins ({first})"
        raise Problem(400, "invalid_parameter", problem, errors=[("query/to", problem)])
    return first, last


@router.get("/dependencies", summary="What waits for what", response_model=Listed[DependencyShape])
def list_dependencies(request: Request, hub: HubHere, asked: Annotated[DependencyQuery, Query()]) -> Response:
    """Ordered by successor; dependencies whose ends were deleted are left out."""
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = dependencies.page(session, asked, reached, asked.after(dependencies.ORDER), asked.limit)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, reached, hub.day())))
