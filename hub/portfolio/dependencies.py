"""What waits for what, with both ends, and whether the plan already contradicts it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Select, and_, false, func, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session, aliased

from connectors.records import DependencyType
from hub.models import Connection, Dependency, Task
from hub.portfolio.conditions import holds_up
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import Chosen, live, open_

Shape = dict[str, Any]
BEFORE, AFTER = aliased(Task), aliased(Task)
SHOWN = ("id", "connection_id", "title", "url", "project_id", "status_category", "start_on", "due_on")
EDGE = ("type", "lag_minutes", "assumed", "origin", "note")
MINUTES_A_DAY = 24 * 60
ORDER = Keyset((("successor_id", Dependency.successor_id, UUID), ("predecessor_id", Dependency.predecessor_id, UUID)))


class DependencyFilter(Chosen):
    """Filters of dependencies."""

    project_id: list[UUID] = Field([], description="one of the two tasks has its home there; repeatable")
    task_id: list[UUID] = Field([], description="one of the two tasks; repeatable")
    across_tools: bool | None = Field(None, description="whether the two tasks are in different tools")
    blocking: bool | None = Field(None, description="true: only where an open task waits for one that holds it up now")


def page(session: Session, asked: DependencyFilter, reached: Reach, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    """Between tasks that are there. A predecessor that the hub has not read has an id and nothing else. Both ends must
    be seen, at their homes."""
    rows, further = ORDER.page(session, _chosen(asked, _edges(reached)), after, limit)
    tools = reached.tools
    return [_shape(row, tools) for row in rows], further


def one(session: Session, reached: Reach, predecessor_id: UUID, successor_id: UUID) -> Shape:
    """The one between two tasks. Raises NoResultFound where the reader sees none."""
    wanted = _edges(reached).where(Dependency.predecessor_id == predecessor_id, Dependency.successor_id == successor_id)
    return _shape(session.execute(wanted).mappings().one(), reached.tools)


def _edges(reached: Reach) -> Select[Any]:
    ends = [getattr(end, name).label(f"{side}_{name}") for side, end in (("before", BEFORE), ("after", AFTER)) for name in SHOWN if name != "id"]
    columns = [getattr(Dependency, name) for name in ("successor_id", "predecessor_id", *EDGE)]
    return (
        select(*columns, *ends)
        .join(AFTER, AFTER.id == Dependency.successor_id)
        .outerjoin(BEFORE, BEFORE.id == Dependency.predecessor_id)
        .where(AFTER.deleted_at.is_(None), AFTER.access_lost_at.is_(None), BEFORE.deleted_at.is_(None), BEFORE.access_lost_at.is_(None))
        .where(*reached.tasks(AFTER), *reached.scope.tasks(BEFORE))
    )


def _chosen(asked: DependencyFilter, statement: Select[Any]) -> Select[Any]:
    if asked.project_id:
        statement = statement.where(or_(AFTER.project_id.in_(asked.project_id), BEFORE.project_id.in_(asked.project_id)))
    if asked.task_id:
        statement = statement.where(or_(Dependency.successor_id.in_(asked.task_id), Dependency.predecessor_id.in_(asked.task_id)))
    if asked.across_tools is not None:
        differ = _tool(BEFORE) != _tool(AFTER)
        statement = statement.where(differ if asked.across_tools else ~differ)
    if asked.blocking is not None:
        stops = and_(open_(AFTER), *live(AFTER), *live(BEFORE), holds_up(BEFORE))
        statement = statement.where(stops if asked.blocking else ~func.coalesce(stops, false()))
    return statement


def _tool(end: Any) -> Any:
    return select(Connection.tool).where(Connection.id == end.connection_id).correlate(end).scalar_subquery()


def _shape(row: RowMapping, tools: Mapping[UUID, str]) -> Shape:
    ends = {}
    for side, key in (("before", "predecessor_id"), ("after", "successor_id")):
        end = {name: row[f"{side}_{name}"] for name in SHOWN if name != "id"}
        ends[side] = {"id": row[key], "tool": tools.get(end["connection_id"]), **end}
    plain = {name: row[name] for name in EDGE}
    return {"predecessor": ends["before"], "successor": ends["after"], **plain, "violated": violated(ends["before"], ends["after"], plain)}


def violated(predecessor: Mapping[str, Any], successor: Mapping[str, Any], edge: Mapping[str, Any]) -> bool:
    """Whether the dates as planned contradict the dependency, in whole days; without both dates nothing does.

    A task without a start is taken to start on the day it is due: the kindest reading.
    """
    kind = DependencyType(edge["type"])
    from_start = kind in (DependencyType.START_TO_START, DependencyType.START_TO_FINISH)
    to_start = kind in (DependencyType.FINISH_TO_START, DependencyType.START_TO_START)
    given = predecessor["start_on"] or predecessor["due_on"] if from_start else predecessor["due_on"]
    bound = successor["start_on"] or successor["due_on"] if to_start else successor["due_on"]
    return given is not None and bound is not None and bound < _later(given, edge["lag_minutes"])


def _later(day: date, minutes: int) -> date:
    """A lag of part of a day moves no date: dates alone cannot show that it is broken."""
    return day + timedelta(days=int(minutes / MINUTES_A_DAY))
