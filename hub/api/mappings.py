"""/status-mappings: what statuses count as, and the admin's word on it. Takes effect at once and asks no tool."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory
from hub import events
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.door import ADMIN_OR_PMO
from hub.api.figures import Named
from hub.api.hub import HubHere
from hub.api.paging import Paging
from hub.api.problems import not_found
from hub.events import Draft, EventType
from hub.models import Status, StatusMapping
from hub.portfolio import mappings
from hub.portfolio.reach import meta
from hub.sync.status import unconfirmed
from hub.sync.write import recount

router = APIRouter(tags=["status mappings"])
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
    """The tasks that carry the status follow in the same transaction."""
    with hub.database.writing() as session:
        _set(session, hub.reach(session), status_id, word, hub.now())
    with hub.database.reading() as session:
        reached = hub.reach(session)
        shape = mappings.one(session, status_id, reached)
        if shape is None:
            raise not_found("status")
        return answers.single(shape, meta(session, hub.reach_of(session, shape["connection_id"]), hub.day()))


def _set(session: Session, reached: Any, status_id: UUID, word: Word, now: datetime) -> None:
    """Position first, then the mapping, then the log: the order in which a sync's page takes the same locks."""
    status = session.scalars(select(Status).where(Status.id == status_id, *reached.statuses())).one_or_none()
    held = session.get(StatusMapping, status_id)
    if status is None or held is None:
        raise not_found("status")
    category, source = ("", "admin") if word.category else unconfirmed(status.name, StatusCategory(status.category))
    counts_as = word.category or StatusCategory(category).value
    if (held.category, held.source) == (counts_as, source):
        return
    before = {"status_category": held.category, "source": held.source}
    position = events.advance(session, "position")
    held.category, held.source, held.version, held.changed_at = counts_as, source, held.version + 1, now
    session.flush()
    followed = recount(session, [status_id], counts_as, position)
    after = {"status_category": counts_as, "source": source}
    changed = [name for name in after if after[name] != before[name]]
    data = {"changed": changed, "before": before, "after": after, "tasks": followed}
    row = {"id": status_id, "name": status.name, "external_id": status.external_id, "project_id": status.project_id}
    draft = Draft(EventType.MAPPING_CHANGED, "status", status_id, data, subject=events.status_subject(row, counts_as, followed))
    events.append(session, [draft], connection_id=status.connection_id, change_set=uuid4(), now=now, cause="remap")
