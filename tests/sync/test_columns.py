"""Records are the contract: every field of a record is a column of its table, and a row is the record with its references made ids."""

from __future__ import annotations

from dataclasses import fields
from uuid import UUID, uuid5

import pytest

from connectors.records import KINDS, CustomValue, Dependency, FieldType, Membership, Option, Priority, Project, Task, TaskKind
from connectors.records import Field as Definition
from hub.sync.ids import Ids
from hub.sync.rows import APART, TABLES, related, row

REALM = UUID(int=7)
IDS = Ids(REALM)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_record_field_has_its_column(kind: str) -> None:
    columns = set(TABLES[kind].__table__.columns.keys())
    assert {field.name for field in fields(KINDS[kind])} - APART <= columns, "give the table this column, or the record another field"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_record_has_its_table(kind: str) -> None:
    assert TABLES[kind].__tablename__ == kind


def test_what_lives_apart_are_fields_of_a_task() -> None:
    assert {field.name for field in fields(Task)} >= APART


def test_references_become_ids_and_words_stay_words() -> None:
    made = row(
        Task(
            id="task:1",
            external_id="1",
            url=None,
            title="Überholung ⚓",
            kind=TaskKind.MILESTONE,
            priority=Priority.HIGH,
            parent_id="task:2",
            status_id="status:1/2",
            tags=("Kai", "7"),
            custom_fields=(
                CustomValue(field_id="field:1", type=FieldType.PERSON, value=("identity:1",)),
                CustomValue(field_id="field:2", type=FieldType.MULTI_ENUM, value=("S", "M")),
                CustomValue(field_id="field:3", type=FieldType.BOOL, value=False),
            ),
        ),
        IDS,
    )
    assert (made["id"], made["parent_id"], made["status_id"]) == tuple(uuid5(REALM, ref) for ref in ("task:1", "task:2", "status:1/2"))
    assert (made["external_id"], made["title"], made["kind"], made["priority"], made["tags"]) == (
        "1",
        "Überholung ⚓",
        "milestone",
        "high",
        ["Kai", "7"],
    )
    assert made["custom_fields"] == {
        str(uuid5(REALM, "field:1")): [str(uuid5(REALM, "identity:1"))],
        str(uuid5(REALM, "field:2")): ["S", "M"],
        str(uuid5(REALM, "field:3")): False,
    }
    assert made.keys().isdisjoint(APART)


def test_what_lives_apart_keeps_the_vendors_order() -> None:
    beside = related(
        Task(
            id="task:1",
            external_id="1",
            url=None,
            title="t",
            memberships=(Membership(project_id="project:2", section_id="section:1"), Membership(project_id="project:1")),
            assignee_ids=("team:1", "identity:1"),
            depends_on=(Dependency(predecessor_id="task:9", lag_minutes=30),),
        ),
        IDS,
    )
    assert list(beside.memberships.items()) == [(IDS("project:2"), (IDS("section:1"), None, None)), (IDS("project:1"), (None, None, None))]
    assert list(beside.assignees.items()) == [(IDS("team:1"), "team"), (IDS("identity:1"), "identity")]
    assert beside.depends_on[IDS("task:9")].lag_minutes == 30


def test_a_fields_options_and_a_projects_nothings_are_kept_as_they_are() -> None:
    definition = Definition(
        id="field:1", external_id="1", name="Size", type=FieldType.ENUM, options=(Option(id="1", name="S", color="red"), Option(id="2", name="M"))
    )
    assert row(definition, IDS)["options"] == [{"id": "1", "name": "S", "color": "red"}, {"id": "2", "name": "M", "color": None}]
    bare = row(Project(id="project:1", external_id="1", url=None, name="p", container_id=None), IDS)
    assert (bare["container_id"], bare["owner_id"], bare["due_on"], bare["archived"]) == (None, None, None, False)
