"""/events and /event-types: the log for those who ask, page by page or waiting for what comes; and what types there are."""

from __future__ import annotations

from typing import Annotated, Any, cast
from uuid import UUID

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from connectors.records import StatusCategory, TaskKind
from hub.access.keys import Role
from hub.api import answers
from hub.api.bell import Bell
from hub.api.door import allowed
from hub.api.hub import Hub, HubHere
from hub.api.problems import MEDIA, Problem, not_found
from hub.delivery import catalogue, envelope, pull
from hub.delivery.filter import Filter
from hub.delivery.pull import Cursor, Lost, Page
from hub.delivery.shapes import Message
from hub.delivery.veil import Withheld, veiled
from hub.portfolio.tasks import Instant, assignees_meant
from hub.portfolio.texts import Text

router = APIRouter(tags=["events"])
READERS = Depends(allowed(Role.ADMIN, Role.PMO, Role.CONSUMER))
LONGEST_WAIT = 30
SIGNED = "Signed by the Standard Webhooks specification: webhook-id, webhook-timestamp, webhook-signature. Any 2xx is taken as received."
GONE: dict[int | str, dict[str, Any]] = {
    410: {"description": "the cursor cannot be followed", "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}}
}
INSTANT: TypeAdapter[Any] = TypeAdapter(Instant)


class MessageShape(Message):
    """``data`` depends on the type: ``/event-types`` has each one's schema."""

    data: dict[str, Any] | None = Field(None, description="changed, before, after, object; absent where thin")


class FeedMeta(BaseModel):
    head: str = Field(description="the cursor of the newest event")
    behind: int = Field(description="events after next_cursor, those that the filters keep away included")


class FeedShape(BaseModel):
    """``next_cursor`` is never null: ask with it again, also after an empty answer."""

    data: list[MessageShape]
    next_cursor: str
    meta: FeedMeta


class EventShape(BaseModel):
    data: MessageShape


class TypeShape(BaseModel):
    """``schema``: JSON Schema of the whole message."""

    type: str
    entity: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema")
    example: MessageShape


class TypesShape(BaseModel):
    data: list[TypeShape]


class EventFilter(BaseModel):
    """Different filters narrow each other; a filter given several times means any of its values. Tested on what was and on what is."""

    type: list[str] = Field([], description="a type, or all of a noun such as task.*; repeatable")
    tool: list[str] = Field([], description="repeatable")
    connection_id: list[UUID] = Field([], description="repeatable")
    project_id: list[UUID] = Field([], description="a project it lies or lay in; repeatable")
    category_from: list[StatusCategory] = Field([], description="its status left this category; repeatable")
    category_to: list[StatusCategory] = Field([], description="its status came to this category; repeatable")
    kind: list[TaskKind] = Field([], description="of tasks; repeatable")
    assignee_id: list[UUID] = Field([], description="a person or team it is or was assigned to; repeatable")
    tag: list[Text] = Field([], description="repeatable")
    field: list[Text] = Field([], description="a field that changed, such as due_on or custom_fields; repeatable")

    def criteria(self) -> Filter:
        """Raises Problem for a type that does not exist."""
        unknown = unknown_types(self.type)
        if unknown:
            detail = f"no such type: {', '.join(unknown)[:200]}; /api/v1/event-types lists them"
            raise Problem(400, "invalid_parameter", detail, errors=[("query/type", detail)])
        return Filter(
            types=frozenset(self.type),
            tools=frozenset(self.tool),
            connection_ids=frozenset(map(str, self.connection_id)),
            project_ids=frozenset(map(str, self.project_id)),
            categories_from=frozenset(each.value for each in self.category_from),
            categories_to=frozenset(each.value for each in self.category_to),
            kinds=frozenset(each.value for each in self.kind),
            assignee_ids=frozenset(map(str, self.assignee_id)),
            tags=frozenset(self.tag),
            fields=frozenset(self.field),
        )


class EventQuery(EventFilter):
    after: str | None = Field(None, max_length=60, description="the last answer's next_cursor, or an endpoint's cursor")
    begin: str | None = Field(None, alias="from", max_length=60, description="without after: now, start (the default), or an instant")
    wait: int = Field(0, ge=0, le=LONGEST_WAIT, description="seconds to wait for an event, if there is none yet")
    limit: int = Field(100, ge=1, le=1000, description="events a page")
    thin: bool = Field(False, description="without data")


def unknown_types(types: list[str]) -> list[str]:
    return [each for each in types if not catalogue.named([each])]


async def bell(request: Request) -> Bell:
    """One bell an app, made when first needed: it belongs to the loop that waits."""
    state = request.app.state
    if not hasattr(state, "bell"):
        state.bell = Bell(cast(Hub, state.hub).database)
    return cast(Bell, state.bell)


@router.get("/events", summary="What changed, in order", response_model=FeedShape, responses=GONE, dependencies=[READERS])
async def list_events(hub: HubHere, asked: Annotated[EventQuery, Query()], rung: Annotated[Bell, Depends(bell)]) -> Response:
    """The log of changes from a cursor on, as endpoints are sent it: same ids, filters and order. With ``wait`` the answer comes as soon as there is
    an event that fits, and at the latest then. 410: what the cursor stands for is gone, and its ``detail`` says what to do; there is never a silent
    gap."""
    criteria, until = await run_sync(_criteria, hub, asked), anyio.current_time() + asked.wait
    found = await run_sync(_first, hub, asked, criteria)
    while not found.lines and (left := until - anyio.current_time()) > 0:
        if found.exhausted:
            await rung.beyond(found.cursor.sequence, left)
        found = await run_sync(_page, hub, found.cursor, criteria, asked.limit)
    return _answer(found, thin=asked.thin)


def _criteria(hub: Hub, asked: EventQuery) -> Filter:
    """With a person's users in the place of the person, for events name those."""
    if not asked.assignee_id:
        return asked.criteria()
    with hub.database.reading() as session:
        return asked.model_copy(update={"assignee_id": sorted(assignees_meant(session, asked.assignee_id))}).criteria()


def _first(hub: Hub, asked: EventQuery, criteria: Filter) -> Page:
    if asked.after is not None and asked.begin is not None:
        raise Problem(400, "invalid_parameter", "after and from exclude each other", errors=[("query/from", "leave it out, or leave out after")])
    return _page(hub, asked, criteria, asked.limit)


def _page(hub: Hub, place: Cursor | EventQuery, criteria: Filter, limit: int) -> Page:
    with hub.database.reading() as session:
        try:
            after = place if isinstance(place, Cursor) else _beginning(session, place)
            return pull.page(session, after, criteria, limit, hub.scope(session))
        except Lost as error:
            raise Problem(410, error.code, str(error), errors=[("query/after", str(error))]) from error


def _beginning(session: Any, asked: EventQuery) -> Cursor:
    """Where to begin. Raises Lost, Problem."""
    if asked.after is not None:
        try:
            return Cursor.parse(asked.after)
        except ValueError as error:
            raise Problem(400, "invalid_cursor", str(error), errors=[("query/after", str(error))]) from error
    if asked.begin in (None, "start"):
        return pull.start(session)
    if asked.begin == "now":
        return pull.now(session)
    try:
        return pull.since(session, INSTANT.validate_python(asked.begin))
    except ValidationError as error:
        detail = "from is now, start, or an instant such as 2026-01-31T09:00:00Z"
        raise Problem(400, "invalid_parameter", detail, errors=[("query/from", detail)]) from error


def _answer(found: Page, *, thin: bool) -> Response:
    meta = {"head": str(Cursor(found.cursor.epoch, found.head)), "behind": found.head - found.cursor.sequence}
    bodies = b",".join(envelope.body(line, thin=thin) for line in found.lines)
    ending = answers.dump({"next_cursor": str(found.cursor), "meta": meta})[1:]
    return Response(b'{"data":[' + bodies + b"]," + ending, media_type="application/json")


@router.get("/events/{event_id}", summary="One event", response_model=EventShape, dependencies=[READERS])
def read_event(hub: HubHere, event_id: UUID) -> Response:
    """The whole of it, whatever its size: what a thin message leaves out."""
    with hub.database.reading() as session:
        line = envelope.one(session, event_id)
        found = next(iter(veiled(session, [line], hub.scope(session))), None) if line else None
    if found is None or isinstance(found, Withheld):
        raise not_found("event (or it is no longer kept)")
    return Response(answers.dump({"data": envelope.envelope(found)}), media_type="application/json")


@router.get("/event-types", summary="The types of events", response_model=TypesShape, dependencies=[READERS])
def list_event_types() -> Response:
    """Each with its JSON Schema and an example."""
    return Response(answers.dump({"data": [catalogue.entry(kind) for kind in catalogue.BY_TYPE]}), media_type="application/json")


def webhooks() -> APIRouter:
    """What an endpoint is sent, for the OpenAPI document only."""
    made = APIRouter(tags=["webhooks"])
    for kind, told in catalogue.BY_TYPE.items():
        made.add_api_route(
            kind,
            _sent(catalogue.message_of(kind)),
            methods=["POST"],
            name=kind,
            summary=told.when,
            operation_id=kind,
            status_code=204,
            responses={"default": {"description": "not received: the hub tries again, for more than 72 hours"}},
            description=SIGNED,
        )
    return made


def _sent(shape: type[BaseModel]) -> Any:
    def receive(message: Any) -> None: ...

    receive.__annotations__ = {"message": shape, "return": None}
    return receive
