"""What differs between what is held and what was read: pure. Differences become change rows and drafts of events, by one table of fields.

Compared are the unified fields, not the vendor's body: a body may differ in what the hub does not keep, and then nothing happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from connectors.records import TaskKind
from hub.events import Draft, EventType
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
WITHOUT_EVENT = {"archived", "deleted_at", "completed_at", "depends_on"}
"""Told by events that look at the direction of the change, below."""


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


def plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def task_events(old: Mapping[str, Any] | None, new: Mapping[str, Any], changed: Sequence[Difference]) -> list[Draft]:
    """The events of one task between two reads: at most one of each type."""
    if old is None:
        return [_draft(EventType.TASK_CREATED, "task", new, [], None)]
    by_type: dict[EventType, list[Difference]] = {}
    for difference in changed:
        if difference.field not in WITHOUT_EVENT:
            by_type.setdefault(SPECIFIC.get(difference.field, EventType.TASK_UPDATED), []).append(difference)
    drafts = [_draft(kind, "task", new, _together(kind, found, old, new), old) for kind, found in by_type.items()]
    return drafts + _crossings(old, new, {difference.field: difference for difference in changed})


def _together(kind: EventType, found: list[Difference], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Status, its id and its category always travel together, changed or not."""
    return [Difference(name, old[name], new[name]) for name in STATUS] if kind is EventType.TASK_STATUS_CHANGED else found


def _crossings(old: Mapping[str, Any], new: Mapping[str, Any], changed: Mapping[str, Difference]) -> list[Draft]:
    """Events that depend on the direction of a change."""
    drafts = []

    def tell(kind: EventType, *fields: str) -> None:
        drafts.append(_draft(kind, "task", new, [changed[name] for name in fields if name in changed], old))

    was, now = old["status_category"] in SETTLED, new["status_category"] in SETTLED
    if was != now:
        tell(EventType.TASK_COMPLETED if now else EventType.TASK_REOPENED, *STATUS, "completed_at")
    if "archived" in changed:
        tell(EventType.TASK_ARCHIVED if new["archived"] else EventType.TASK_RESTORED, "archived")
    if "deleted_at" in changed:
        tell(EventType.TASK_DELETED if new["deleted_at"] else EventType.TASK_RESTORED, "deleted_at")
    if new["kind"] == TaskKind.MILESTONE.value:
        if now and not was:
            tell(EventType.MILESTONE_REACHED, *STATUS, "completed_at")
        if "due_on" in changed and old["due_on"] and new["due_on"] and new["due_on"] > old["due_on"]:
            tell(EventType.MILESTONE_SLIPPED, "due_on", "due_at")
    if "depends_on" in changed:
        before, after = set(map(str, changed["depends_on"].old or ())), set(map(str, changed["depends_on"].new or ()))
        if after - before:
            tell(EventType.DEPENDENCY_CREATED, "depends_on")
        if before - after:
            tell(EventType.DEPENDENCY_REMOVED, "depends_on")
    return drafts


def project_events(old: Mapping[str, Any] | None, new: Mapping[str, Any], changed: Sequence[Difference]) -> list[Draft]:
    """The events of one project between two reads."""
    if old is None:
        return [_draft(EventType.PROJECT_CREATED, "project", new, [], None)]
    drafts = []
    health = [difference for difference in changed if difference.field in ("health", "health_text")]
    if health:
        drafts.append(_draft(EventType.PROJECT_HEALTH_CHANGED, "project", new, health, old))
    for difference in changed:
        if difference.field == "archived":
            drafts.append(_draft(EventType.PROJECT_ARCHIVED if difference.new else EventType.PROJECT_RESTORED, "project", new, [difference], old))
        if difference.field == "deleted_at":
            drafts.append(_draft(EventType.PROJECT_DELETED if difference.new else EventType.PROJECT_RESTORED, "project", new, [difference], old))
    other = [difference for difference in changed if difference.field not in ("health", "health_text", "archived", "deleted_at")]
    if other:
        drafts.append(_draft(EventType.PROJECT_UPDATED, "project", new, other, old))
    return drafts


def _draft(kind: EventType, entity: str, new: Mapping[str, Any], changed: Sequence[Difference], old: Mapping[str, Any] | None) -> Draft:
    """When it happened is known only where the vendor moved its own clock; a deletion leaves that as it was."""
    happened = new.get("created_at") if old is None else new.get("updated_at") if new.get("updated_at") != old.get("updated_at") else None
    return Draft(
        type=kind,
        entity=entity,
        entity_id=new["id"],
        data={
            "changed": [difference.field for difference in changed],
            "before": {difference.field: plain(difference.old) for difference in changed},
            "after": {difference.field: plain(difference.new) for difference in changed},
        },
        occurred_at=happened,
        occurred_after=old.get("updated_at") if old else None,
    )
