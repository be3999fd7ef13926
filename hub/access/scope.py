"""Which rows somebody sees, as conditions of SQL. Everything that is read asks here (through ``portfolio.reach``), so there is one place to judge.

What counts is a task's home project. Beside it a task is seen from any other project that it is a member of (``listed``); it is then shown with the
memberships that are granted, and counted nowhere, for totals count a task once, at its home. Projects and containers that are private in their tool
are hidden from everybody but admins until they are granted by name; so is what lies below a private container.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from hub.access.belonging import projects_of
from hub.access.keys import Role
from hub.access.teams import teams_of
from hub.access.who import Who
from hub.models import SHARED, ApiKey, Assignment, Connection, Container, Grant, Identity, Portfolio, Project, Status, Task, TaskProject, Team, User

BOUND = frozenset({Role.VIEWER, Role.CONSUMER})
"""Roles that see only what was granted."""
ALL, TOOL, CONTAINER, PROJECT, TEAM, PORTFOLIO = "all", "tool", "container", "project", "team", "portfolio"
PART = 500
"""Ids in one statement."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What one subject was granted. ``opened``: whatever is not private in its tool; ``subject``: finds the subject's grants; ``kinds``: of what they
    are, so that no statement looks for others; ``named``: grounds of one name see the same, as long as no row of theirs changes."""

    opened: bool
    subject: ColumnElement[bool]
    kinds: frozenset[str]
    named: tuple[Any, ...] | None = None

    def project(self, of: Any) -> ColumnElement[bool]:
        """Whether a row of ``Project`` is seen."""
        ways = []
        open_ = and_(of.private.is_(False), or_(of.container_id.is_(None), of.container_id.in_(_open_containers())))
        if self.opened:
            ways.append(open_)
        elif TOOL in self.kinds:
            ways.append(and_(open_, of.connection_id.in_(self._connections())))
        if PORTFOLIO in self.kinds:
            ways.append(and_(open_, of.id.in_(projects_of(self._granted(PORTFOLIO)))))
        if self.kinds & {CONTAINER, TEAM}:
            ways.append(and_(of.private.is_(False), of.container_id.in_(self._below())))
        if PROJECT in self.kinds:
            ways.append(of.id.in_(self._granted(PROJECT)))
        return or_(false(), *ways)

    def container(self, of: Any) -> ColumnElement[bool]:
        """Whether a row of ``Container`` is seen. What lies above a granted one is not."""
        ways = []
        if self.opened or TOOL in self.kinds:
            open_ = of.id.in_(_open_containers())
            ways.append(open_ if self.opened else and_(open_, of.connection_id.in_(self._connections())))
        if self.kinds & {CONTAINER, TEAM}:
            ways.append(of.id.in_(self._below()))
        return or_(false(), *ways)

    def whole(self, connection_id: Any) -> ColumnElement[bool]:
        """Whether a connection is seen as a whole: its runs, its people, its tasks in no project."""
        if self.opened:
            return true()
        return connection_id.in_(self._connections()) if TOOL in self.kinds else false()

    def _granted(self, kind: str) -> Select[Any]:
        column = Grant.target_name if kind == TOOL else Grant.target_id
        return select(column).where(in_force(), self.subject, Grant.target_kind == kind, column.is_not(None)).correlate(None)

    def _connections(self) -> Select[Any]:
        of_tool = aliased(Connection)
        return select(of_tool.id).where(of_tool.tool.in_(self._granted(TOOL))).correlate(None)

    def _below(self) -> Select[Any]:
        """The granted containers and what lies below them, private ones left out unless they are granted themselves."""
        top, child, team = aliased(Container), aliased(Container), aliased(Team)
        ways: list[ColumnElement[bool]] = [top.id.in_(self._granted(CONTAINER))]
        if TEAM in self.kinds:
            same = and_(team.connection_id == top.connection_id, team.external_id == top.external_id)
            own = select(team.id).where(same, team.id.in_(self._granted(TEAM))).correlate(top)
            ways.append(and_(top.kind == TEAM, own.exists()))
        found = select(top.id).where(or_(*ways)).correlate(None).cte(recursive=True, nesting=True)
        found = found.union(select(child.id).join(found, child.parent_id == found.c.id).where(child.private.is_(False)))
        return select(found.c.id)


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """A reader's own choice: only what belongs to these portfolios. It gives nothing that the other grounds do not."""

    portfolios: tuple[UUID, ...]
    opened = False

    @property
    def named(self) -> tuple[Any, ...]:
        return ("within", *sorted(self.portfolios))

    def project(self, of: Any) -> ColumnElement[bool]:
        chosen = select(Portfolio.id).where(Portfolio.id.in_(self.portfolios))
        return cast(ColumnElement[bool], of.id.in_(projects_of(chosen)))

    def container(self, _of: Any) -> ColumnElement[bool]:
        return false()

    def whole(self, _connection_id: Any) -> ColumnElement[bool]:
        return false()


