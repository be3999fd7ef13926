"""/policy and the triage of projects: what the PMO decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select

from hub.api import answers
from hub.api.answers import Single
from hub.api.door import ADMIN_OR_PMO
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.portfolio import TriageShape
from hub.api.problems import Problem
from hub.models import Project
from hub.portfolio import holidays, joining, policy, projects, triage
from hub.portfolio.policy import Calendar, Decided, Policy, TriageRuleShape
from hub.portfolio.projects import ProjectFilter
from hub.portfolio.reach import meta

router = APIRouter(tags=["policy"], route_class=Exact)
MOST_VALUES = 1_000


class Change(BaseModel):
    """Parts that are left out stay as they are; a part that is given is replaced, and what it leaves out has its default."""

    model_config = ConfigDict(extra="forbid")

    policy: Policy | None = None
    calendar: Calendar | None = None
    triage_rules: list[TriageRuleShape] | None = Field(None, max_length=500, description="the first that fits decides")
    version: int | None = Field(None, description="the version that was read: refused with 409 where it is another one by now")


class HolidayFile(BaseModel):
    """A calendar of holidays as text: iCalendar, or CSV with lines such as ``2026-12-25,Christmas Day``."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["ics", "csv"]
    text: str = Field(max_length=1_000_000)


class ImportedShape(BaseModel):
    found: int
    added: int


class Which(StrEnum):
    IN = "in"
    OUT = "out"
    UNSORTED = "unsorted"


class Where(ProjectFilter):
    """As the filters of ``/projects``. A filter that does not exist is refused: it would let everything through."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        for name in self.model_fields_set:
            if isinstance(given := getattr(self, name), list) and len(given) > MOST_VALUES:
                raise ValueError(f"{name} may have {MOST_VALUES} values")
        return self


class Sorting(BaseModel):
    """``ids`` or ``where``: which projects. ``unsorted`` takes a decision back."""

    model_config = ConfigDict(extra="forbid")

    triage: Which
    ids: list[UUID] | None = Field(None, max_length=10_000)
    where: Where | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.where is None):
            raise ValueError("give either ids or where")
        return self


class SortedShape(BaseModel):
    changed: int
    triage: TriageShape


READERS: Mapping[str, Callable[[str], dict[date, str]]] = {"ics": holidays.from_ics, "csv": holidays.from_csv}


@router.get("/policy", summary="Tolerances, rules, calendar", response_model=Single[Decided], responses=answers.CACHED)
def read_policy(request: Request, hub: HubHere) -> Response:
    """What the figures are computed by. `version` 0: nothing was decided yet, these are the defaults. Single people's working time, their days off
    and the rules that name projects are shown to those who see all of the portfolio."""
    return answers.tagged(request, _shown(hub))


@router.put("/policy", summary="Decide", response_model=Single[Decided], dependencies=[ADMIN_OR_PMO])
def set_policy(hub: HubHere, change: Change) -> Response:
    with hub.database.writing() as session:
        try:
            policy.save(
                *(session, hub.now()), policy=change.policy, calendar=change.calendar, triage_rules=change.triage_rules, version=change.version
            )
        except policy.Stale as error:
            raise Problem(409, "changed_meanwhile", "somebody else has changed the policy: read it again, then decide") from error
    if change.policy is not None:
        joining.apply_rule(hub.database, hub.now())
    return _shown(hub)


@router.post("/policy/holidays", summary="Take holidays out of a file", response_model=Single[ImportedShape], dependencies=[ADMIN_OR_PMO])
def import_holidays(hub: HubHere, given: HolidayFile) -> Response:
    """Adds the days that are not there yet; asking twice does no harm."""
    try:
        found = READERS[given.format](given.text)
    except holidays.HolidayFileProblem as error:
        raise Problem(422, "invalid_body", str(error), errors=[("/text", str(error))]) from error
    with hub.database.writing() as session:
        added = policy.add_holidays(session, hub.now(), found)
    with hub.database.reading() as session:
        return answers.single({"found": len(found), "added": added}, meta(session, hub.reach(session), hub.day()))


@router.patch("/projects", summary="Say which projects count", response_model=Single[SortedShape], dependencies=[ADMIN_OR_PMO])
def sort_projects(hub: HubHere, sorting: Sorting) -> Response:
    """By id or by filter, in bulk; a decision by hand stands above every rule. Until the first decision all projects count."""
    with hub.database.writing() as session:
        reached = hub.reach(session, sorting.where)
        wanted = select(Project.id).where(*reached.projects())
        if sorting.where is not None:
            wanted = wanted.where(*projects.conditions(sorting.where, triage.triage(session, reached)))
        else:
            wanted = wanted.where(Project.id.in_(sorting.ids or ()))
        changed = triage.decide(session, wanted, sorting.triage.value)
    with hub.database.reading() as session:
        everything = hub.reach(session)
        shape: dict[str, Any] = {"changed": changed, "triage": triage.counts(session, triage.triage(session, everything), everything)}
        return answers.single(shape, meta(session, everything, hub.day()))


def _shown(hub: Hub) -> Response:
    with hub.database.reading() as session:
        found, reached = policy.decided(session), hub.reach(session)
        if not reached.scope.sees_the_hub:
            calendar = found.calendar.model_copy(update={"people": (), "time_off": ()})
            found = found.model_copy(update={"calendar": calendar, "triage_rules": ()})
        shape = {**found.model_dump(mode="json", exclude={"changed_at"}), "changed_at": found.changed_at}
        return answers.single(shape, meta(session, reached, hub.day()))
