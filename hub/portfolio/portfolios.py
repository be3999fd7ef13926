"""The PMO's own tree, read and written: portfolios, programmes, initiatives, and which projects of any tool belong to them.

Who is bound by grants sees of the tree what has something in it that they see, and what is above that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import AfterValidator, Field, model_validator
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from hub.access import belonging
from hub.access.belonging import pattern_of
from hub.models import Container, Holiday, Identity, Portfolio, PortfolioProject, PortfolioRule, Project
from hub.models import Policy as PolicyRow
from hub.portfolio.policy import RuleKind, Stale, Strict
from hub.portfolio.reach import Reach
from hub.portfolio.texts import Text

Shape = dict[str, Any]
PLAIN = ("id", "kind", "name", "code", "parent_id", "sponsor_id", "lead_id", "phase", "start_on", "due_on", "version", "created_at", "changed_at")


class Kind(StrEnum):
    PORTFOLIO = "portfolio"
    PROGRAMME = "programme"
    INITIATIVE = "initiative"


class Unfit(ValueError):
    """It cannot be so; ``field`` is where, the message why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


Name = Annotated[Text, Field(max_length=200), AfterValidator(_said)]


class RuleShape(Strict):
    """Projects that belong by themselves. ``value``: a name in which ``*`` stands for anything, a container's id (all below it), or a tool."""

    kind: RuleKind
    value: Text = Field(min_length=1)

    @model_validator(mode="after")
    def _names_something(self) -> RuleShape:
        if self.kind is RuleKind.CONTAINER:
            UUID(self.value)
        return self


