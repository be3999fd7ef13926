"""/dependencies, the writing half: what waits for what across tools, on a person's word."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from connectors.records import DependencyType
from hub.access.trail import WHO
from hub.access.who import Who
from hub.api import answers
from hub.api.answers import Single
from hub.api.door import ADMIN_OR_PMO
from hub.api.exact import Exact
from hub.api.hub import HubHere
from hub.api.problems import Problem, not_found
from hub.api.timeline import DependencyShape
from hub.portfolio import dependencies, links
from hub.portfolio.links import Link, LinkProblem
from hub.portfolio.reach import meta
from hub.portfolio.texts import Text

router = APIRouter(tags=["timeline"], dependencies=[ADMIN_OR_PMO], route_class=Exact)
LAG = 366 * 24 * 60


class LinkBody(BaseModel):
    """The successor waits for the predecessor; the two are in different tools."""

    model_config = ConfigDict(extra="forbid")

    predecessor_id: UUID
    successor_id: UUID
    type: DependencyType = DependencyType.FINISH_TO_START
    lag_minutes: int = Field(0, ge=-LAG, le=LAG)
    note: Text | None = None


@router.post("/dependencies", summary="Say that a task waits for another tool's task", response_model=Single[DependencyShape])
def link_tasks(request: Request, hub: HubHere, given: LinkBody) -> Response:
    """Kept by the hub alone; nothing is written into a tool. Asked again it replaces type, lag and note."""
    link, who = Link(**given.model_dump()), cast(Who, request.scope[WHO])
    with hub.database.writing() as session:
        reached = hub.reach(session)
        try:
            links.write(session, reached, link, who.user_id or who.key_id, hub.now())
        except LinkProblem as error:
            if error.missing:
                raise not_found("task") from error
            raise Problem(422, "invalid_body", str(error), errors=[("/predecessor_id", str(error))]) from error
        shape = dependencies.one(session, reached, link.predecessor_id, link.successor_id)
        return answers.single(shape, meta(session, reached, hub.day()))


@router.delete("/dependencies/{predecessor_id}/{successor_id}", summary="Take such a word back", status_code=204)
def unlink_tasks(hub: HubHere, predecessor_id: UUID, successor_id: UUID) -> Response:
    """Only what was written by hand: what a tool says is taken back there."""
    with hub.database.writing() as session:
        if not links.remove(session, hub.reach(session), predecessor_id, successor_id):
            raise not_found("dependency")
    return Response(status_code=204)
