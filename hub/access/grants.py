"""Giving and taking grants. A target is written as in ``--scope``: ``all``, ``tool:NAME``, ``project:ID``, ``container:ID``, ``team:ID``,
``portfolio:ID``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from hub.access.keys import Role
from hub.access.scope import ALL, BOUND, CONTAINER, PORTFOLIO, PROJECT, TEAM, TOOL
from hub.models import Connection, Container, Grant, Portfolio, Project, Team

CHOICES = "all (whatever is not private), tool:NAME, container:ID, project:ID, team:ID or portfolio:ID"
NEEDED = f"a key or person with the role viewer or consumer sees only what is granted: say what that is with {CHOICES}"
ROWS: dict[str, Any] = {CONTAINER: Container, PROJECT: Project, TEAM: Team, PORTFOLIO: Portfolio}
MOST = 500
"""Grants of one subject."""


class GrantProblem(ValueError):
    """It cannot be granted; the message says why and what can."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom: kind user, key, members (with ``id``) or role (with ``role``)."""

    kind: str
    id: UUID | None = None
    role: str | None = None

    def where(self) -> list[ColumnElement[bool]]:
        return [Grant.subject_kind == self.kind, Grant.subject_role == self.role if self.id is None else Grant.subject_id == self.id]

    def __str__(self) -> str:
        return f"{self.kind}:{self.id or self.role}"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What. ``value``: an id, or a tool's name; empty for ``all``."""

    kind: str
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Raises GrantProblem."""
        kind, _, value = text.strip().partition(":")
        if (kind == ALL) == bool(value) or kind not in (ALL, TOOL, *ROWS):
            raise GrantProblem(f"{text[:80]!r} cannot be granted: write {CHOICES}")
        if kind not in ROWS:
            return cls(kind, value)
        try:
            return cls(kind, str(UUID(value)))
        except ValueError as error:
            raise GrantProblem(f"{value[:80]!r} is no id: write {CHOICES}") from error

    @classmethod
    def of(cls, row: Grant) -> Target:
        return cls(row.target_kind, row.target_name or str(row.target_id or ""))

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind


def parsed(texts: Sequence[str], role: str, *, owner_role: str | None = None) -> list[Target]:
    """The targets for somebody with this role; a key of somebody who is bound by grants needs none, since it sees what they see. Raises GrantProblem
    where they are needed and missing: nobody shall wonder why a key shows nothing, nor find out late that it shows everything."""
    inherits = owner_role is not None and Role(owner_role) in BOUND
    if Role(role) in BOUND and not texts and not inherits:
        raise GrantProblem(NEEDED)
    if Role(role) is Role.ADMIN and texts:
        raise GrantProblem("an admin sees everything: there is nothing to grant")
    return sorted({Target.parse(text) for text in texts})


def listed(session: Session, subject: Subject) -> list[Target]:
    """What is granted now, by itself."""
    rows = session.scalars(select(Grant).where(*subject.where(), Grant.revoked_at.is_(None)))
    return sorted({Target.of(row) for row in rows})


def is_on(session: Session, subject: Subject) -> bool:
    """Whether a rule is turned on."""
    on = select(Grant.id).where(*subject.where(), Grant.revoked_at.is_(None), Grant.enabled.is_(True)).limit(1)
    return session.scalar(on) is not None


def replace(session: Session, subject: Subject, targets: Collection[Target], now: datetime, by: str | None, *, enabled: bool = True) -> bool:
    """Makes these the subject's grants; returns whether that changed anything. Raises GrantProblem for what does not exist."""
    if len(targets) > MOST:
        raise GrantProblem(f"at most {MOST} grants: grant what lies above them")
    held = {Target.of(row): row for row in session.scalars(select(Grant).where(*subject.where(), Grant.revoked_at.is_(None)))}
    wanted = set(targets)
    gone = [row.id for target, row in held.items() if target not in wanted or row.enabled != enabled]
    new = [target for target in sorted(wanted) if target not in held or held[target].enabled != enabled]
    _exist(session, [target for target in new if target not in held])
    if gone:
        session.execute(update(Grant).where(Grant.id.in_(gone)).values(revoked_at=now, revoked_by=by))
    session.add_all(_row(subject, target, now, by, enabled=enabled) for target in new)
    session.flush()
    return bool(gone or new)


def _row(subject: Subject, target: Target, now: datetime, by: str | None, *, enabled: bool) -> Grant:
    made = Grant(id=uuid4(), subject_kind=subject.kind, subject_id=subject.id, subject_role=subject.role, target_kind=target.kind)
    made.target_id = UUID(target.value) if target.kind in ROWS else None
    made.target_name = target.value if target.kind == TOOL else None
    made.enabled, made.created_at, made.created_by = enabled, now, by
    return made


def _exist(session: Session, targets: Sequence[Target]) -> None:
    """A grant of what is not there would be forgotten until something turns up under that name."""
    for kind, row in ROWS.items():
        ids = [UUID(target.value) for target in targets if target.kind == kind]
        found = set(session.scalars(select(row.id).where(row.id.in_(ids)))) if ids else set()
        if missing := [each for each in ids if each not in found]:
            raise GrantProblem(f"there is no {kind} {missing[0]}")
    tools = {target.value for target in targets if target.kind == TOOL}
    known = set(session.scalars(select(Connection.tool).distinct())) if tools else set()
    if unknown := tools - known:
        raise GrantProblem(f"no such tool is connected: {min(unknown)[:80]}; connected are: {', '.join(sorted(known)) or 'none'}")
