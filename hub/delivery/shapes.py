"""The message as a published contract (pydantic), from which the catalogue's JSON Schemas are made. Within schema 1 fields are only ever added."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from connectors.records import DependencyType, Priority, StatusCategory, TaskKind
from hub.events import Cause


class WaitsFor(BaseModel):
    task_id: UUID
    type: DependencyType
    lag_minutes: int


class Member(BaseModel):
    project_id: UUID
    section_id: UUID | None


class TaskState(BaseModel):
    """A task as it is right after the event. People, sections and fields by id: ``/api/v1`` has their names."""

    id: UUID
    kind: TaskKind
    title: str
    project_id: UUID | None
    project_ids: list[UUID]
    section_id: UUID | None
    parent_id: UUID | None
    status: str | None = Field(description="the tool's word")
    status_id: UUID | None
    status_category: StatusCategory = Field(description="what the hub counts it as, the same for every tool")
    assignee_ids: list[UUID]
    priority: Priority
    start_on: date | None
    start_at: datetime | None
    due_on: date | None
    due_at: datetime | None
    completed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    estimate_minutes: int | None
    logged_minutes: int | None
    progress: int | None
    tags: list[str]
    custom_fields: dict[str, Any] = Field(description="{field id: value}")
    depends_on: list[WaitsFor]
    archived: bool
    deleted_at: datetime | None


class ProjectState(BaseModel):
    """A project, board or list as it is right after the event."""

    id: UUID
    name: str
    container_id: UUID | None
    owner_id: UUID | None
    start_on: date | None
    due_on: date | None
    completed_at: datetime | None
    archived: bool
    private: bool
    health: str | None
    health_text: str | None
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None


class HumanState(BaseModel):
    """A person right after the event: the users of the tools who are this one human."""

    id: UUID
    identity_ids: list[UUID]
    former_ids: list[UUID] = Field(description="persons that became this one; their ids still find it")


class Known(BaseModel):
    """What is known of a connection, status, endpoint or container; may be empty."""

    model_config = ConfigDict(extra="allow")

    id: UUID | None = None
    name: str | None = None


class StatusPart(TypedDict):
    """The three always travel together."""

    status: str | None
    status_id: UUID | None
    status_category: StatusCategory


class SettledPart(StatusPart, total=False):
    completed_at: datetime | None


class AssignedPart(TypedDict):
    assignee_ids: list[UUID]


class DuePart(TypedDict, total=False):
    due_on: date | None
    due_at: datetime | None


class MovedPart(TypedDict, total=False):
    project_id: UUID | None
    section_id: UUID | None
    parent_id: UUID | None
    memberships: list[Member]


class ArchivedPart(TypedDict):
    archived: bool


class DeletedPart(TypedDict):
    deleted_at: datetime | None


class BackPart(TypedDict, total=False):
    archived: bool
    deleted_at: datetime | None


class WaitsPart(TypedDict):
    depends_on: list[WaitsFor]


class HealthPart(TypedDict, total=False):
    health: str | None
    health_text: str | None


class HumanPart(TypedDict):
    identity_ids: list[UUID]


class Actor(BaseModel):
    id: UUID = Field(description="a user of the tool, as in /api/v1/people")


class Entity(BaseModel):
    kind: str = Field(description="task, project, person, status, connection or endpoint")
    id: UUID
    tool: str | None
    connection_id: UUID | None
    external_id: str | None = Field(description="the tool's own id")
    url: str | None
    project_ids: list[UUID] = Field(description="the projects it lay in at the event")


class Message(BaseModel):
    """What an endpoint is sent and ``/api/v1/events`` lists. ``id`` is also the ``webhook-id``, the same at each retry and replay."""

    id: UUID
    type: str
    schema_: int = Field(alias="schema", description="1; fields may be added, none goes or changes its meaning")
    timestamp: datetime = Field(description="occurred_at, else recorded_at")
    occurred_at: datetime | None = Field(description="when it happened, as far as the tool says")
    occurred_after: datetime | None = Field(description="it happened later than this")
    recorded_at: datetime = Field(description="when the hub found it")
    sequence: int = Field(description="its place in the log")
    entity_version: int = Field(description="grows with every told change of the entity: of two states the one with the larger number is the newer")
    change_set: UUID = Field(description="what was found in one go")
    cause: Cause = Field(
        description="change: in the tool; remap: only the hub's reading of it; scope: what the hub may see; repair, write: the hub's own doing"
    )
    actor: Actor | None
    entity: Entity
    reason: str | None = Field(
        None, description="why you get this copy now: test, snapshot, after_dead_letter:EVENT (which was given up before it); absent where none is"
    )
    thinned: str | None = Field(None, description="too_large: data would pass 256,000 bytes and is left out; GET /api/v1/events/{event_id} has it")
