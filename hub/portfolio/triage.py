"""Which projects count. An account may hold thousands of "projects", most of them private lists of things to do.

A person's decision on a project holds (its ``triage`` column); for the others the first triage rule that fits, looked at anew with every reading, so
that a project that turns up tomorrow is sorted too. Until the first decision or rule all count.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, literal, select, update
from sqlalchemy.orm import Session

from hub.access.belonging import pattern_of
from hub.db import fold
from hub.models import Connection, Container, Project, Task
from hub.portfolio.policy import RuleKind, TriageRuleShape, triage_rules
from hub.portfolio.reach import Reach

UNSORTED, IN, OUT = "unsorted", "in", "out"


@dataclass(frozen=True, slots=True)
class Triage:
    """What was decided. ``decided``: has anybody decided anything; if not, all projects count."""

    decided: bool
    rules: tuple[TriageRuleShape, ...]

    @property
    def of(self) -> ColumnElement[str]:
        """A project's triage: by hand, else by the first rule that fits, else ``unsorted``."""
        by_hand = (Project.triage != UNSORTED, Project.triage)
        return case(by_hand, *((_fits(rule), literal(rule.decision.value)) for rule in self.rules), else_=literal(UNSORTED))

    def tasks(self, of: Any = Task) -> list[ColumnElement[bool]]:
        """Which tasks count: those at home in a project that is in."""
        return [of.project_id.in_(select(Project.id).where(self.of == IN))] if self.decided else []


def triage(session: Session, reached: Reach | None = None) -> Triage:
    """Two statements. ``reached``: whoever reads does not learn that something was decided about what they do not see."""
    rules = triage_rules(session)
    seen = [] if reached is None else reached.scope.given.projects()
    by_hand = select(Project.id).where(Project.triage != UNSORTED, *seen).limit(1)
    return Triage(decided=bool(rules) or session.execute(by_hand).first() is not None, rules=rules)


def counts(session: Session, found: Triage, reached: Reach) -> dict[str, Any]:
    """{decided, in, out, unsorted}: live projects by triage."""
    sorted_as = found.of.label("triage")
    inner = select(sorted_as).where(Project.deleted_at.is_(None), Project.archived_effective.is_(False), *reached.projects()).subquery()
    number: dict[str, int] = dict(session.execute(select(inner.c.triage, func.count()).group_by(inner.c.triage)).all())
    return {"decided": found.decided, **{name: number.get(name, 0) for name in (IN, OUT, UNSORTED)}}


def decide(session: Session, projects: Collection[UUID] | Select[Any], decision: str) -> int:
    """Writes a person's decision on these projects; ``unsorted`` takes it back. Returns how many projects that changed."""
    wanted = update(Project).where(Project.id.in_(projects), Project.triage != decision).values(triage=decision)
    return int(session.execute(wanted.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def _fits(rule: TriageRuleShape) -> ColumnElement[bool]:
    if rule.kind is RuleKind.TOOL:
        return Project.connection_id.in_(select(Connection.id).where(Connection.tool == rule.value))
    if rule.kind is RuleKind.CONTAINER:
        below = select(Container.id).where(Container.id == UUID(rule.value)).cte(recursive=True)
        below = below.union(select(Container.id).join(below, Container.parent_id == below.c.id))
        return Project.container_id.in_(select(below.c.id))
    return fold(Project.name).like(fold(literal(pattern_of(rule.value))), escape="\\")
