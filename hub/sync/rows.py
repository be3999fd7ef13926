"""A record becomes a row: references to ids, enums to their words, tuples to lists. Generic, because records carry the columns' names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any
from uuid import UUID

from connectors.records import KINDS, CustomValue, Dependency, FieldType, Membership, Option, Record, Ref
from hub import models
from hub.sync.ids import Ids

TABLES = {
    "identity": models.Identity,
    "team": models.Team,
    "container": models.Container,
    "project": models.Project,
    "section": models.Section,
    "status": models.Status,
    "field": models.Field,
    "task": models.Task,
}
APART = {"memberships", "assignee_ids", "depends_on"}
"""Fields of a task that live in tables of their own."""
REFERENCES = (FieldType.PERSON, FieldType.RELATION)


@dataclass(frozen=True, slots=True)
class Related:
    """The rows beside a task's own: {project: (section, status word, status id)}, {assignee: kind},
    {predecessor: dependency}, all in the vendor's order."""

    memberships: dict[UUID, tuple[UUID | None, str | None, UUID | None]]
    assignees: dict[UUID, str]
    depends_on: dict[UUID, Dependency]


def row(record: Record, ids: Ids) -> dict[str, Any]:
    """The record's columns, ready for the database; what lives in other tables is left out."""
    made = {}
    for name, get, convert in PLANS[type(record)]:
        value = get(record)
        made[name] = value if convert is None or value is None else convert(value, ids)
    return made


def related(record: Any, ids: Ids) -> Related:
    return Related(
        memberships={ids(m.project_id): _membership(m, ids) for m in record.memberships},
        assignees={ids(ref): ref.partition(":")[0] for ref in record.assignee_ids},
        depends_on={ids(edge.predecessor_id): edge for edge in record.depends_on},
    )


def _membership(membership: Membership, ids: Ids) -> tuple[UUID | None, str | None, UUID | None]:
    return (
        ids(membership.section_id) if membership.section_id else None,
        membership.status,
        ids(membership.status_id) if membership.status_id else None,
    )


def _one(ref: Ref, ids: Ids) -> UUID:
    return ids(ref)


def _many(refs: tuple[Ref, ...], ids: Ids) -> list[str]:
    return [ids.text(ref) for ref in refs]


def _list(values: tuple[str, ...], _ids: Ids) -> list[str]:
    return list(values)


def _word(value: StrEnum, _ids: Ids) -> str:
    return value.value


def _options(options: tuple[Option, ...], _ids: Ids) -> list[dict[str, Any]]:
    return [asdict(option) for option in options]


def _values(values: tuple[CustomValue, ...], ids: Ids) -> dict[str, Any]:
    return {ids.text(value.field_id): _value(value, ids) for value in values}


def _value(custom: CustomValue, ids: Ids) -> Any:
    if custom.type in REFERENCES and isinstance(custom.value, tuple):
        return [ids.text(str(ref)) for ref in custom.value]
    return list(custom.value) if isinstance(custom.value, tuple) else custom.value


WORDS = {"kind", "category", "type", "priority"}


def _converter(kind: str, name: str) -> Callable[[Any, Ids], Any] | None:
    if name == "id" or (name.endswith("_id") and name != "external_id"):
        return _one
    if (kind, name) == ("status", "type"):
        return None  # the vendor's word, already a string
    special: dict[str, Callable[[Any, Ids], Any]] = {"member_ids": _many, "tags": _list, "options": _options, "custom_fields": _values}
    return special.get(name) or (_word if name in WORDS else None)


PLANS: dict[type, list[tuple[str, Callable[[Any], Any], Callable[[Any, Ids], Any] | None]]] = {
    record: [(f.name, attrgetter(f.name), _converter(kind, f.name)) for f in fields(record) if f.name not in APART] for kind, record in KINDS.items()
}
"""How to turn each record into its row, worked out once at import."""