class Written(Strict):
    """What a PMO says of one. ``parent_id`` null: at the top. ``projects``: put there by hand; ``rules``: which belong by themselves."""

    kind: Kind
    name: Name
    code: Name | None = None
    parent_id: UUID | None = None
    sponsor_id: UUID | None = Field(None, description="a person of /people")
    lead_id: UUID | None = Field(None, description="a person of /people")
    phase: Name | None = None
    start_on: date | None = None
    due_on: date | None = None
    projects: tuple[UUID, ...] = Field(default=(), max_length=5000)
    rules: tuple[RuleShape, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _forwards(self) -> Written:
        if self.start_on and self.due_on and self.due_on < self.start_on:
            raise ValueError("due before it starts")
        return self


def tree(session: Session, reached: Reach) -> list[Shape]:
    """All that the reader sees, each above what is below it, siblings by name; with ``depth`` (0: at the top) and ``projects``: the ids of those that
    the reader sees, its own and those below it. Three statements."""
    rows = _rows(session)
    held = _held(session, reached, rows)
    shown = set(rows) if _all_of_it(reached) else {key for key, ids in held.items() if ids}
    return [dict(rows[key]) | {"depth": depth, "projects": held[key]} for key, depth in _walk(rows) if key in shown]


def _rows(session: Session) -> dict[UUID, Any]:
    return {row["id"]: row for row in session.execute(select(*(Portfolio.__table__.c[name] for name in PLAIN))).mappings()}


def _all_of_it(reached: Reach) -> bool:
    """Whether the reader sees the whole tree, whatever is in it."""
    return not reached.scope.bounded or reached.scope.given.sees_the_hub


def one(session: Session, portfolio_id: UUID, reached: Reach) -> Shape | None:
    """One of the tree, with what was put there and by which rules; None if there is none that the reader sees."""
    found = next((shape for shape in tree(session, reached) if shape["id"] == portfolio_id), None)
    if found is None:
        return None
    by_hand = select(PortfolioProject.project_id).join(Project, Project.id == PortfolioProject.project_id)
    by_hand = by_hand.where(PortfolioProject.portfolio_id == portfolio_id, *reached.projects()).order_by(Project.name, Project.id)
    rules = select(PortfolioRule.kind, PortfolioRule.value).where(PortfolioRule.portfolio_id == portfolio_id).order_by(PortfolioRule.place)
    return found | {"by_hand": [*session.scalars(by_hand)], "rules": [dict(row) for row in session.execute(rules).mappings()]}


def _held(session: Session, reached: Reach, rows: Mapping[UUID, Any]) -> dict[UUID, list[UUID]]:
    """{portfolio: the projects that the reader sees in it and below it}; deleted and archived ones left out."""
    pairs = belonging.memberships().subquery()
    live = (Project.deleted_at.is_(None), Project.archived_effective.is_(False))
    wanted = select(pairs.c.portfolio_id, pairs.c.project_id).join(Project, Project.id == pairs.c.project_id).where(*live, *reached.projects())
    held: dict[UUID, set[UUID]] = {key: set() for key in rows}
    for portfolio, project in session.execute(wanted):
        for above in _upwards(rows, portfolio):
            held[above].add(project)
    return {key: sorted(ids) for key, ids in held.items()}


def _upwards(rows: Mapping[UUID, Any], key: UUID | None) -> Iterator[UUID]:
    """One and all above it; a circle, which two writers at once might make, ends."""
    passed: set[UUID] = set()
    while key is not None and key in rows and key not in passed:
        passed.add(key)
        yield key
        key = rows[key]["parent_id"]


def _walk(rows: Mapping[UUID, Any]) -> Iterator[tuple[UUID, int]]:
    below: dict[UUID | None, list[UUID]] = {}
    for key in sorted(rows, key=lambda each: (rows[each]["name"].casefold(), str(each))):
        parent = rows[key]["parent_id"]
        below.setdefault(parent if parent in rows else None, []).append(key)
    stack = [(key, 0) for key in reversed(below.get(None, []))]
    while stack:
        key, depth = stack.pop()
        yield key, depth
        stack += [(child, depth + 1) for child in reversed(below.get(key, []))]


def write(session: Session, portfolio_id: UUID | None, said: Written, now: datetime, *, version: int | None = None) -> UUID:
    """Makes one, or replaces what was said of it. Raises KeyError if it is not there, Stale if ``version`` is no longer the one, Unfit for what
    cannot be."""
    row = None if portfolio_id is None else session.get(Portfolio, portfolio_id, with_for_update=True)
    if portfolio_id is not None and row is None:
        raise KeyError(portfolio_id)
    if row is not None and version is not None and row.version != version:
        raise Stale
    key = row.id if row is not None else uuid4()
    _check(session, key, said)
    if row is None:
        row = Portfolio(id=key, version=0, created_at=now)
        session.add(row)
    for name, value in said.model_dump(exclude={"projects", "rules"}).items():
        setattr(row, name, value)
    row.version, row.changed_at = row.version + 1, now
    _fill(session, key, said)
    session.flush()
    return key


def remove(session: Session, portfolio_id: UUID) -> bool:
    """Takes one out of the tree, with its policy; the projects are untouched. False if it is not there; raises Unfit where something is below it."""
    row = session.get(Portfolio, portfolio_id, with_for_update=True)
    if row is None:
        return False
    if session.scalar(select(Portfolio.id).where(Portfolio.parent_id == portfolio_id).limit(1)):
        raise Unfit("", "there is something below it: move or remove that first")
    for table, column in ((PortfolioProject, PortfolioProject.portfolio_id), (PortfolioRule, PortfolioRule.portfolio_id)):
        session.execute(delete(table).where(column == portfolio_id))
    session.execute(delete(PolicyRow).where(PolicyRow.key == str(portfolio_id)))
    session.execute(delete(Holiday).where(Holiday.policy_key == str(portfolio_id)))
    session.delete(row)
    session.flush()
    return True


def _check(session: Session, key: UUID, said: Written) -> None:
    """Against what is there."""
    rows = {row["id"]: row for row in session.execute(select(Portfolio.id, Portfolio.parent_id)).mappings()}
    if said.parent_id is not None and said.parent_id not in rows:
        raise Unfit("parent_id", "there is no such portfolio")
    if said.parent_id is not None and key in _upwards(rows, said.parent_id):
        raise Unfit("parent_id", "it would lie below itself")
    if said.code and session.scalar(select(Portfolio.id).where(Portfolio.code == said.code, Portfolio.id != key)):
        raise Unfit("code", "another one has this code")
    for name, person in (("sponsor_id", said.sponsor_id), ("lead_id", said.lead_id)):
        if person is not None and not session.scalar(select(Identity.id).where((Identity.id == person) | (Identity.person_id == person)).limit(1)):
            raise Unfit(name, "there is no such person")
    _all_there(session, "projects", Project.id, said.projects)
    _all_there(session, "rules", Container.id, [UUID(rule.value) for rule in said.rules if rule.kind is RuleKind.CONTAINER])


def _all_there(session: Session, field: str, column: Any, ids: Collection[UUID]) -> None:
    wanted = sorted(set(ids))
    found = {each for at in range(0, len(wanted), 500) for each in session.scalars(select(column).where(column.in_(wanted[at : at + 500])))}
    if missing := [each for each in wanted if each not in found]:
        raise Unfit(field, f"there is no {missing[0]}")


def _fill(session: Session, key: UUID, said: Written) -> None:
    session.execute(delete(PortfolioProject).where(PortfolioProject.portfolio_id == key))
    session.execute(delete(PortfolioRule).where(PortfolioRule.portfolio_id == key))
    if said.projects:
        session.execute(insert(PortfolioProject), [{"portfolio_id": key, "project_id": each} for each in sorted(set(said.projects))])
    if said.rules:
        session.execute(insert(PortfolioRule), [_rule(key, place, rule) for place, rule in enumerate(said.rules)])


def _rule(key: UUID, place: int, rule: RuleShape) -> Shape:
    return {
        "portfolio_id": key,
        "place": place,
        "kind": rule.kind.value,
        "value": rule.value,
        "pattern": pattern_of(rule.value) if rule.kind is RuleKind.NAME else None,
        "container_id": UUID(rule.value) if rule.kind is RuleKind.CONTAINER else None,
    }


def names(session: Session, reached: Reach) -> Sequence[tuple[UUID, str]]:
    """(id, name) as a list to choose from, indented by depth; one statement for who sees all of it, or where there is nothing."""
    rows = _rows(session)
    if rows and not _all_of_it(reached):
        held = _held(session, reached, rows)
        rows = {key: row for key, row in rows.items() if held[key]}
    return [(key, "\u2003" * depth + rows[key]["name"]) for key, depth in _walk(rows)]
