"""/connections, /sync-runs, /coverage: how the hub keeps up with the tools."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.errors import ConnectorError
from connectors.records import Project
from hub.access import audit
from hub.access.keys import Role
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.door import ADMIN, allowed
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.paging import Paging
from hub.api.problems import Problem, not_found
from hub.connections import ConnectionProblem, consents
from hub.connections.consents import Asker
from hub.models import ApiKey, Connection
from hub.portfolio import reading
from hub.portfolio.reach import Reach, meta
from hub.portfolio.tasks import Concerned
from hub.portfolio.texts import Text
from hub.sync import backfill, contact, pace, runs
from hub.vault import VaultError

router = APIRouter(tags=["connections"], route_class=Exact)


class WorkspaceShape(BaseModel):
    external_id: str
    name: str
    kind: str


class CheckedShape(BaseModel):
    """``missing``: rights or plan features that the credential lacks, each one sentence."""

    user_name: str | None
    plan: str | None
    limits: dict[str, str | int] | None
    missing: list[str] | None
    workspaces: list[WorkspaceShape] | None
    lasts: str | None = Field(description="how long the credential holds, in words")
    at: datetime | None


class CadenceShape(BaseModel):
    """One kind of reading. ``calls``: what one costs, from its latest runs; ``last_at``: when the newest complete one (or a wider one) began."""

    every_seconds: int
    calls: float | None
    last_at: datetime | None


class PaceShape(BaseModel):
    """``poll``: edits and creations; ``structure``: containers, archives, moves; ``full``: everything. ``allowed_a_day``: the share of the plan's
    calls that the hub may use, null where the plan's limits are not known."""

    poll: CadenceShape
    structure: CadenceShape
    full: CadenceShape
    calls_a_day: int
    allowed_a_day: int | None


class ConnectionShape(BaseModel):
    """``state``: active, paused, or broken (a person must act)."""

    id: UUID
    name: str
    tool: str
    base_url: str
    state: str
    last_synced_at: datetime | None
    next_sync_at: datetime | None
    last_error: str | None
    interval_seconds: int | None = Field(description="null: the hub's own interval")
    pace: PaceShape = Field(description="how often it is read, and what that costs")
    scope: dict[str, list[str]]
    checked: CheckedShape | None = Field(description="what the last check found")
    history_from: datetime | None
    created_at: datetime


class CheckShape(BaseModel):
    """``problem``: one sentence, null where all is well."""

    ok: bool
    problem: str | None
    connection: ConnectionShape


class ConsentBody(BaseModel):
    """Either ``tool`` and ``name`` of a new connection, or ``connection_id`` of one whose credential is to be replaced."""

    model_config = ConfigDict(extra="forbid")

    tool: Text = ""
    name: Text = Field("", max_length=100)
    connection_id: UUID | None = None


class ConsentShape(BaseModel):
    """``authorize_url`` is for the key's owner alone: to be opened until ``expires_at`` in a browser in which they are logged in to the hub."""

    authorize_url: str
    tool: str
    scopes: list[str]
    expires_at: datetime


class NodeShape(BaseModel):
    """A container or project as the tool shows it now. ``ref`` names it in this answer; ``external_id`` is what a scope excludes."""

    ref: str
    external_id: str
    kind: str
    name: str
    parent: str | None
    archived: bool
    private: bool


class RunKind(StrEnum):
    """What a run read (while it waits: what it was asked for). `history`: changes of the time before, of which `created` is the count."""

    TOUCH = runs.TOUCH
    POLL = runs.POLL
    STRUCTURE = runs.STRUCTURE
    FULL = runs.FULL
    HISTORY = runs.HISTORY


class BackfillShape(BaseModel):
    """``calls``: what reading it takes at least; ``left``: what may still be used today, null where the plan's limits are not known. ``what``: what
    the tool's books tell. ``queued``: whether it will be read now."""

    calls: int
    left: int | None
    what: str
    since: datetime
    queued: bool


class RunShape(BaseModel):
    id: UUID
    tool: str
    connection_id: UUID
    state: reading.RunState
    reason: str
    kind: RunKind
    full: bool
    baseline: bool
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    tasks: int
    created: int
    updated: int
    deleted: int
    unchanged: int
    requests: int
    errors: list[str]
    next_sync_at: datetime | None


