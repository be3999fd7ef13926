"""The first look: what there is, per tool and project; how far it is, what is late, blocked, slipping; which project is in trouble and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from hub.models import Project
from hub.portfolio import causes, policy
from hub.portfolio.health import WORST_FIRST, Verdict, judge
from hub.portfolio.history import Home
from hub.portfolio.kept import kept
from hub.portfolio.policy import Policy
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tally import CATEGORIES, Row, Tally, next_milestones, tallies, total, without_report
from hub.portfolio.triage import IN, Triage, counts, triage

__all__ = ["CATEGORIES", "portfolio"]
Shape = dict[str, Any]
PROJECT = (Project.connection_id, Project.id, Project.name, Project.url, Project.due_on, Project.health, Project.health_text)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Everything that a portfolio is made of, read once. ``projects``: those that count."""

    reached: Reach
    tools: Mapping[UUID, str]
    history: Mapping[UUID, datetime]
    day: Day
    policy: Policy
    first: date
    projects: Mapping[Home, RowMapping]
    counted: Mapping[Home, Tally]
    ahead: Mapping[Home, Shape]
    health: Mapping[UUID, Shape]


def portfolio(session: Session, reached: Reach, day: Day, *, since: date | None = None) -> Shape:
    """Totals, tools and projects; the three agree, because tasks in no project have a line of their own in each tool. Once somebody decided
    which projects count, all three hold only what is in, and ``triage`` says how many are not sorted yet. ``since``: slips since that day,
    else the policy's. Kept until something changes: for reading only."""
    return kept(session, reached, day, ("portfolio", since), lambda: _portfolio(session, reached, day, since))


def _portfolio(session: Session, reached: Reach, day: Day, since: date | None) -> Shape:
    held, sorting = policy.load(session, reached.policy_key), triage(session, reached)
    first = since or day.today - timedelta(days=held.slip_days)
    projects = _projects(session, reached, sorting)
    counted = tallies(session, reached, day, held, first)
    ahead = next_milestones(session, reached, day.today)
    if sorting.decided:
        counted = {home: tally for home, tally in counted.items() if home in projects}
        ahead = {home: shape for home, shape in ahead.items() if home in projects}
    for home, row in projects.items():
        counted.setdefault(home, Tally()).no_report = int(without_report(row))
    colours = health(session, reached, day, held, first, [*projects.values()], counted, brief=True)
    read = _Reading(reached, reached.tools, reached.history, day, held, first, projects, counted, ahead, colours)
    lines = [_line(home, read) for home in (*projects, *(home for home in counted if home not in projects))]
    lines.sort(key=lambda line: (line["tool"], line["name"] is None, line["name"] or "", str(line["id"])))
    tools = sorted(set(reached.tools.values()))
    return {
        "triage": counts(session, sorting, reached),
        "totals": {"projects": len(projects), **_sum([*counted], read), "next_milestone": _first(ahead.values())},
        "tools": [_tool(tool, read) for tool in tools],
        "projects": lines,
    }


def _projects(session: Session, reached: Reach, sorting: Triage) -> dict[Home, RowMapping]:
    """Live projects that count."""
    wanted = select(*PROJECT, sorting.of.label("triage")).where(
        Project.deleted_at.is_(None), Project.archived_effective.is_(False), *reached.projects()
    )
    if sorting.decided:
        wanted = wanted.where(sorting.of == IN)
    return {(row["connection_id"], row["id"]): row for row in session.execute(wanted).mappings()}


def health(
    session: Session,
    reached: Reach,
    day: Day,
    held: Policy,
    first: date,
    projects: Sequence[Row],
    counted: Mapping[Home, Tally],
    *,
    brief: bool = False,
) -> dict[UUID, Shape]:
    """Each project's colour with its reasons: at most one statement a rule. ``projects``: rows with id, connection_id, due_on, health, health_text.
    ``brief``: only the worst reason of each comes with its worst task."""
    synced = {each.id for each in reached.connections if each.last_synced_at is not None}
    verdicts: dict[UUID, Verdict] = {
        row["id"]: judge(
            counted.get((row["connection_id"], row["id"]), Tally()), row["due_on"], day.today, held, synced=row["connection_id"] in synced
        )
        for row in projects
    }
    found = causes.rows(session, reached, day, held, first, verdicts, brief=brief)
    return {row["id"]: causes.shape(row, verdicts[row["id"]], found) for row in projects}


def _line(home: Home, read: _Reading) -> Shape:
    """One project, or the tool's tasks that are in none."""
    connection, project = home
    row, tally = read.projects.get(home), read.counted[home]
    return {
        "id": project,
        "name": row["name"] if row else None,
        "url": row["url"] if row else None,
        "due_on": row["due_on"] if row else None,
        "triage": row["triage"] if row else None,
        "tool": read.tools[connection],
        "connection_id": connection,
        **tally.shape(read.day, read.policy),
        "slipped": tally.slips(read.history.get(connection), read.day, read.first),
        "computed_health": read.health.get(project) if row and project else None,
        "next_milestone": read.ahead.get(home),
    }


def _tool(tool: str, read: _Reading) -> Shape:
    connections = [connection for connection in read.reached.connections if connection.tool == tool]
    mine = {connection.id for connection in connections}
    return {
        "tool": tool,
        "connections": [{"id": each.id, "name": each.name, "state": each.state, "last_synced_at": each.last_synced_at} for each in connections],
        "projects": sum(home[0] in mine for home in read.projects),
        **_sum([home for home in read.counted if home[0] in mine], read),
        "next_milestone": _first([shape for home, shape in read.ahead.items() if home[0] in mine]),
    }


def _sum(homes: Collection[Home], read: _Reading) -> Shape:
    """Figures of several projects together: with their colours counted, and slips as far back as all their histories reach."""
    tally = total(read.counted[home] for home in homes)
    history = [known for connection, known in read.history.items() if any(home[0] == connection for home in homes)]
    colours = [read.health[project]["colour"] for _, project in homes if project is not None and project in read.health]
    return {
        **tally.shape(read.day, read.policy),
        "slipped": tally.slips(max(history, default=None), read.day, read.first),
        "colours": {colour.value: colours.count(colour.value) for colour in WORST_FIRST},
    }


def _first(milestones: Collection[Shape]) -> Shape | None:
    return min(milestones, key=lambda shape: (shape["due_on"], str(shape["id"])), default=None)
