"""/people: humans with all their users in the tools; who may be the same, joined, parted and undone. The latter for admins' keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from hub.access import audit
from hub.access.audit import Actor
from hub.access.trail import RECORDED, WHO
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.door import ADMIN
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.paging import Paging, Zoned
from hub.api.problems import Problem, not_found
from hub.models import Merge
from hub.portfolio import joining, matches, people
from hub.portfolio.joining import JoiningProblem
from hub.portfolio.reach import meta

router = APIRouter(prefix="/people", tags=["people"], route_class=Exact)
Ids = Annotated[list[UUID], Field(min_length=1, max_length=joining.MOST, description="of persons, or of tools' users")]


class IdentityShape(BaseModel):
    """One user of one tool. ``active``: whether the tool lets them in."""

    id: UUID
    tool: str
    connection_id: UUID
    external_id: str
    name: str | None
    email: str | None
    active: bool
    guest: bool
    agent: bool


class HumanShape(BaseModel):
    """One human: a person, once several users are known to be one (``linked``), else the only user itself. Name and address are those of the first
    user; ``active`` says whether any tool lets them in, ``guest`` and ``agent`` whether that is all they are anywhere."""

    id: UUID
    name: str | None
    email: str | None
    active: bool
    guest: bool
    agent: bool
    linked: bool
    identities: list[IdentityShape]


class PersonShape(HumanShape):
    open_tasks: int
    overdue_tasks: int


class SuggestionShape(BaseModel):
    """Who may be one human: what speaks for it, the address or name that they share, and ``why`` only a person may decide it."""

    evidence: str
    shared: str | None
    why: str
    people: list[HumanShape]


class MergeShape(BaseModel):
    """``actor`` null: the rule. ``identity_ids``: the users that were joined to the person, or taken out of it."""

    id: UUID
    kind: Literal["merged", "split"]
    at: datetime
    actor: str | None
    evidence: str | None
    person_id: UUID
    identity_ids: list[UUID]
    undone_at: datetime | None
    undone_by: str | None


class SuggestionsAnswer(BaseModel):
    """``more``: there are others, which come when these are settled."""

    data: list[SuggestionShape]
    next_cursor: None
    more: bool


class MergesAnswer(BaseModel):
    data: list[MergeShape]
    next_cursor: None


class MergeAnswer(BaseModel):
    data: MergeShape


class Several(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: Ids


class PeopleQuery(people.PeopleFilter, Paging, Zoned):
    pass


@router.get("", summary="People", response_model=Listed[PersonShape], responses=answers.CACHED)
def list_people(request: Request, hub: HubHere, asked: Annotated[PeopleQuery, Query()]) -> Response:
    """Active ones first, by name, with all their users and their open and overdue tasks, each counted once."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = people.page(session, asked, reached, day.today, asked.after(people.ORDER), asked.limit)
        return answers.tagged(request, answers.listed(shapes, asked.next_cursor(further), meta(session, reached, day)))


@router.get("/suggestions", summary="Who may be the same", response_model=SuggestionsAnswer, dependencies=[ADMIN])
def list_suggestions(hub: HubHere) -> Response:
    """Users with the same e-mail address, then with the same name, that neither the rule nor a person has joined or told apart."""
    with hub.database.reading() as session:
        found, more = matches.suggestions(session, hub.reach(session))
        return _json({"data": found, "next_cursor": None, "more": more})


@router.get("/merges", summary="Who was joined and parted", response_model=MergesAnswer, dependencies=[ADMIN])
def list_merges(hub: HubHere) -> Response:
    """The newest hundred."""
    with hub.database.reading() as session:
        return _json({"data": [_merge(each) for each in matches.acts(session)], "next_cursor": None})


@router.post("/merges", summary="These are one human", status_code=201, response_model=MergeAnswer, dependencies=[ADMIN])
def merge_people(request: Request, hub: HubHere, asked: Several) -> Response:
    """From now on their tasks and their time are taken together. Of several persons the oldest id stays; the others go on finding it."""
    return _done(request, hub, lambda session, by: joining.merge(session, asked.ids, hub.now(), by), 201)


@router.post("/merges/{merge_id}/undo", summary="Take it back", response_model=MergeAnswer, dependencies=[ADMIN])
def undo_merge(request: Request, hub: HubHere, merge_id: UUID) -> Response:
    """As long as nothing was built upon it; the rule does not do it again."""
    with hub.database.reading() as session:
        if session.get(Merge, merge_id) is None:
            raise not_found("merge")
    return _done(request, hub, lambda session, by: joining.undo(session, merge_id, hub.now(), by))


@router.post("/distinct", summary="These are different humans", status_code=204, dependencies=[ADMIN])
def tell_people_apart(request: Request, hub: HubHere, asked: Several) -> Response:
    """They are not suggested again, and no rule joins them."""
    with hub.database.writing() as session, told_as_problems():
        joining.differ(session, asked.ids, hub.now(), _by(request))
    return Response(status_code=204)


@router.get("/{person_id}", summary="One human", response_model=Single[PersonShape])
def read_person(hub: HubHere, person_id: UUID, asked: Annotated[Zoned, Query()]) -> Response:
    """By the id of a person, also of one that became another, or of any of their users; the answer has the id that holds now."""
    day = hub.day(asked.tz)
    with hub.database.reading() as session:
        reached = hub.reach(session)
        shape = people.one(session, person_id, reached, day.today)
        if shape is None:
            raise not_found("person")
        return answers.single(shape, meta(session, reached, day))


@router.post("/{person_id}/split", summary="Some of them are somebody else", response_model=MergeAnswer, dependencies=[ADMIN])
def split_person(request: Request, hub: HubHere, person_id: UUID, asked: Several) -> Response:
    """Takes these of a person's users out; together they are a human of their own."""
    with hub.database.reading() as session:
        if people.one(session, person_id, hub.reach(session), hub.day().today) is None:
            raise not_found("person")
    return _done(request, hub, lambda session, by: joining.split(session, person_id, asked.ids, hub.now(), by))


def _done(request: Request, hub: Hub, act: Callable[[Session, Actor], Merge], status: int = 200) -> Response:
    with hub.database.writing() as session, told_as_problems():
        answer = _json({"data": _merge(act(session, _by(request)))}, status)
    return answer


@contextmanager
def told_as_problems() -> Iterator[None]:
    try:
        yield
    except JoiningProblem as error:
        raise Problem(409, "not_as_things_stand", str(error)) from error


def _by(request: Request) -> Actor:
    """Who acts; the act records itself."""
    request.scope[RECORDED] = True
    return audit.actor(request.scope[WHO], request.client.host if request.client else None)


def _merge(row: Merge) -> dict[str, Any]:
    names = ("id", "kind", "at", "actor", "evidence", "person_id", "undone_at", "undone_by")
    return {name: getattr(row, name) for name in names} | {"identity_ids": sorted(row.former)}


def _json(value: Any, status: int = 200) -> Response:
    return Response(answers.dump(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})