class CoverageShape(BaseModel):
    """``read``: distinct tasks in the last complete pass; ``held``: in the hub; ``vendor_count``: the
    tool's own count of what ``vendor_counts`` says."""

    container_id: UUID
    connection_id: UUID
    tool: str
    kind: str
    name: str | None
    read: int | None
    held: int
    vendor_count: int | None
    vendor_counts: str | None
    proof: reading.Proof
    refused: str | None
    proved_at: datetime | None


class RunQuery(reading.RunFilter, Paging):
    pass


class CoverageQuery(reading.CoverageFilter, Paging):
    pass


@router.get("/connections", summary="The connected accounts", response_model=Listed[ConnectionShape])
def list_connections(hub: HubHere, asked: Annotated[Concerned, Query()]) -> Response:
    """By tool and name, all in one page; credentials are never shown."""
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        return answers.listed(_connections(hub, session, reached), None, meta(session, reached, hub.day()))


@router.get("/connections/{connection_id}", summary="One connection", response_model=Single[ConnectionShape])
def read_connection(hub: HubHere, connection_id: UUID) -> Response:
    with hub.database.reading() as session:
        reached = hub.reach_of(session, connection_id)
        if not (shapes := _connections(hub, session, reached)):
            raise not_found("connection")
        return answers.single(shapes[0], meta(session, reached, hub.day()))


def _connections(hub: Hub, session: Session, reached: Reach) -> list[dict[str, Any]]:
    rows = {row.id: row for row in session.scalars(select(Connection).where(Connection.id.in_([each.id for each in reached.connections])))}
    return [{**shape, "pace": pace.told(session, rows[shape["id"]], hub.now(), hub.settings)} for shape in reading.connections(session, reached)]


@router.post("/connections/oauth", summary="Let the hub into a tool", status_code=201, response_model=Single[ConsentShape])
def begin_consent(hub: HubHere, request: Request, key: Annotated[ApiKey, Depends(allowed(Role.ADMIN))], asked: ConsentBody) -> Response:
    """Where the key's owner says yes in the tool itself. Only they can come back with it; nothing is stored until then."""
    if key.owner_user_id is None:
        raise Problem(409, "key_without_owner", "this key belongs to nobody who could say yes in a browser: begin on the page Connect a tool")
    if hub.settings.public_url is None:
        raise Problem(409, "no_public_url", "the tool has to know where to send you back to: set HUB_PUBLIC_URL")
    by = audit.Actor("key", str(key.id), request.client.host if request.client else None)
    asker, origin, now = Asker(key.owner_user_id, None, by), hub.settings.public_url, hub.now()
    try:
        with hub.database.writing() as session:
            held = None if asked.connection_id is None else session.get(Connection, asked.connection_id)
            if asked.connection_id is not None and (held is None or held.state == "detached"):
                raise not_found("connection")
            name = asked.name.strip() or asked.tool
            begun = consents.begin(session, hub.vault, hub.settings, asker, now, origin=origin, tool=asked.tool, name=name, connection=held)
    except (ConnectionProblem, VaultError) as error:
        raise Problem(409, "cannot_begin", str(error)) from error
    shape = {"authorize_url": begun.address, "tool": begun.tool, "scopes": list(begun.scopes), "expires_at": begun.expires_at}
    with hub.database.reading() as session:
        return answers.single(shape, meta(session, hub.reach(session), hub.day()), status=201)


@router.post("/connections/{connection_id}/check", summary="Is the credential good?", response_model=Single[CheckShape], dependencies=[ADMIN])
def check_connection(hub: HubHere, connection_id: UUID) -> Response:
    """Asks the tool now, and keeps the answer."""
    _exists(hub, connection_id)
    found = contact.check(_contact(hub), connection_id)
    with hub.database.reading() as session:
        reached = hub.reach_of(session, connection_id)
        shape = {"ok": found.problem is None, "problem": found.problem, "connection": _connections(hub, session, reached)[0]}
        return answers.single(shape, meta(session, reached, hub.day()))


@router.post("/connections/{connection_id}/sync", summary="Sync now", status_code=202, response_model=Single[RunShape], dependencies=[ADMIN])
def sync_connection(
    hub: HubHere, connection_id: UUID, full: Annotated[bool, Query(description="read everything, not only what changed")] = False
) -> Response:
    """Queues a run and answers with it; while one waits already, that one is the answer, so asking twice does no harm."""
    _exists(hub, connection_id)
    with hub.database.writing() as session:
        connection = session.get_one(Connection, connection_id)
        if connection.state == "paused":
            raise Problem(409, "connection_paused", f"the connection is paused: hub connection resume {connection.name}")
        run_id = runs.queue(session, connection_id, "manual", hub.now(), kind=runs.FULL if full else runs.STRUCTURE).id
    with hub.database.reading() as session:
        reached = hub.reach_of(session, connection_id)
        answer = answers.single(reading.run(session, run_id, reached) or {}, meta(session, reached, hub.day()), status=202)
    hub.jobs.submit("sync", str(connection_id), {"run_id": str(run_id)})
    return answer


