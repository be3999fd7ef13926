"""/webhook-endpoints: where the hub sends events to. A consumer's key makes endpoints and sees its own; an admin's sees and changes all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from connectors.records import StatusCategory, TaskKind
from hub import connections, delivery, events
from hub.access.keys import Role
from hub.api import answers
from hub.api.door import allowed
from hub.api.events import unknown_types
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem, not_found
from hub.delivery import cards, endpoints, pull
from hub.delivery.address import Rules, TargetRefused
from hub.delivery.endpoints import EndpointProblem, Terms
from hub.delivery.pull import Cursor, Lost
from hub.models import ApiKey, Endpoint
from hub.portfolio.texts import Text

router = APIRouter(prefix="/webhook-endpoints", tags=["webhook endpoints"], route_class=Exact)
OWNERS = allowed(Role.ADMIN, Role.PMO, Role.CONSUMER)
Owner = Annotated[ApiKey, Depends(OWNERS)]
Repeated = Annotated[str | None, Header(max_length=200, description="any word of your own; the same request with it makes one endpoint")]
MOST_VALUES = 1_000
"""Of one filter: each event is held against all of them."""
REPEATABLE = timedelta(hours=24)
"""How long a POST may be sent again with the same Idempotency-Key and is answered as the first time, secret included."""


Values: Any = Field([], max_length=MOST_VALUES)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterShape(Body):
    """As the filters of ``/events``, each of them a list."""

    tools: list[str] = Values
    connection_ids: list[UUID] = Values
    project_ids: list[UUID] = Values
    categories_from: list[StatusCategory] = Values
    categories_to: list[StatusCategory] = Values
    kinds: list[TaskKind] = Values
    assignee_ids: list[UUID] = Values
    tags: list[Text] = Values
    fields: list[Text] = Values

    def kept(self) -> dict[str, list[str]]:
        return {name: values for name, values in self.model_dump(mode="json").items() if values}


class TermsBody(Body):
    name: Text | None = Field(None, max_length=200)
    url: str | None = Field(None, max_length=2000)
    types: list[str] | None = Field(None, max_length=MOST_VALUES, description="of /event-types, or all of a noun such as task.*; empty: all")
    filter: FilterShape | None = None
    thin: bool | None = Field(None, description="messages without data")
    ordering: Literal["entity", "none"] | None = Field(None, description="entity: what one entity tells comes in its order")
    headers: dict[str, str] | None = Field(None, description="sent with every message, kept sealed, never shown")


class NewEndpoint(TermsBody):
    """``after``: a cursor of /events, to go on where pulling has ended; else from now on. ``name``: else the URL's host."""

    url: str = Field(max_length=2000, description="https, or http where HUB_WEBHOOK_ALLOW lets it")
    after: str | None = Field(None, max_length=60)


class ParkedFigures(BaseModel):
    """``waiting``: for their own retry; ``behind``: an earlier one of the same entity; ``dead``: given up."""

    waiting: int
    behind: int
    dead: int


class EndpointShape(BaseModel):
    """``state``: active, paused (by a person), disabled (by the hub: ``disabled_reason``). ``cursor``: all up to there is done with; /events goes on
    from it."""

    id: UUID
    name: str
    url: str
    state: str
    types: list[str]
    filter: dict[str, list[str]]
    thin: bool
    ordering: str
    headers: list[str] = Field(description="names only")
    owner_key_id: UUID | None
    cursor: str
    backlog: int = Field(description="events not looked at yet, those that the filter will keep away included")
    lag_seconds: float | None
    parked: ParkedFigures
    delivered: int
    attempted: int
    created_at: datetime
    paused_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    next_try_at: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    old_secret_until: datetime | None


class NewEndpointShape(EndpointShape):
    secret: str = Field(description="shown this once")


class EndpointAnswer(BaseModel):
    data: EndpointShape


class NewEndpointAnswer(BaseModel):
    data: NewEndpointShape


class EndpointsAnswer(BaseModel):
    data: list[EndpointShape]
    next_cursor: None


class ResumedAnswer(EndpointAnswer):
    """``dropped``: events that it can no longer get, because the hub does not keep them that long."""

    dropped: int


