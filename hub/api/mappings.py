"""/status-mappings: what statuses count as, and the admin's word on it. Takes effect at once and asks no tool."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from connectors.records import StatusCategory
from hub import delivery
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.door import ADMIN_OR_PMO
from hub.api.exact import Exact
from hub.api.figures import Named
from hub.api.hub import HubHere
from hub.api.paging import Paging
from hub.api.problems import not_found
from hub.portfolio import mappings
from hub.portfolio.reach import meta
from hub.sync import remap

router = APIRouter(tags=["status mappings"], route_class=Exact)
Category = Literal["backlog", "unstarted", "started", "blocked", "done", "cancelled"]


class MappingShape(BaseModel):
    """``name``: the tool's word (null: tasks without a status); ``tool_category``: what the tool itself says; ``category``: what the hub counts."""

    status_id: UUID
    connection_id: UUID
    external_id: str
    name: str | None
    type: str
    color: str | None
    tool: str
    project: Named | None
    tool_category: StatusCategory
    category: StatusCategory
    source: mappings.Source
    version: int
    changed_at: datetime
    tasks: int


class Word(BaseModel):
    """``category`` null withdraws the admin's word: the tool's own, or a suggestion by name, holds again."""

    model_config = ConfigDict(extra="forbid")

    category: Category | None = Field(...)


class MappingQuery(mappings.MappingFilter, Paging):
    pass


@router.get("/status-mappings", summary="What statuses count as", response_model=Listed[MappingShape])
def list_status_mappings(hub: HubHere, asked: Annotated[MappingQuery, Query()]) -> Response:
    with hub.database.reading() as session:
        reached = hub.reach(session, asked)
        shapes, further = mappings.page(session, asked, reached, asked.after(mappings.BY_ID), asked.limit)
        return answers.listed(shapes, asked.next_cursor(further), meta(session, reached, hub.day()))


@router.put("/status-mappings/{status_id}", summary="Say what a status counts as", response_model=Single[MappingShape], dependencies=[ADMIN_OR_PMO])
def set_status_mapping(hub: HubHere, status_id: UUID, word: Word) -> Response:
    """The tasks that carry the status follow in the same transaction, and who listens is told at once."""
    with hub.database.writing() as session:
        if not remap.say(session, status_id, word.category, hub.now(), seen=hub.reach(session).statuses()):
            raise not_found("status")
    delivery.ring(hub.jobs)
    with hub.database.reading() as session:
        reached = hub.reach(session)
        shape = mappings.one(session, status_id, reached)
        if shape is None:
            raise not_found("status")
        return answers.single(shape, meta(session, hub.reach_of(session, shape["connection_id"]), hub.day()))
