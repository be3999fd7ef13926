"""Records put into the terms of the pretend world's truth (vendor ids in place of references), without a hub in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from connectors.records import Container, CustomValue, Field, FieldType, Project, Record, Ref, Section, Status, StatusCategory, Task
from hub.sandbox.meaning import suggest

R = TypeVar("R", bound=Record)
Row = dict[str, Any]
PLAIN = ("title", "status", "estimate_minutes", "logged_minutes", "progress", "url", "description")
MOMENTS = ("start_on", "start_at", "due_on", "due_at", "completed_at", "created_at", "updated_at")
SETS = (FieldType.MULTI_ENUM, FieldType.PERSON, FieldType.RELATION)
"""Field types whose values have no order."""


class Judge:
    """Says of each task what a hub that holds exactly these records would say."""

    def __init__(self, records: Mapping[Ref, Record]) -> None:
        self._records = records
        self.tasks = [record for record in records.values() if isinstance(record, Task)]

    def rows(self) -> dict[str, Row]:
        return {task.external_id: self.row(task) for task in self.tasks}

    def row(self, task: Task) -> Row:
        place = task.memberships[0].section_id if task.memberships else None
        section = self._must(place, Section) if place else None
        home = self._home(task)
        return {
            **{name: getattr(task, name) for name in PLAIN},
            **{name: text(getattr(task, name)) for name in MOMENTS},
            "kind": task.kind.value,
            "priority": task.priority.value,
            "project": home.external_id if home else None,
            "projects": sorted(self._must(one.project_id, Project).external_id for one in task.memberships),
            "section": section.name if section else None,
            "parent": self._must(task.parent_id, Task).external_id if task.parent_id else None,
            "status_category": self.category(task),
            "assignees": sorted(task.assignee_ids),
            "tags": sorted(task.tags),
            "custom_fields": {self._must(value.field_id, Field).external_id: plain(value) for value in task.custom_fields},
            "depends_on": sorted([edge.predecessor_id.partition(":")[2], edge.type.value, edge.lag_minutes] for edge in task.depends_on),
            "archived": task.archived or any(thing.archived for thing in self._above(home)),
        }

    def category(self, task: Task) -> str:
        """The house rule without an admin: the vendor's done, else what the name suggests, else the vendor's word."""
        if task.status_id is None:
            return StatusCategory.UNKNOWN.value
        status = self._must(task.status_id, Status)
        assert status.name == task.status
        return status.category.value if status.category is StatusCategory.DONE else suggest(status.name) or status.category.value

    def _home(self, task: Task) -> Project | None:
        current: Task | None = task
        while current is not None:
            if current.memberships:
                return self._must(current.memberships[0].project_id, Project)
            current = self._must(current.parent_id, Task) if current.parent_id else None
        return None

    def _above(self, project: Project | None) -> Iterator[Project | Container]:
        if project is None:
            return
        yield project
        above = project.container_id
        while above is not None:
            container = self._must(above, Container)
            yield container
            above = container.parent_id

    def _must(self, ref: Ref, kind: type[R]) -> R:
        """A task may refer only to what was read as well."""
        found = self._records.get(ref)
        assert isinstance(found, kind), f"{ref} is referred to and was never read"
        return found


def plain(value: CustomValue) -> Any:
    """JSON's own types; no order where there is none."""
    if isinstance(value.value, tuple):
        return sorted(value.value, key=str) if value.type in SETS else list(value.value)
    return value.value


def text(value: datetime | date | None) -> str | None:
    """Instants with milliseconds and Z, as the truth writes them."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if value else None
