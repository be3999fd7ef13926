"""What endpoints were sent and what waits: test messages, replays, attempts, parked events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import delivery
from hub.access.scope import Scope
from hub.api import answers
from hub.api.endpoints import MOST_VALUES, Body, Owner, mine, told_as_problems
from hub.api.events import unknown_types
from hub.api.exact import Exact
from hub.api.hub import HubHere
from hub.api.paging import Paging
from hub.api.problems import Problem, not_found
from hub.delivery import cards, catalogue, parked, pull, replay, trial
from hub.delivery.pull import Cursor, Lost
from hub.delivery.replay import Range
from hub.models import Attempt, Parked
from hub.portfolio.keyset import LARGEST, Keyset

router = APIRouter(prefix="/webhook-endpoints", tags=["webhook endpoints"], route_class=Exact)
NEWEST = Keyset((("id", Attempt.id, int),), descending=True)
IN_ORDER = Keyset((("sequence", Parked.sequence, int),))


Dry = Annotated[bool, Query(description="only count")]
Snapshot = Annotated[bool, Query(description="not what happened, but how everything is now")]


class TrialBody(Body):
    type: str = Field(default="task.status_changed", description="any of /event-types")


class TrialAnswer(BaseModel):
    """``status``: what the receiver answered, null where no answer came; then ``error`` says why."""

    event_id: UUID
    status: int | None
    error: str | None
    duration_ms: int
    answer: str


class ReplayBody(Body):
    """Nothing given: all that the hub keeps and the endpoint has got. What lies after its position comes anyway."""

    event_id: UUID | None = Field(default=None, description="this one event")
    entity_id: UUID | None = Field(default=None, description="what this task, project ... told")
    types: list[str] = Field(default=[], max_length=MOST_VALUES, description="all of a noun as task.*; empty: all")
    after: str | None = Field(default=None, max_length=60, description="a cursor: events after it")
    until: str | None = Field(default=None, max_length=60, description="a cursor: events up to it")


class ReplayAnswer(BaseModel):
    """``events``: how many that is, by the endpoint's filter as it stands. ``id`` null: a dry run."""

    id: UUID | None
    events: int


class AttemptShape(BaseModel):
    """``kind``: event, replay, test. ``status`` null: no answer came. ``answer``: its first kilobyte."""

    id: int
    event_id: UUID
    sequence: int | None
    type: str
    kind: str
    at: datetime
    status: int | None
    error: str | None
    duration_ms: int
    answer: str | None


class AttemptsAnswer(BaseModel):
    data: list[AttemptShape]
    next_cursor: str | None


class ParkedShape(BaseModel):
    """``state``: waiting (for its retry at ``next_at``), behind (an earlier one of its entity), dead (given up)."""

    sequence: int
    event_id: UUID
    entity: str
    entity_id: UUID
    state: str
    attempts: int
    parked_at: datetime
    next_at: datetime | None
    last_status: int | None
    last_error: str | None


class ParkedAnswer(BaseModel):
    data: list[ParkedShape]
    next_cursor: str | None


class ParkedQuery(Paging):
    dead: bool = Field(False, description="those that were given up, instead of those that wait")


class SkipBody(Body):
    entity_id: UUID


class RetryBody(Body):
    """``entity_id``: only what waits of it; ``sequences``: dead letters to try again. Neither: all that waits."""

    entity_id: UUID | None = None
    sequences: list[Annotated[int, Field(gt=-LARGEST, lt=LARGEST)]] = Field(default=[], max_length=500)


class Count(BaseModel):
    count: int


@router.post("/{endpoint_id}/test", summary="Send it a test message", response_model=TrialAnswer)
def try_endpoint(hub: HubHere, key: Owner, endpoint_id: UUID, asked: TrialBody | None = None) -> Response:
    """An example of any type, signed as all are and marked with ``reason: test``; sent now, whatever the filter says. Answers with what the receiver
    said."""
    wanted = (asked or TrialBody()).type
    if wanted not in catalogue.BY_TYPE:
        raise Problem(422, "invalid_body", "there is no such type", errors=[("/type", "/api/v1/event-types lists them")])
    with hub.database.reading() as session:
        mine(session, key, endpoint_id)
    stored = replace(catalogue.example(wanted), id=uuid4(), recorded_at=hub.now())
    said = trial.send(hub.database, hub.vault, hub.settings, endpoint_id, stored, hub.now())
    return _json({"event_id": stored.id, "status": said.status, "error": said.error, "duration_ms": said.milliseconds, "answer": said.text})


