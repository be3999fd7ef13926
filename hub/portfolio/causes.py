"""The rows that made a rule speak, a few of each project, the worst first: so that an alarm comes with its reason and a link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, null, select
from sqlalchemy.orm import Session

from connectors.records import TaskKind
from hub.models import Task
from hub.portfolio import conditions as when
from hub.portfolio.health import UNITS, WORDS, Verdict, declared
from hub.portfolio.history import slipped
from hub.portfolio.policy import Policy, RuleName
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tally import Row
from hub.portfolio.tasks import live, open_, overdue

Shape = dict[str, Any]
MILESTONE: ColumnElement[bool] = Task.kind == TaskKind.MILESTONE.value
SHOWN = 3
MOST = 10_000
"""Projects in one statement, for databases bound its parameters; the alarms of any more come without their rows."""
Rows = Mapping[tuple[RuleName, UUID], list[Shape]]


def rows(session: Session, reached: Reach, day: Day, policy: Policy, first: date, verdicts: Mapping[UUID, Verdict], *, brief: bool) -> Rows:
    """{(rule, project): tasks}: at most one statement a rule, whatever the number of projects. ``brief``: only of each project's first, worst reason,
    and one task of it."""
    fired: dict[RuleName, list[UUID]] = defaultdict(list)
    for project, verdict in verdicts.items():
        for cause in verdict.causes[:1] if brief else verdict.causes:
            fired[cause.rule].append(project)
    shown = 1 if brief else SHOWN
    found: dict[tuple[RuleName, UUID], list[Shape]] = defaultdict(list)
    for rule, projects in fired.items():
        for row in session.execute(_worst(rule, reached, day, policy, first, projects[:MOST], shown)):
            found[rule, row.project_id].append(
                {"id": row.id, "title": row.title, "url": row.url, "kind": row.kind, "due_on": row.due_on, "slip_days": row.slip_days}
            )
    return found


def _worst(rule: RuleName, reached: Reach, day: Day, policy: Policy, first: date, projects: Collection[UUID], shown: int) -> Any:
    source: Any = select(Task)
    days: Any = null()
    order: Any = (Task.due_on, Task.id)
    if rule is RuleName.MILESTONE_SLIPPED:
        moved, late, days = slipped(reached, day, first)
        source, condition, order = source.join(moved, moved.c.entity_id == Task.id), and_(late, MILESTONE), (days.desc(), Task.id)
    elif rule is RuleName.STALE_SHARE:
        condition, order = when.stale(day, policy.stale_days), (when.LAST_CHANGE, Task.id)
    else:
        condition = {
            RuleName.MILESTONE_OVERDUE: and_(overdue(day.today), MILESTONE),
            RuleName.OVERDUE_SHARE: overdue(day.today),
            RuleName.BLOCKED_SHARE: when.blocked(reached),
            RuleName.PROJECT_OVERDUE: open_(),
        }[rule]
    place = func.row_number().over(partition_by=Task.project_id, order_by=order).label("place")
    narrow = source.with_only_columns(Task.id, days.label("slip_days"), place)
    inner = narrow.where(condition, Task.project_id.in_(projects), *live(), *reached.tasks()).subquery()
    columns = (Task.id, Task.title, Task.url, Task.kind, Task.due_on, Task.project_id, inner.c.slip_days)
    return select(*columns).join(inner, inner.c.id == Task.id).where(inner.c.place <= shown).order_by(Task.project_id, inner.c.place)


def shape(project: Row, verdict: Verdict, found: Rows) -> Shape:
    """The computed colour with its reasons, beside the declared one."""
    said = declared(project["health"], project["health_text"])
    return {
        "colour": verdict.colour.value,
        "declared": said,
        "disagrees": said is not None and said["colour"] is not None and said["colour"] != verdict.colour.value,
        "reasons": [
            {
                "rule": cause.rule.value,
                "colour": cause.colour.value,
                "words": WORDS[cause.rule],
                "value": cause.value,
                "limit": cause.limit,
                "unit": UNITS[cause.rule],
                "tasks": found.get((cause.rule, project["id"]), []),
            }
            for cause in verdict.causes
        ],
        "missing": list(verdict.missing),
    }