class SecretBody(Body):
    overlap_hours: float = Field(default=24, ge=0, le=720, description="how long messages carry both signatures; 0 ends the old secret at once")


class SecretAnswer(BaseModel):
    secret: str
    old_secret_until: datetime | None


@router.get("", summary="Endpoints", response_model=EndpointsAnswer)
def list_endpoints(hub: HubHere, key: Owner) -> Response:
    with hub.database.reading() as session:
        shown = cards.cards(session, hub.vault, cards.owned(session, None if is_admin(key) else key.id), hub.now())
    return _json({"data": shown, "next_cursor": None})


@router.post("", summary="Add an endpoint", status_code=201, response_model=NewEndpointAnswer)
def create_endpoint(hub: HubHere, key: Owner, asked: NewEndpoint, idempotency_key: Repeated = None) -> Response:
    """It gets what is recorded from now on, or after ``after``. With an Idempotency-Key the same request makes one endpoint however often it is
    sent."""
    endpoint_id = uuid5(key.id, idempotency_key) if idempotency_key else uuid4()
    with hub.database.reading() as session:
        if (held := session.get(Endpoint, endpoint_id)) is not None:
            return _made(hub, session, held, _again(hub, held, asked))
    vetted = _vetted(hub, asked.url)
    with hub.database.writing() as session, told_as_problems():
        name = asked.name or urlsplit(asked.url).hostname or asked.url
        held, secret = endpoints.create(
            session, hub.vault, name, vetted, _terms(asked, Terms(owner_key_id=key.id)), hub.now(), endpoint_id=endpoint_id
        )
        if asked.after is not None:
            held.position, held.catch_up_until = _followed(session, asked.after), events.head(session)
        session.flush()
        answer = _made(hub, session, held, secret)
    delivery.ring(hub.jobs)
    return answer


def _again(hub: Hub, held: Endpoint, asked: NewEndpoint) -> str:
    """The secret that the first answer had. Raises Problem where this is another request, or too late."""
    if hub.now() - held.created_at > REPEATABLE or held.url != asked.url or held.previous_secret is not None:
        detail = "this Idempotency-Key made another endpoint, or one too long ago: take a new one"
        raise Problem(409, "idempotency_key_used", detail, errors=[("header/Idempotency-Key", detail)])
    return endpoints.secret_of(hub.vault, held)


@router.get("/{endpoint_id}", summary="One endpoint", response_model=EndpointAnswer)
def read_endpoint(hub: HubHere, key: Owner, endpoint_id: UUID) -> Response:
    with hub.database.reading() as session:
        return _shown(hub, session, mine(session, key, endpoint_id))


@router.patch("/{endpoint_id}", summary="Change an endpoint", response_model=EndpointAnswer)
def change_endpoint(hub: HubHere, key: Owner, endpoint_id: UUID, asked: TermsBody) -> Response:
    """What is not given stays. A new filter holds from the next event on; what is parked is not filtered again."""
    vetted = _vetted(hub, asked.url) if asked.url is not None else None
    with hub.database.writing() as session, told_as_problems():
        held = mine(session, key, endpoint_id)
        endpoints.change(session, hub.vault, held, name=asked.name, url=vetted, terms=_terms(asked, endpoints.terms_of(hub.vault, held)))
        session.flush()
        return _shown(hub, session, held)


@router.delete("/{endpoint_id}", summary="Remove an endpoint", status_code=204)
def remove_endpoint(hub: HubHere, key: Owner, endpoint_id: UUID) -> Response:
    """With all that is parked for it, and its attempts."""
    with hub.database.writing() as session:
        endpoints.remove(session, mine(session, key, endpoint_id))
    return Response(status_code=204)


@router.post("/{endpoint_id}/pause", summary="Hold its events back", response_model=EndpointAnswer)
def pause_endpoint(hub: HubHere, key: Owner, endpoint_id: UUID) -> Response:
    """They are kept, as long as any event is."""
    with hub.database.writing() as session:
        held = mine(session, key, endpoint_id)
        endpoints.pause(held, hub.now())
        session.flush()
        return _shown(hub, session, held)