def in_force() -> ColumnElement[bool]:
    return and_(Grant.revoked_at.is_(None), Grant.enabled.is_(True))


def _open_containers() -> Select[Any]:
    """Those that neither are private nor lie below a private one."""
    top, child, each = aliased(Container), aliased(Container), aliased(Container)
    closed = select(top.id).where(top.private.is_(True)).correlate(None).cte(recursive=True, nesting=True)
    closed = closed.union(select(child.id).join(closed, child.parent_id == closed.c.id))
    return select(each.id).where(each.id.not_in(select(closed.c.id))).correlate(None)


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A row is seen if every ground lets it be seen; without grounds all are. Each method gives conditions for a WHERE, none where all is seen."""

    grounds: tuple[Ground | Within, ...] = ()

    @property
    def everything(self) -> bool:
        return not self.grounds

    @property
    def bounded(self) -> bool:
        """Whether somebody else set bounds, and not only the reader."""
        return any(isinstance(ground, Ground) for ground in self.grounds)

    @property
    def given(self) -> Scope:
        """Without what the reader chose."""
        return Scope(tuple(ground for ground in self.grounds if isinstance(ground, Ground)))

    def within(self, portfolios: Collection[UUID]) -> Scope:
        """The same, narrowed to what belongs to these portfolios; none: not narrowed."""
        return Scope((*self.grounds, Within(tuple(portfolios)))) if portfolios else self

    @property
    def named(self) -> tuple[Any, ...] | None:
        """Scopes of one name see the same rows of one snapshot. None: this one has no name."""
        names = tuple(ground.named for ground in self.grounds)
        return None if None in names else names

    def projects(self, of: Any = Project) -> list[ColumnElement[bool]]:
        return [ground.project(of) for ground in self.grounds]

    def containers(self, of: Any = Container) -> list[ColumnElement[bool]]:
        return [ground.container(of) for ground in self.grounds]

    def whole(self, connection_id: Any) -> list[ColumnElement[bool]]:
        """Rows that tell of a connection as a whole."""
        return [ground.whole(connection_id) for ground in self.grounds]

    def tasks(self, of: Any = Task) -> list[ColumnElement[bool]]:
        """By home: what figures count. A task in no project belongs to the connection as a whole."""
        if self.everything:
            return []
        homeless = and_(of.project_id.is_(None), *self.whole(of.connection_id))
        return [or_(of.project_id.in_(self.project_ids()), homeless)]

    def listed(self, of: Any = Task) -> list[ColumnElement[bool]]:
        """By home or by another membership: what lists show."""
        if self.everything:
            return []
        member = aliased(TaskProject)
        shared = select(TaskProject.task_id).where(SHARED).correlate(None)
        guests = select(member.task_id).where(member.task_id.in_(shared), member.project_id.in_(self.project_ids())).correlate(None)
        return [or_(*self.tasks(of), of.id.in_(guests))]

    def people(self, of: Any = Identity) -> list[ColumnElement[bool]]:
        """Those of a connection that is seen as a whole, else those who appear on a row that is seen."""
        if self.everything:
            return []
        task, project = aliased(Task), aliased(Project)
        assigned = select(Assignment.assignee_id).join(task, task.id == Assignment.task_id).where(*self.listed(task)).correlate(None)
        owners = select(project.owner_id).where(project.owner_id.is_not(None), *self.projects(project)).correlate(None)
        return [or_(and_(*self.whole(of.connection_id)), of.id.in_(assigned), of.id.in_(owners))]

    def statuses(self, of: Any = Status) -> list[ColumnElement[bool]]:
        """A project's own with the project; one of several projects where a task that is seen has it."""
        if self.everything:
            return []
        task = aliased(Task)
        used = select(task.status_id).where(task.status_id.is_not(None), *self.tasks(task)).correlate(None)
        common = and_(of.project_id.is_(None), or_(and_(*self.whole(of.connection_id)), of.id.in_(used)))
        return [or_(of.project_id.in_(self.project_ids()), common)]

    def places(self, column: Any) -> list[ColumnElement[bool]]:
        """Of a column that holds ids of projects or containers."""
        if self.everything:
            return []
        container = aliased(Container)
        return [or_(column.in_(self.project_ids()), column.in_(select(container.id).where(*self.containers(container)).correlate(None)))]

    def connections(self) -> list[ColumnElement[bool]]:
        """Of ``Connection``: those of which anything is seen."""
        if self.everything:
            return []
        project, container = aliased(Project), aliased(Container)
        held = select(project.connection_id).where(*self.projects(project)).correlate(None)
        around = select(container.connection_id).where(*self.containers(container)).correlate(None)
        return [or_(and_(*self.whole(Connection.id)), Connection.id.in_(held), Connection.id.in_(around))]

    def project_ids(self) -> Select[Any]:
        """The projects that are seen, to be used with IN. Only where there are grounds."""
        project = aliased(Project)
        return select(project.id).where(*self.projects(project)).correlate(None)

    def seen_projects(self, session: Session, ids: Collection[UUID]) -> set[UUID]:
        """Which of these projects are seen."""
        if self.everything:
            return set(ids)
        return {found for part in _parts(ids) for found in session.scalars(select(Project.id).where(Project.id.in_(part), *self.projects()))}

    def seen_wholes(self, session: Session, ids: Collection[UUID]) -> set[UUID]:
        """Which of these connections are seen as a whole."""
        if self.everything:
            return set(ids)
        wanted = self.whole(Connection.id)
        return {found for part in _parts(ids) for found in session.scalars(select(Connection.id).where(Connection.id.in_(part), *wanted))}

    @property
    def sees_the_hub(self) -> bool:
        """Whether what is of no connection, but of the hub itself, is seen."""
        return all(ground.opened for ground in self.grounds)


