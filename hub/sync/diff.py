"""What differs between what is held and what was read: pure. Differences become change rows and drafts of events, by one table of fields.

Compared are the unified fields, not the vendor's body: a body may differ in what the hub does not keep, and then nothing happened. One comparison
gives at most one event of each type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from connectors.records import StatusCategory, TaskKind
from hub.events import NOTHING_KNOWN, Beside, Cause, Draft, EventType, Subject, plain, project_subject, task_subject
from hub.sync.status import SETTLED

UNTOLD = {
    "id",
    "external_id",
    "connection_id",
    "digest",
    "updated_at",
    "created_at",
    "url",
    "child_count",
    "first_seen_at",
    "position",
    "vendor_count",
    "home_inherited",
    "archived_effective",
    "deleted_how",
    "access_lost_at",
}
"""Fields whose change is not told: identity, the vendor's bookkeeping, and what follows from something else that is told."""

STATUS = ("status", "status_id", "status_category")
SPECIFIC: dict[str, EventType] = {
    "status": EventType.TASK_STATUS_CHANGED,
    "status_id": EventType.TASK_STATUS_CHANGED,
    "status_category": EventType.TASK_STATUS_CHANGED,
    "assignee_ids": EventType.TASK_ASSIGNED,
    "due_on": EventType.TASK_DUE_CHANGED,
    "due_at": EventType.TASK_DUE_CHANGED,
    "project_id": EventType.TASK_MOVED,
    "section_id": EventType.TASK_MOVED,
    "memberships": EventType.TASK_MOVED,
    "parent_id": EventType.TASK_MOVED,
}
"""Fields that have an event type of their own; any other is ``task.updated``."""
DIRECTED = {"archived", "deleted_at", "depends_on"}
"""Told by events that look at the direction of the change, below."""
DONE = StatusCategory.DONE.value
REFUSED_BY_ID = "refused_by_id"
"""The evidence of a single task that the tool still has and no longer shows, in place of how one was deleted."""
SUMMED_UP = 5
"""So many things that come into view or leave it at once are told one by one; more are told in one event, so that a wider scope drowns nobody."""

Told = dict[EventType, list["Difference"]]


@dataclass(frozen=True, slots=True)
class Difference:
    field: str
    old: Any
    new: Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The told fields in which ``new`` differs from ``old``; custom fields one by one (``custom_fields.ID``)."""
    found = [
        Difference(name, old.get(name), value)
        for name, value in new.items()
        if name not in UNTOLD and name != "custom_fields" and old.get(name) != value
    ]
    if "custom_fields" in new:
        before, after = old.get("custom_fields") or {}, new["custom_fields"]
        found += [
            Difference(f"custom_fields.{key}", before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]
    return found


def task_events(old: Mapping[str, Any] | None, new: Mapping[str, Any], changed: Sequence[Difference], beside: Any = None) -> list[Draft]:
    """The events of one task between two reads. ``beside``: its memberships, assignees and dependencies as they are now (``rows.Related`` or
    ``relations.Held``). A task that was hidden and is seen again is told where it alone was hidden; else its container tells."""
    cause = None
    if old is None:
        told: Told = {EventType.TASK_CREATED: []}
    elif old.get("access_lost_at") and not new.get("access_lost_at"):
        told, cause = {EventType.TASK_RESTORED: []} if old["deleted_how"] == REFUSED_BY_ID else {}, Cause.SCOPE
    else:
        told = _task_told(old, new, {difference.field: difference for difference in changed})
    if not told:
        return []
    now = beside_of(beside)
    subject = task_subject(new, now, _was(old, new, changed, now) if old else None)
    return [_draft(kind, "task", new, found, old, subject, cause) for kind, found in told.items()]


def left_scope(row: Mapping[str, Any], beside: Any) -> Draft:
    """The tool still has the task and refuses it."""
    return _draft(EventType.TASK_LEFT_SCOPE, "task", row, [], row, task_subject(row, beside_of(beside)), Cause.SCOPE)


def beside_of(found: Any) -> Beside:
    if found is None:
        return Beside()
    waits = [(task, edge[:2] if isinstance(edge, tuple) else (edge.type.value, edge.lag_minutes)) for task, edge in found.depends_on.items()]
    return Beside(
        project_ids=[str(each) for each in found.memberships],
        assignee_ids=[str(each) for each in found.assignees],
        depends_on=[{"task_id": str(task), "type": kind, "lag_minutes": lag} for task, (kind, lag) in waits],
    )


def _was(old: Mapping[str, Any], new: Mapping[str, Any], changed: Sequence[Difference], now: Beside) -> dict[str, Any]:
    """What filters would have found before, where that differs."""
    was: dict[str, Any] = {each.field: each.old for each in changed if each.field in ("assignee_ids", "tags", "kind")}
    moved = next((each for each in changed if each.field == "memberships"), None)
    before = [project for project, _ in moved.old] if moved else now.project_ids
    if not before and old["project_id"]:
        before = [str(old["project_id"])]
    after = now.project_ids or ([str(new["project_id"])] if new["project_id"] else [])
    return was | ({"project_ids": before} if set(before) != set(after) else {})


def _task_told(old: Mapping[str, Any], new: Mapping[str, Any], changed: Mapping[str, Difference]) -> Told:
    told = _crossings(old, new, changed)
    crossed = EventType.TASK_COMPLETED in told or EventType.TASK_REOPENED in told
    for field, difference in changed.items():
        if field in DIRECTED or (field == "completed_at" and crossed):
            continue
        if field == "status_id" and not changed.keys() & {"status", "status_category"}:
            continue  # another project's status of the same name and meaning: it was moved, and nobody waits for "To do" to become "To do"
        told.setdefault(SPECIFIC.get(field, EventType.TASK_UPDATED), []).append(difference)
    if EventType.TASK_STATUS_CHANGED in told:
        told[EventType.TASK_STATUS_CHANGED] = _status(old, new)
    return told


def _status(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Status, its id and its category always travel together, changed or not."""
    return [Difference(name, old[name], new[name]) for name in STATUS]


