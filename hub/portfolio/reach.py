"""Which rows an answer is about, by whose right it is asked, and how far it can be trusted: its age, its gaps, and since when movement is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from hub.access.scope import EVERYTHING, Scope
from hub.models import Connection, Container, Coverage, Identity, Project, Status, Task
from hub.portfolio import policy


@dataclass(frozen=True, slots=True)
class Day:
    """Now, and the calendar day that it is where the reader is."""

    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """The instant at which a day begins here; where clocks skip midnight, the first instant of that day."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def date_of(self, instant: datetime) -> date:
        """The day on which an instant falls here."""
        return instant.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Reach:
    """The connections concerned. ``partial``: there are others, whose rows must be left out. ``scope``: the rows of these that the reader sees.
    ``policy_key``: whose tolerances and calendar hold, the chosen portfolio's or everybody's."""

    connections: tuple[Any, ...]
    partial: bool
    scope: Scope = EVERYTHING
    policy_key: str = "default"

    @property
    def tools(self) -> dict[UUID, str]:
        return {connection.id: connection.tool for connection in self.connections}

    def where(self, column: Any) -> list[ColumnElement[bool]]:
        """No condition where all connections are meant: the database then has one thing less to look at."""
        return [column.in_([connection.id for connection in self.connections])] if self.partial else []

    def tasks(self, of: Any = Task) -> list[ColumnElement[bool]]:
        """Which tasks count: those whose home the reader sees. Every figure asks here."""
        return [*self.where(of.connection_id), *self.scope.tasks(of)]

    def listed(self, of: Any = Task) -> list[ColumnElement[bool]]:
        """Which tasks are shown: also those that are at home elsewhere and members of a project that the reader sees. Whoever asks here must not show
        their home (``shapes.task_shapes`` does not)."""
        return [*self.where(of.connection_id), *self.scope.listed(of)]

    def projects(self, of: Any = Project) -> list[ColumnElement[bool]]:
        """Which projects the reader sees."""
        return [*self.where(of.connection_id), *self.scope.projects(of)]

    def containers(self, of: Any = Container) -> list[ColumnElement[bool]]:
        return [*self.where(of.connection_id), *self.scope.containers(of)]

    def people(self, of: Any = Identity) -> list[ColumnElement[bool]]:
        return [*self.where(of.connection_id), *self.scope.people(of)]

    def statuses(self, of: Any = Status) -> list[ColumnElement[bool]]:
        return [*self.where(of.connection_id), *self.scope.statuses(of)]

    def whole(self, connection_id: Any) -> list[ColumnElement[bool]]:
        """Rows that tell of a connection as a whole, as its runs do."""
        return [*self.where(connection_id), *self.scope.whole(connection_id)]

    def held(self) -> list[ColumnElement[bool]]:
        """Which rows of ``Coverage``."""
        return [*self.where(Coverage.connection_id), *self.scope.places(Coverage.container_id)]

    def seen_projects(self, ids: Collection[UUID]) -> Any:
        """Of these projects those that the reader sees, to be used with IN: a filter by a hidden project finds nothing."""
        if self.scope.everything:
            return list(ids)
        return select(Project.id).where(Project.id.in_(ids), *self.scope.projects()).correlate(None)

    @property
    def history(self) -> dict[UUID, datetime]:
        """Since when changes are known, by connection; one that never was read through has none."""
        return {each.id: each.history_from for each in self.connections if each.history_from is not None}

    @property
    def known_from(self) -> datetime | None:
        """No figure of movement over all of them reaches behind this instant."""
        return max(self.history.values(), default=None)


def reach(
    session: Session,
    *,
    tools: Collection[str] = (),
    connection_ids: Collection[UUID] = (),
    portfolio_ids: Collection[UUID] = (),
    scope: Scope = EVERYTHING,
) -> Reach:
    """The connections of these tools and ids (none given: all), removed ones left out. ``scope``: what the reader sees (``access.scope``). Without
    it all is seen: whoever asks for somebody gives theirs. ``portfolio_ids``: of this only what belongs to these."""
    scope = scope.within(portfolio_ids)
    columns = (Connection.id, Connection.tool, Connection.name, Connection.state, Connection.last_synced_at, Connection.history_from)
    every = session.execute(select(*columns).where(*scope.connections()).order_by(Connection.tool, Connection.name)).all()
    meant = tuple(
        connection
        for connection in every
        if connection.state != "detached" and (not tools or connection.tool in tools) and (not connection_ids or connection.id in connection_ids)
    )
    key = policy.key_of(session, next(iter(portfolio_ids))) if len(portfolio_ids) == 1 else policy.DEFAULT
    return Reach(meant, partial=len(meant) < len(every) or not scope.everything, scope=scope, policy_key=key)


def meta(session: Session, reached: Reach, day: Day, *, containers: Sequence[UUID] = ()) -> dict[str, Any]:
    """What travels with every answer. ``containers``: the projects that the answer is confined to; none: all of the connections."""
    synced = [connection.last_synced_at for connection in reached.connections]
    history = [connection.history_from for connection in reached.connections]
    as_of = min(synced) if synced and None not in synced else None
    said: dict[str, Any] = {
        "data_as_of": as_of,
        "coverage": _coverage(session, reached, containers, synced=as_of is not None),
        "timezone": day.zone.key,
        "history_from": max(history) if history and None not in history else None,
        "scope": "granted" if reached.scope.bounded else "all",
    }
    return said


def _coverage(session: Session, reached: Reach, containers: Sequence[UUID], *, synced: bool) -> dict[str, Any]:
    refused = Coverage.refused.is_not(None)
    unproved = Coverage.refused.is_(None) & (Coverage.proof == "none")
    counted = (
        select(func.count(), func.coalesce(func.sum(case((unproved, 1), else_=0)), 0), func.coalesce(func.sum(case((refused, 1), else_=0)), 0))
        .select_from(Coverage)
        .outerjoin(Project, Project.id == Coverage.container_id)
        .outerjoin(Container, Container.id == Coverage.container_id)
        .where(Project.deleted_at.is_(None), Container.deleted_at.is_(None), *reached.held())
    )
    if containers:
        counted = counted.where(Coverage.container_id.in_(containers))
    number, gaps, barred = session.execute(counted).one()
    return {"complete": synced and gaps == 0 and barred == 0, "containers": number, "unproved": gaps, "refused": barred}
