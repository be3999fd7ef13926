"""The shapes that several views share: what is counted of tasks, how far they are, what slipped, how a project stands, and why."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from connectors.records import TaskKind
from hub.portfolio.health import Colour
from hub.portfolio.policy import RuleName


class Named(BaseModel):
    id: UUID
    name: str | None


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


class ProgressShape(BaseModel):
    """``by`` says whether ``done`` and ``of`` are minutes (estimate) or tasks (count); null where there is nothing to do."""

    percent: float | None
    by: Literal["estimate", "count"] | None
    done: int
    of: int


class HygieneShape(BaseModel):
    """What is missing; it makes nothing red."""

    no_owner: int
    no_estimate: int
    no_due_date: int
    unmapped_status: int
    no_report: int


class SlippedShape(BaseModel):
    """``not_known_before``: changes were recorded only from that day on, so the figure says nothing of the time before. Null figures: not
    recorded at all."""

    since: date
    not_known_before: date | None
    tasks: int | None
    most_days: int | None


class Counted(BaseModel):
    """Live tasks of every kind and depth, each counted once, at its home. Every figure's formula is at `/figures`."""

    tasks: int
    open: int
    overdue: int
    most_late_days: int
    due_soon: int
    blocked: int
    stale: int
    by_category: ByCategory
    progress: ProgressShape
    hygiene: HygieneShape
    slipped: SlippedShape
    next_milestone: MilestoneShape | None


class CauseRow(BaseModel):
    id: UUID
    title: str
    url: str | None
    kind: TaskKind
    due_on: date | None
    slip_days: int | None


class ReasonShape(BaseModel):
    """A rule that spoke: its number reached the limit. ``tasks``: the worst few that made it."""

    rule: RuleName
    colour: Colour
    words: str
    value: float
    limit: float
    unit: str
    tasks: list[CauseRow]


class DeclaredShape(BaseModel):
    """What the team says itself; ``colour`` null: in words that are no colour to us."""

    value: str | None
    colour: Colour | None
    text: str | None


class HealthShape(BaseModel):
    colour: Colour
    declared: DeclaredShape | None
    disagrees: bool = Field(description="the team says another colour")
    reasons: list[ReasonShape]
    missing: list[str] = Field(description="what there is too little of to judge by")


class ColoursShape(BaseModel):
    red: int
    amber: int
    grey: int
    green: int
