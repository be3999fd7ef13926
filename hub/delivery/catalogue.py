"""Every type of event, defined once: when it comes, what it is about, what it carries, an example. From here come ``/api/v1/event-types``, the
webhooks of the OpenAPI document, README's table, and the test messages that an endpoint may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid5

from pydantic import BaseModel, Field, create_model

from hub.delivery import shapes
from hub.delivery.envelope import Stored, envelope
from hub.events import Cause
from hub.events import EventType as E

Part: TypeAlias = Any
"""What ``before`` and ``after`` may hold: a typed dict, or any field of the entity."""
ANY: Part = dict[str, Any]
_NAMES = UUID("6a1c1d5e-3f0b-5c7e-9a55-0a7c4c1f2b10")


def _id(word: str) -> str:
    return str(uuid5(_NAMES, word))


@dataclass(frozen=True, slots=True)
class Definition:
    """``when``: README's words. ``before``, ``after``: of the example; ``changed`` are their fields, if not given."""

    type: E
    when: str
    entity: str = "task"
    part: Part = ANY
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    cause: Cause = Cause.CHANGE
    told: bool = True

    @property
    def name(self) -> str:
        """``task.status_changed`` as the name of a shape: ``TaskStatusChanged``."""
        return "".join(word.capitalize() for word in self.type.value.replace(".", "_").split("_"))


def _status(word: str, category: str) -> dict[str, Any]:
    return {"status": word, "status_id": _id(word), "status_category": category}


_DOING, _DONE = _status("In progress", "started"), _status("Done", "done")
_FINISHED = "2026-11-23T09:30:00.000Z"
_WAIT = [{"task_id": _id("predecessor"), "type": "FS", "lag_minutes": 0}]
_COUNTS = {"baseline": False, "created": 2, "updated": 14, "deleted": 1, "tasks": 1480}
_PROJECTS = {"project_ids": [_id(f"project {n}") for n in range(6)], "count": 6}