def _crossings(old: Mapping[str, Any], new: Mapping[str, Any], changed: Mapping[str, Difference]) -> Told:
    """Events that depend on the direction of a change. Cancelled is not completed; from there or from done a task is reopened."""
    told: Told = {}
    was, now = old["status_category"], new["status_category"]
    settling = [*_status(old, new), *(changed[name] for name in ("completed_at",) if name in changed)]
    if now == DONE and was != DONE:
        told[EventType.TASK_COMPLETED] = settling
        if new["kind"] == TaskKind.MILESTONE.value:
            told[EventType.MILESTONE_REACHED] = settling
    elif was in SETTLED and now not in SETTLED:
        told[EventType.TASK_REOPENED] = settling
    told |= _presence(changed, EventType.TASK_ARCHIVED, EventType.TASK_DELETED, EventType.TASK_RESTORED)
    if new["kind"] == TaskKind.MILESTONE.value and "due_on" in changed and old["due_on"] and new["due_on"] and new["due_on"] > old["due_on"]:
        told[EventType.MILESTONE_SLIPPED] = [changed[name] for name in ("due_on", "due_at") if name in changed]
    if (waits := changed.get("depends_on")) is not None:
        before, after = {tuple(edge) for edge in waits.old or ()}, {tuple(edge) for edge in waits.new or ()}
        if after - before:
            told[EventType.DEPENDENCY_CREATED] = [waits]
        if before - after:
            told[EventType.DEPENDENCY_REMOVED] = [waits]
    return told


def _presence(changed: Mapping[str, Difference], archived: EventType, deleted: EventType, restored: EventType) -> Told:
    """Archived, deleted, or back from either."""
    told: Told = {}
    for field, gone in (("archived", archived), ("deleted_at", deleted)):
        if (difference := changed.get(field)) is not None:
            told.setdefault(gone if difference.new else restored, []).append(difference)
    return told


HEALTH = ("health", "health_text")


def project_events(old: Mapping[str, Any] | None, new: Mapping[str, Any], changed: Sequence[Difference]) -> list[Draft]:
    """The events of one project between two reads."""
    if old is None:
        return [_draft(EventType.PROJECT_CREATED, "project", new, [], None, project_subject(new))]
    by_field = {difference.field: difference for difference in changed}
    told = _presence(by_field, EventType.PROJECT_ARCHIVED, EventType.PROJECT_DELETED, EventType.PROJECT_RESTORED)
    for difference in changed:
        if difference.field not in ("archived", "deleted_at"):
            kind = EventType.PROJECT_HEALTH_CHANGED if difference.field in HEALTH else EventType.PROJECT_UPDATED
            told.setdefault(kind, []).append(difference)
    return [_draft(kind, "project", new, found, old, project_subject(new)) for kind, found in told.items()]


def summed_up(drafts: Sequence[Draft], connection_id: UUID, kind: EventType | None = None) -> list[Draft]:
    """Events of one type about different entities, or, where they are more than ``SUMMED_UP``, one about the connection that names them all. It lies
    in all the projects that they lie in, and ``parts`` says which in which: filters look there, and so does who may see only some of it. ``kind``:
    the type of that one, if not theirs."""
    if len(drafts) <= SUMMED_UP:
        return list(drafts)
    entities = [str(draft.entity_id) for draft in drafts]
    parts: dict[str, list[str]] = {}
    for draft in drafts:
        for project in draft.subject.project_ids:
            parts.setdefault(project, []).append(str(draft.entity_id))
    data = {"changed": [], "before": {}, "after": {f"{drafts[0].entity}_ids": entities, "count": len(entities)}, "parts": parts}
    subject = Subject(project_ids=list(parts))
    return [Draft(kind or drafts[0].type, "connection", connection_id, data, subject=subject, cause=Cause.SCOPE)]


def _draft(
    kind: EventType,
    entity: str,
    new: Mapping[str, Any],
    changed: Sequence[Difference],
    old: Mapping[str, Any] | None,
    subject: Subject = NOTHING_KNOWN,
    cause: Cause | None = None,
) -> Draft:
    """When it happened is known only where the vendor moved its own clock; a deletion leaves that as it was."""
    happened = new.get("created_at") if old is None else new.get("updated_at") if new.get("updated_at") != old.get("updated_at") else None
    return Draft(
        type=kind,
        entity=entity,
        entity_id=new["id"],
        data={
            "changed": [difference.field for difference in changed],
            "before": {difference.field: _word(difference.field, difference.old) for difference in changed},
            "after": {difference.field: _word(difference.field, difference.new) for difference in changed},
        },
        occurred_at=happened,
        occurred_after=old.get("updated_at") if old else None,
        subject=subject,
        cause=cause,
    )


def _word(field: str, value: Any) -> Any:
    """As readers see it: what a change row holds as a tuple has names here."""
    if field == "memberships":
        return [{"project_id": project, "section_id": section} for project, section in value]
    if field == "depends_on":
        return [{"task_id": task, "type": kind, "lag_minutes": lag} for task, kind, lag in value]
    return plain(value)