@router.post("/{endpoint_id}/replay", summary="Send again", status_code=202, response_model=ReplayAnswer)
def replay_endpoint(
    hub: HubHere, key: Owner, endpoint_id: UUID, asked: ReplayBody | None = None, dry: Dry = False, snapshot: Snapshot = False
) -> Response:
    """Beside what it gets anyway, at a bounded pace, with the same ids. ``dry=true`` only counts; ``snapshot=true`` sends the present state
    instead."""
    if snapshot and asked is not None and asked.model_fields_set:
        raise Problem(422, "invalid_body", "a snapshot is of everything that fits the filter: send no body", errors=[("/", "leave it out")])
    with hub.database.reading() as session, told_as_problems():
        wanted = Range(snapshot=True) if snapshot else _range(session, asked or ReplayBody(), hub.scope(session))
        events = replay.count(session, mine(session, key, endpoint_id), wanted)
    if dry or not events:
        return _json({"id": None, "events": events}, 200)
    with hub.database.writing() as session, told_as_problems():
        begun = replay.start(session, mine(session, key, endpoint_id), wanted, hub.now()).id
    delivery.ring(hub.jobs)
    return _json({"id": begun, "events": events}, 202)


def _range(session: Session, asked: ReplayBody, seen: Scope) -> Range:
    if unknown := unknown_types(asked.types):
        errors = [(f"/types/{asked.types.index(each)}", "/api/v1/event-types lists them") for each in unknown]
        raise Problem(422, "invalid_body", "there is no such type", errors=errors)
    if asked.event_id is not None:
        return Range.of_event(session, asked.event_id, seen)
    after = 0 if asked.after is None else _place(session, "/after", asked.after)
    until = None if asked.until is None else _place(session, "/until", asked.until)
    return Range(after, until, asked.entity_id, catalogue.named(asked.types))


def _place(session: Session, pointer: str, text: str) -> int:
    try:
        return pull.followed(session, Cursor.parse(text))
    except (ValueError, Lost) as error:
        raise Problem(422, "invalid_cursor", str(error), errors=[(pointer, str(error))]) from error


@router.get("/{endpoint_id}/attempts", summary="What was tried", response_model=AttemptsAnswer)
def list_attempts(hub: HubHere, key: Owner, endpoint_id: UUID, asked: Annotated[Paging, Query()]) -> Response:
    """Newest first."""
    with hub.database.reading() as session:
        mine(session, key, endpoint_id)
        columns = [getattr(Attempt, name) for name in cards.ATTEMPT]
        rows, further = NEWEST.page(session, select(*columns).where(Attempt.endpoint_id == endpoint_id), asked.after(NEWEST), asked.limit)
        return _json({"data": [dict(row) for row in rows], "next_cursor": asked.next_cursor(further)})


@router.get("/{endpoint_id}/parked", summary="What it did not take", response_model=ParkedAnswer)
def list_parked(hub: HubHere, key: Owner, endpoint_id: UUID, asked: Annotated[ParkedQuery, Query()]) -> Response:
    """Set aside so that all else goes on, in the log's order."""
    with hub.database.reading() as session:
        mine(session, key, endpoint_id)
        after = asked.after(IN_ORDER)
        rows = parked.listed(session, endpoint_id, dead=asked.dead, after=after[0] if after else None, limit=asked.limit + 1)
        further = (rows[asked.limit - 1].sequence,) if len(rows) > asked.limit else None
        return _json({"data": [cards.parked(row) for row in rows[: asked.limit]], "next_cursor": asked.next_cursor(further)})


@router.post("/{endpoint_id}/parked/skip", summary="Give up one event", response_model=Count)
def skip_parked(hub: HubHere, key: Owner, endpoint_id: UUID, asked: SkipBody) -> Response:
    """The one that an entity's others stand behind becomes a dead letter, and the next goes out and says so."""
    with hub.database.writing() as session:
        if not parked.skip(session, mine(session, key, endpoint_id), asked.entity_id, hub.now()):
            raise not_found("parked event of that entity")
    delivery.ring(hub.jobs)
    return _json({"count": 1})


@router.post("/{endpoint_id}/parked/retry", summary="Try at once", response_model=Count)
def retry_parked(hub: HubHere, key: Owner, endpoint_id: UUID, asked: RetryBody | None = None) -> Response:
    """What waits for its own retry, or dead letters again from the beginning."""
    wanted = asked or RetryBody()
    with hub.database.writing() as session:
        held = mine(session, key, endpoint_id)
        if wanted.sequences:
            count = parked.revive(session, held, wanted.sequences, hub.now())
        else:
            count = parked.retry(session, held, hub.now(), wanted.entity_id)
    delivery.ring(hub.jobs)
    return _json({"count": count})


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(answers.dump(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})