DEFINITIONS: tuple[Definition, ...] = (
    Definition(E.TASK_CREATED, "a task is found that was not there"),
    Definition(E.TASK_UPDATED, "a field changed that has no event of its own", before={"priority": "normal"}, after={"priority": "high"}),
    Definition(E.TASK_STATUS_CHANGED, "another status, or the same one counted otherwise", part=shapes.StatusPart, before=_DOING, after=_DONE),
    Definition(E.TASK_ASSIGNED, "other people", part=shapes.AssignedPart, before={"assignee_ids": []}, after={"assignee_ids": [_id("ada")]}),
    Definition(E.TASK_DUE_CHANGED, "another due date, or none", part=shapes.DuePart, before={"due_on": "2026-12-01"}, after={"due_on": "2026-12-09"}),
    Definition(
        E.TASK_MOVED,
        "other projects, another section or another parent",
        part=shapes.MovedPart,
        before={"section_id": _id("section")},
        after={"section_id": _id("other section")},
    ),
    Definition(
        E.TASK_COMPLETED,
        "now done (cancelled is not)",
        part=shapes.SettledPart,
        before=_DOING | {"completed_at": None},
        after=_DONE | {"completed_at": _FINISHED},
    ),
    Definition(E.TASK_REOPENED, "no longer done or cancelled", part=shapes.SettledPart, before=_DONE, after=_DOING),
    Definition(E.TASK_ARCHIVED, "archived itself", part=shapes.ArchivedPart, before={"archived": False}, after={"archived": True}),
    Definition(
        E.TASK_RESTORED,
        "back from the archive, from deletion, or into the hub's view (more than five of a page at once: one event about the connection)",
        part=shapes.BackPart,
        before={"archived": True},
        after={"archived": False},
    ),
    Definition(
        E.TASK_DELETED, "gone, on evidence (see the promises)", part=shapes.DeletedPart, before={"deleted_at": None}, after={"deleted_at": _FINISHED}
    ),
    Definition(
        E.TASK_LEFT_SCOPE,
        "the tool still has it, but no longer shows it to the hub (more than five at once: one event about the connection)",
        cause=Cause.SCOPE,
    ),
    Definition(
        E.MILESTONE_SLIPPED,
        "a milestone's date moved to a later day",
        part=shapes.DuePart,
        before={"due_on": "2026-12-01"},
        after={"due_on": "2026-12-09"},
    ),
    Definition(E.MILESTONE_REACHED, "a milestone is done", part=shapes.SettledPart, before=_DOING, after=_DONE),
    Definition(E.DEPENDENCY_CREATED, "a task waits for another", part=shapes.WaitsPart, before={"depends_on": []}, after={"depends_on": _WAIT}),
    Definition(
        E.DEPENDENCY_REMOVED,
        "and no longer; another type or lag is both",
        part=shapes.WaitsPart,
        before={"depends_on": _WAIT},
        after={"depends_on": []},
    ),
    Definition(E.PROJECT_CREATED, "a project is found that was not there; its tasks tell nothing of themselves at their first reading", "project"),
    Definition(E.PROJECT_UPDATED, "a project's field changed", "project", before={"name": "Quay"}, after={"name": "North quay"}),
    Definition(
        E.PROJECT_HEALTH_CHANGED, "its declared health or the words to it", "project", shapes.HealthPart, {"health": "green"}, {"health": "red"}
    ),
    Definition(E.PROJECT_ARCHIVED, "archived itself", "project", shapes.ArchivedPart, {"archived": False}, {"archived": True}),
    Definition(E.PROJECT_RESTORED, "back from archive or deletion", "project", shapes.BackPart, {"archived": True}, {"archived": False}),
    Definition(E.PROJECT_DELETED, "gone, on evidence", "project", shapes.DeletedPart, {"deleted_at": None}, {"deleted_at": _FINISHED}),
    Definition(
        E.CONTAINER_ACCESS_LOST,
        "a tool refuses what it showed; its tasks are kept and hidden (more than five at once: one event about the connection)",
        "project",
        before={"refused": None},
        after={"refused": "403"},
        cause=Cause.SCOPE,
    ),
    Definition(
        E.CONTAINER_ACCESS_REGAINED,
        "and grants it again; its tasks tell nothing of themselves",
        "project",
        before={"refused": "403"},
        after={"refused": None},
        cause=Cause.SCOPE,
    ),
    Definition(
        E.PERSON_MERGED,
        "users of the tools are known to be one human; `former_ids` in its object are persons that became this one",
        "person",
        shapes.HumanPart,
        {"identity_ids": [_id("ada")]},
        {"identity_ids": [_id("ada"), _id("ada elsewhere")]},
        Cause.REMAP,
    ),
    Definition(
        E.PERSON_SPLIT,
        "and no longer: some of them are somebody else",
        "person",
        shapes.HumanPart,
        {"identity_ids": [_id("ada"), _id("ada elsewhere")]},
        {"identity_ids": [_id("ada")]},
        Cause.REMAP,
    ),
    Definition(
        E.MAPPING_CHANGED,
        "a status counts otherwise on an admin's or the tool's word; or (about the connection, once) the hub reads a tool's data otherwise",
        "status",
        before={"status_category": "started"},
        after={"status_category": "blocked"},
        cause=Cause.REMAP,
    ),
    Definition(E.CONNECTION_BROKEN, "a token was refused: a person must act", "connection", after={"errors": ["the credential was refused"]}),
    Definition(E.CONNECTION_RECOVERED, "it works again", "connection"),
    Definition(
        E.CONNECTION_SCOPE_CHANGED, "more than five projects came into view at once; they are named", "connection", after=_PROJECTS, cause=Cause.SCOPE
    ),
    Definition(
        E.SYNC_COMPLETED,
        "a run that changed something, and the first one (`baseline`), which tells nothing else",
        "connection",
        after=_COUNTS,
        told=False,
    ),
    Definition(
        E.SYNC_FAILED, "a run failed, the first since one went well; then once a day", "connection", after={"errors": ["the tool does not answer"]}
    ),
    Definition(
        E.ENDPOINT_DISABLED,
        "the hub has stopped an endpoint; its events are kept as long as any",
        "endpoint",
        after={"state": "disabled", "reason": "the endpoint answered 410 Gone"},
    ),
    Definition(E.ENDPOINT_RECOVERED, "an endpoint takes messages again", "endpoint", after={"state": "active"}),
)
BY_TYPE = {each.type.value: each for each in DEFINITIONS}
SUMMED_UP = {E.TASK_LEFT_SCOPE.value, E.TASK_RESTORED.value}
"""Of tasks one by one, or of many in one event about the connection, which has no state of its own."""
STATES: dict[str, Any] = {"task": shapes.TaskState, "project": shapes.ProjectState, "person": shapes.HumanState}
OF_NO_TOOL = ("endpoint", "person")

