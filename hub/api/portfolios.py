"""/portfolios: the PMO's own tree, and the policy of a part of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from hub.api import answers
from hub.api.answers import Meta, Single
from hub.api.door import ADMIN_OR_PMO
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem, not_found
from hub.portfolio import policy, portfolios
from hub.portfolio.policy import Calendar, Decided, Policy
from hub.portfolio.portfolios import Kind, RuleShape, Unfit, Written
from hub.portfolio.reach import meta

router = APIRouter(tags=["portfolio"], route_class=Exact)
Version = Annotated[int | None, Query(description="the version that was read: refused with 409 where it is another one by now")]


class PortfolioNode(BaseModel):
    """``depth`` 0: at the top. ``projects``: live ones that you see, of it and of what is below it, whether put there by hand or by rule."""

    id: UUID
    kind: Kind
    name: str
    code: str | None
    parent_id: UUID | None
    sponsor_id: UUID | None
    lead_id: UUID | None
    phase: str | None
    start_on: date | None
    due_on: date | None
    version: int
    created_at: datetime
    changed_at: datetime
    depth: int
    projects: list[UUID]


class PortfolioDetail(PortfolioNode):
    by_hand: list[UUID] = Field(description="the projects that were put there by hand")
    rules: list[RuleShape]


class Tree(BaseModel):
    data: list[PortfolioNode]
    meta: Meta


class PolicyBody(BaseModel):
    """Stands for the whole of everybody's policy; what is left out has its default. ``people`` and ``time_off`` are everybody's: see /policy."""

    model_config = ConfigDict(extra="forbid")

    policy: Policy | None = None
    calendar: Calendar | None = None
    version: int | None = None


@router.get("/portfolios", summary="The PMO's own tree", response_model=Tree, responses=answers.CACHED)
def list_portfolios(request: Request, hub: HubHere) -> Response:
    """Portfolios, programmes and initiatives, each before what is below it. Their figures: /portfolio?portfolio_id=ID, and so for every list."""
    with hub.database.reading() as session:
        reached = hub.reach(session)
        answer = answers.dump({"data": portfolios.tree(session, reached), "meta": meta(session, reached, hub.day())})
        return answers.tagged(request, Response(answer, media_type="application/json"))


@router.post("/portfolios", summary="Add one to the tree", status_code=201, response_model=Single[PortfolioDetail], dependencies=[ADMIN_OR_PMO])
def add_portfolio(hub: HubHere, said: Written) -> Response:
    with hub.database.writing() as session:
        made = _write(hub, session, None, said)
    return _shown(hub, made, status=201)


@router.get("/portfolios/{portfolio_id}", summary="One of the tree", response_model=Single[PortfolioDetail])
def read_portfolio_node(request: Request, hub: HubHere, portfolio_id: UUID) -> Response:
    return answers.tagged(request, _shown(hub, portfolio_id))


@router.put("/portfolios/{portfolio_id}", summary="Say anew what one is", response_model=Single[PortfolioDetail], dependencies=[ADMIN_OR_PMO])
def change_portfolio(hub: HubHere, portfolio_id: UUID, said: Written, version: Version = None) -> Response:
    """Replaces all of it, projects and rules included."""
    with hub.database.writing() as session:
        _write(hub, session, portfolio_id, said, version)
    return _shown(hub, portfolio_id)


@router.delete("/portfolios/{portfolio_id}", summary="Take one out of the tree", status_code=204, dependencies=[ADMIN_OR_PMO])
def remove_portfolio(hub: HubHere, portfolio_id: UUID) -> Response:
    """Its projects are untouched; grants of it give nothing any more. Refused with 409 while there is something below it."""
    with hub.database.writing() as session:
        try:
            if not portfolios.remove(session, portfolio_id):
                raise not_found("portfolio")
        except Unfit as error:
            raise Problem(409, "not_empty", str(error)) from error
    return Response(status_code=204)


@router.get("/portfolios/{portfolio_id}/policy", summary="Whose tolerances and calendar hold for it", response_model=Single[Decided])
def read_portfolio_policy(request: Request, hub: HubHere, portfolio_id: UUID) -> Response:
    """Its own, else that of the nearest one above it, else everybody's."""
    return answers.tagged(request, _policy(hub, portfolio_id))


@router.put("/portfolios/{portfolio_id}/policy", summary="Give it a policy of its own", response_model=Single[Decided], dependencies=[ADMIN_OR_PMO])
def change_portfolio_policy(hub: HubHere, portfolio_id: UUID, said: PolicyBody) -> Response:
    if said.calendar is not None and (said.calendar.people or said.calendar.time_off):
        raise Problem(422, "invalid_body", "people's time is everybody's: write it with /policy", errors=[("/calendar", "people, time_off")])
    with hub.database.writing() as session:
        if portfolios.one(session, portfolio_id, hub.reach(session)) is None:
            raise not_found("portfolio")
        try:
            policy.save(session, hub.now(), policy=said.policy, calendar=said.calendar, version=said.version, key=str(portfolio_id))
        except policy.Stale as error:
            raise _stale() from error
    return _policy(hub, portfolio_id)


def _write(hub: Hub, session: Session, portfolio_id: UUID | None, said: Written, version: int | None = None) -> UUID:
    try:
        return portfolios.write(session, portfolio_id, said, hub.now(), version=version)
    except KeyError as error:
        raise not_found("portfolio") from error
    except policy.Stale as error:
        raise _stale() from error
    except Unfit as error:
        raise Problem(422, "invalid_body", str(error), errors=[(f"/{error.field}", str(error))]) from error


def _stale() -> Problem:
    return Problem(409, "changed_meanwhile", "somebody else has changed it: read it again, then decide")


def _shown(hub: Hub, portfolio_id: UUID, *, status: int = 200) -> Response:
    with hub.database.reading() as session:
        reached = hub.reach(session)
        shape = portfolios.one(session, portfolio_id, reached)
        if shape is None:
            raise not_found("portfolio")
        return answers.single(shape, meta(session, reached, hub.day()), status=status)


def _policy(hub: Hub, portfolio_id: UUID) -> Response:
    with hub.database.reading() as session:
        reached = hub.reach(session)
        if portfolios.one(session, portfolio_id, reached) is None:
            raise not_found("portfolio")
        found = policy.decided(session, policy.key_of(session, portfolio_id))
        if not reached.scope.sees_the_hub:
            calendar = found.calendar.model_copy(update={"people": (), "time_off": ()})
            found = found.model_copy(update={"calendar": calendar, "triage_rules": ()})
        shape = {**found.model_dump(mode="json", exclude={"changed_at"}), "changed_at": found.changed_at}
        return answers.single(shape, meta(session, reached, hub.day()))