EVERYTHING = Scope()
NOTHING = Scope((Ground(False, false(), frozenset()),))


def _parts(ids: Collection[UUID]) -> Iterator[list[UUID]]:
    listed = list(ids)
    return (listed[at : at + PART] for at in range(0, len(listed), PART))


def of(session: Session, who: Who) -> Scope:
    """What somebody sees at this moment. As many statements whatever is asked for afterwards."""
    if who.role is Role.ADMIN:
        return EVERYTHING
    if who.key_id is not None:
        return Scope(tuple(_of_key(session, who.key_id, who.role)))
    if who.user_id is not None:
        email = session.scalar(select(User.folded_email).where(User.id == who.user_id))
        return Scope((_of_user(session, who.user_id, who.role, email),))
    return Scope((_ground(session, who.role, false(), ()),))


def of_key(session: Session, key_id: UUID | None) -> Scope:
    """What a key sees; none: everything, for what an admin set up at the command line. A key that is gone sees nothing."""
    if key_id is None:
        return EVERYTHING
    key = session.get(ApiKey, key_id)
    return NOTHING if key is None else of(session, Who(None, key.id, key.name, Role(key.role), None))


def _of_key(session: Session, key_id: UUID, role: Role) -> Iterator[Ground]:
    """A key sees no more than its owner. One that never had a grant of its own sees what an owner sees who is bound by grants."""
    owner = select(User.id, User.role, User.folded_email).join(ApiKey, ApiKey.owner_user_id == User.id).where(ApiKey.id == key_id)
    found = session.execute(owner).one_or_none()
    mine = and_(Grant.subject_kind == "key", Grant.subject_id == key_id)
    bound = found is not None and Role(found.role) in BOUND
    if found is not None and bound:
        yield _of_user(session, found.id, Role(found.role), found.folded_email)
    had = session.scalar(select(func.count()).select_from(Grant).where(mine))
    if had or not bound:
        yield _ground(session, role, mine, ("key", key_id))


def _of_user(session: Session, user_id: UUID, role: Role, email: str | None) -> Ground:
    mine = and_(Grant.subject_kind == "user", Grant.subject_id == user_id)
    by_team = and_(Grant.subject_kind == "members", Grant.subject_id.in_(teams_of(session, email)))
    return _ground(session, role, or_(mine, by_team), ("user", user_id, email))


def _ground(session: Session, role: Role, mine: ColumnElement[bool], subject_name: tuple[Any, ...]) -> Ground:
    subject = or_(mine, and_(Grant.subject_kind == "role", Grant.subject_role == role.value))
    kinds = frozenset(session.scalars(select(Grant.target_kind).where(in_force(), subject).distinct()))
    opened = role not in BOUND or ALL in kinds
    named = (opened,) if kinds <= {ALL} else (opened, role, *subject_name)  # without grants of its own it sees what all of its role see
    return Ground(opened, subject, kinds, named)