_TASK: dict[str, Any] = {
    "id": _id("task"),
    "kind": "task",
    "title": "Dredge the north basin",
    "project_id": _id("project"),
    "project_ids": [_id("project")],
    "section_id": _id("section"),
    "parent_id": None,
    **_DOING,
    "assignee_ids": [_id("ada")],
    "priority": "normal",
    "start_on": "2026-11-16",
    "start_at": None,
    "due_on": "2026-12-01",
    "due_at": None,
    "completed_at": None,
    "created_at": "2026-11-02T08:00:00.000Z",
    "updated_at": _FINISHED,
    "estimate_minutes": 960,
    "logged_minutes": None,
    "progress": None,
    "tags": ["quay"],
    "custom_fields": {_id("berth"): 7},
    "depends_on": [],
    "archived": False,
    "deleted_at": None,
}
_PROJECT: dict[str, Any] = {
    "id": _id("project"),
    "name": "North quay",
    "container_id": _id("harbour"),
    "owner_id": _id("ada"),
    "start_on": "2026-10-01",
    "due_on": "2027-03-31",
    "completed_at": None,
    "archived": False,
    "private": False,
    "health": "green",
    "health_text": None,
    "created_at": "2026-09-30T08:00:00.000Z",
    "updated_at": _FINISHED,
    "deleted_at": None,
}
_PERSON: dict[str, Any] = {"id": _id("person"), "identity_ids": [], "former_ids": [_id("former person")]}
_FOUND = datetime(2026, 11, 23, 9, 31, 12, tzinfo=UTC)


def example(kind: str) -> Stored:
    """A line of the log as one of this type might be; invented, and the same every time. Raises KeyError for a type that does not exist."""
    told = BY_TYPE[kind]
    state = {"task": _TASK, "project": _PROJECT, "person": _PERSON}.get(told.entity, {"id": _id(told.entity), "name": f"a {told.entity}"})
    of_a_tool = told.entity in ("task", "project")
    happened = datetime.fromisoformat(_FINISHED) if of_a_tool else None
    return Stored(
        sequence=4711,
        id=UUID(_id(kind)),
        type=kind,
        connection_id=None if told.entity in OF_NO_TOOL else UUID(_id("connection")),
        tool=None if told.entity in OF_NO_TOOL else "example",
        entity=told.entity,
        entity_id=UUID(_id(told.entity)),
        change_set=UUID(_id("change set")),
        cause=told.cause.value,
        occurred_at=happened,
        occurred_after=None,
        recorded_at=_FOUND,
        actor_id=None,
        data={
            "changed": sorted(told.after) if told.told else [],
            "before": dict(told.before),
            "after": dict(told.after),
            "object": state | {name: value for name, value in told.after.items() if name in state},
            "project_ids": [_id("project")] if of_a_tool else [],
            "external_id": "1204" if of_a_tool else None,
            "url": "https://tool.example.org/1204" if of_a_tool else None,
            "version": 4711,
        },
    )


@cache
def message_of(kind: str) -> type[BaseModel]:
    """The shape of a message of this type."""
    told = BY_TYPE[kind]
    state: Any = shapes.Known if kind.startswith("container.") else STATES.get(told.entity, shapes.Known)
    state = state | shapes.Known if kind in SUMMED_UP else state
    data = create_model(
        f"{told.name}Data",
        changed=(list[str], Field(description="the fields that differ")),
        before=(told.part, Field(description="those fields as they were")),
        after=(told.part, Field(description="and as they are")),
        object=(state, Field(description="the whole as it was right after the event")),
    )
    parts: dict[str, Any] = {"type": (Literal[kind], ...), "data": (data | None, Field(None, description="absent where thin"))}
    made: type[BaseModel] = create_model(told.name, __base__=shapes.Message, __doc__=told.when, **parts)
    return made


@cache
def schema(kind: str) -> dict[str, Any]:
    """JSON Schema of a message of this type."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | message_of(kind).model_json_schema()


def named(types: Iterable[str]) -> frozenset[str]:
    """The types that are meant, each by its own name: ``task.*`` is all of a noun. What does not exist means none."""
    given = frozenset(types)
    return frozenset(name for name in BY_TYPE if name in given or f"{name.partition('.')[0]}.*" in given)


def unknown(types: Iterable[str]) -> str | None:
    """What to tell whoever asks for types that do not exist; None where all do."""
    missing = [each for each in types if not named([each])]
    if not missing:
        return None
    nouns = sorted({f"{name.partition('.')[0]}.*" for name in BY_TYPE})
    near = get_close_matches(missing[0], [*BY_TYPE, *nouns])
    return f"there is no type {', '.join(missing)[:200]}: " + (f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(BY_TYPE)}")


def entry(kind: str) -> dict[str, Any]:
    """A line of the catalogue."""
    told = BY_TYPE[kind]
    return {"type": kind, "entity": told.entity, "description": told.when, "schema": schema(kind), "example": envelope(example(kind))}


def table() -> str:
    """README's table of events."""
    return "\n".join(["| event | when |", "| --- | --- |", *(f"| `{each.type.value}` | {each.when} |" for each in DEFINITIONS)])