@router.post(
    "/connections/{connection_id}/backfill", summary="Read the past", status_code=202, response_model=Single[BackfillShape], dependencies=[ADMIN]
)
def backfill_connection(
    hub: HubHere,
    connection_id: UUID,
    days: Annotated[int, Query(ge=1, le=3650, description="how far back from today")] = 90,
    dry: Annotated[bool, Query(description="only say what it would cost")] = False,
) -> Response:
    """Reads the changes from before the first sync out of the tool's own books, in the background; its run is of the kind `history`."""
    _exists(hub, connection_id)
    day = hub.now().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        cost = backfill.cost(_contact(hub), connection_id, day - timedelta(days=days))
    except (ConnectionProblem, VaultError) as error:
        raise Problem(409, "tool_refuses", str(error)) from error
    if cost.what is None or cost.until is None:
        raise Problem(409, "no_past", "the tool keeps no books of the past that the hub can read" if cost.until else "the connection was never read")
    with hub.database.reading() as session:
        shape = {"calls": cost.calls, "left": cost.left, "what": cost.what, "since": cost.since, "queued": not dry}
        answer = answers.single(shape, meta(session, hub.reach_of(session, connection_id), hub.day()), status=202)
    if not dry:
        hub.jobs.submit("backfill", str(connection_id), {"connection_id": str(connection_id), "since": cost.since.isoformat()})
    return answer


@router.get("/connections/{connection_id}/containers", summary="What it could read", response_model=Listed[NodeShape], dependencies=[ADMIN])
def list_connection_containers(hub: HubHere, connection_id: UUID) -> Response:
    """The tool's tree as it is now, to choose a scope from: asks the tool, all in one page."""
    _exists(hub, connection_id)
    try:
        nodes = [_node(record) for record in contact.discover(_contact(hub), connection_id)]
    except (ConnectorError, ConnectionProblem, VaultError) as error:
        raise Problem(409, "tool_refuses", f"the tool does not show its containers: {error}") from error
    with hub.database.reading() as session:
        return answers.listed(nodes, None, meta(session, hub.reach_of(session, connection_id), hub.day()))


def _node(record: Any) -> dict[str, Any]:
    project = isinstance(record, Project)
    return {
        "ref": record.id,
        "external_id": record.external_id,
        "kind": "project" if project else record.kind.value,
        "name": record.name,
        "parent": record.container_id if project else record.parent_id,
        "archived": record.archived,
        "private": record.private,
    }


def _exists(hub: Hub, connection_id: UUID) -> None:
    with hub.database.reading() as session:
        hub.reach_of(session, connection_id)


def _contact(hub: Hub) -> contact.Contact:
    return contact.Contact(hub.database, hub.vault, hub.settings, hub.now)


@router.get("/sync-runs", summary="Runs, newest first", response_model=Listed[RunShape])
def list_sync_runs(hub: HubHere, asked: Annotated[RunQuery, Query()]) -> Response:
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = reading.runs(session, asked, reached, asked.after(reading.NEWEST), asked.limit)
        return answers.listed(shapes, asked.next_cursor(further), meta(session, reached, hub.day()))


@router.get("/sync-runs/{run_id}", summary="One run", response_model=Single[RunShape])
def read_sync_run(hub: HubHere, run_id: UUID) -> Response:
    with hub.database.reading() as session:
        shape = reading.run(session, run_id, hub.reach(session))
        if shape is None:
            raise not_found("run")
        return answers.single(shape, meta(session, hub.reach_of(session, shape["connection_id"]), hub.day()))


@router.get("/coverage", summary="How completely it is held", response_model=Listed[CoverageShape])
def list_coverage(hub: HubHere, asked: Annotated[CoverageQuery, Query()]) -> Response:
    """Per project: how many tasks the hub holds, how many the tool says there are, and what proves it."""
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = reading.coverage(session, asked, reached, asked.after(reading.BY_CONTAINER), asked.limit)
        return answers.listed(shapes, asked.next_cursor(further), meta(session, reached, hub.day()))
