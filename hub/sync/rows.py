"""A record becomes a row: references to ids, enums to their words, tuples to lists. Generic, because records carry the columns' names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any
from uuid import UUID

from connectors.records import KINDS, CustomScalar, CustomValue, Dependency, FieldType, Membership, Option, Record, Ref
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
Convert = Callable[[Any, Ids], Any]


@dataclass(frozen=True, slots=True)
class Related:
    """The rows beside a task's own: {project: (section, status word, status id)}, {assignee: kind},
    {predecessor: dependency}, all in the vendor's order."""

    memberships: dict[UUID, tuple[UUID | None, str | None, UUID | None]]
    assignees: dict[UUID, str]
    depends_on: dict[UUID, Dependency]


def row(record: Record, ids: Ids) -> dict[str, Any]:
    """The record's columns, ready for the database; what lives in other tables is left out."""
    plan = PLANS[type(record)]
    made = dict(zip(plan.names, plan.get(record), strict=True))
    for name, convert in plan.converts:
        value = made[name]
        if value is not None:
            made[name] = convert(value, ids)
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
    return value._value_  # what ``value`` gives, without its descriptor


def _options(options: tuple[Option, ...], _ids: Ids) -> list[dict[str, Any]]:
    return [asdict(option) for option in options]


def _values(values: tuple[CustomValue, ...], ids: Ids) -> dict[str, Any]:
    text = ids.text
    return {text(each.field_id): _several(each.type, each.value, ids) if isinstance(each.value, tuple) else each.value for each in values}


def _several(kind: FieldType, values: tuple[CustomScalar, ...], ids: Ids) -> list[CustomScalar]:
    return [ids.text(str(ref)) for ref in values] if kind in REFERENCES else list(values)


WORDS = {"kind", "category", "type", "priority"}


def _converter(kind: str, name: str) -> Convert | None:
    if name == "id" or (name.endswith("_id") and name != "external_id"):
        return _one
    if (kind, name) == ("status", "type"):
        return None  # the vendor's word, already a string
    special: dict[str, Convert] = {"member_ids": _many, "tags": _list, "options": _options, "custom_fields": _values}
    return special.get(name) or (_word if name in WORDS else None)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to turn one kind of record into its row. ``get``: all columns at once."""

    names: tuple[str, ...]
    get: Callable[[Any], tuple[Any, ...]]
    converts: tuple[tuple[str, Convert], ...]


def _plan(kind: str, record: type[Record]) -> Plan:
    names = tuple(f.name for f in fields(record) if f.name not in APART)
    return Plan(names, attrgetter(*names), tuple((name, convert) for name in names if (convert := _converter(kind, name)) is not None))


PLANS = {record: _plan(kind, record) for kind, record in KINDS.items()}
"""Worked out once at import."""