@router.post("/{endpoint_id}/resume", summary="Let it go on", response_model=ResumedAnswer)
def resume_endpoint(hub: HubHere, key: Owner, endpoint_id: UUID) -> Response:
    """From where it stood, at a bounded pace; also one that the hub disabled or that keeps failing."""
    with hub.database.writing() as session:
        held = mine(session, key, endpoint_id)
        dropped = endpoints.resume(session, held)
        session.flush()
        answer = _json({"data": _card(hub, session, held), "dropped": dropped})
    delivery.ring(hub.jobs)
    return answer


@router.post("/{endpoint_id}/rotate-secret", summary="A new secret", response_model=SecretAnswer)
def rotate_endpoint_secret(hub: HubHere, key: Owner, endpoint_id: UUID, asked: SecretBody | None = None) -> Response:
    """Shown this once. Until the overlap ends, messages carry a signature of each."""
    overlap = timedelta(hours=(asked or SecretBody()).overlap_hours)
    with hub.database.writing() as session, told_as_problems():
        held = mine(session, key, endpoint_id)
        secret = endpoints.rotate_secret(hub.vault, held, hub.now(), overlap=overlap)
        return _json({"secret": secret, "old_secret_until": held.previous_until})


def is_admin(key: ApiKey) -> bool:
    return key.role == Role.ADMIN.value


def mine(session: Session, key: ApiKey, endpoint_id: UUID) -> Endpoint:
    """The endpoint, if the key may touch it; whose it is else is nobody's business."""
    held = session.get(Endpoint, endpoint_id)
    if held is None or not (is_admin(key) or held.owner_key_id == key.id):
        raise not_found("endpoint")
    return held


def _terms(asked: TermsBody, former: Terms) -> Terms:
    """What is asked for, and else what was. Raises Problem."""
    if asked.types is not None and (unknown := unknown_types(asked.types)):
        errors = [(f"/types/{asked.types.index(each)}", f"there is no type {each[:100]}; /api/v1/event-types lists them") for each in unknown]
        raise Problem(422, "invalid_body", "there is no such type", errors=errors)
    if asked.filter is not None and (strange := [each for each in asked.filter.tools if each not in connections.tools()]):
        errors = [(f"/filter/tools/{asked.filter.tools.index(each)}", f"there are {', '.join(connections.tools())}") for each in strange]
        raise Problem(422, "invalid_body", "there is no such tool", errors=errors)
    return Terms(
        types=former.types if asked.types is None else asked.types,
        filter=former.filter if asked.filter is None else asked.filter.kept(),
        thin=former.thin if asked.thin is None else asked.thin,
        ordering=asked.ordering or former.ordering,
        headers=former.headers if asked.headers is None else asked.headers,
        owner_key_id=former.owner_key_id,
    )


def _vetted(hub: Hub, url: str) -> endpoints.Vetted:
    """Looks the name up, hence outside every transaction."""
    try:
        return endpoints.vet(url, Rules.of(hub.settings))
    except TargetRefused as error:
        raise Problem(422, "target_refused", str(error), errors=[("/url", str(error))]) from error


def _followed(session: Session, after: str) -> int:
    try:
        return pull.followed(session, Cursor.parse(after))
    except (ValueError, Lost) as error:
        raise Problem(422, "invalid_cursor", str(error), errors=[("/after", str(error))]) from error


@contextmanager
def told_as_problems() -> Iterator[None]:
    """What cannot be done so, with the place in the body that it is about."""
    try:
        yield
    except EndpointProblem as error:
        words = str(error)
        pointer = next((f"/{name}" for name in ("headers", "ordering", "name", "overlap_hours") if name.split("_")[0].rstrip("s") in words), "/")
        raise Problem(422, "invalid_endpoint", words, errors=[(pointer, words)]) from error


def _card(hub: Hub, session: Session, held: Endpoint) -> dict[str, Any]:
    return cards.cards(session, hub.vault, [held], hub.now())[0]


def _shown(hub: Hub, session: Session, held: Endpoint) -> Response:
    return _json({"data": _card(hub, session, held)})


def _made(hub: Hub, session: Session, held: Endpoint, secret: str) -> Response:
    return _json({"data": _card(hub, session, held) | {"secret": secret}}, 201)


def _json(value: Any, status: int = 200) -> Response:
    return Response(answers.dump(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})
