"""A second reading of the same things writes nothing, and says nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from connectors.records import Container, ContainerKind, CustomValue, Dependency, Field, FieldType, Identity, Section, StatusCategory, Team
from hub.sync.ids import Ids
from tests.sync.conftest import Hub
from tests.sync.pretend import Vendor, project, status, task


def furnish(vendor: Vendor) -> None:
    """A little of every kind of record."""
    vendor.put(
        Identity(id="identity:1", external_id="1", name="Ada Example", email="ada@example.org"),
        Team(id="team:1", external_id="1", name="Crew", member_ids=("identity:1",)),
        Container(id="container:workspace/1", external_id="1", kind=ContainerKind.WORKSPACE, name="Yard"),
        project("1", container_id="container:workspace/1", owner_id="identity:1", vendor_count=3),
        Section(id="section:1", external_id="1", project_id="project:1", name="Doing"),
        status("1", "Doing", project_id="project:1"),
        status("2", "Fertig", StatusCategory.DONE, project_id="project:1"),
        Field(id="field:1", external_id="1", name="Size", type=FieldType.NUMBER, project_id="project:1"),
        task(
            "1", "1", status="Doing", status_id="status:1", assignee_ids=("identity:1", "team:1"), due_on=date(2026, 12, 1), tags=("Kai", "Überlänge")
        ),
        task(
            "2",
            "1",
            status="Fertig",
            status_id="status:2",
            completed_at=datetime(2026, 11, 1, 9, tzinfo=UTC),
            depends_on=(Dependency(predecessor_id="task:1"),),
        ),
        task("3", parent_id="task:1", custom_fields=(CustomValue(field_id="field:1", type=FieldType.NUMBER, value=2.5),)),
    )


def test_a_second_run_leaves_every_synced_table_change_and_event_as_it_was(hub: Hub) -> None:
    furnish(hub.vendor)
    first = hub.complete()
    before = hub.dump()
    second = hub.complete()
    assert hub.dump() == before
    assert (first.created, first.unchanged, first.tasks) == (3, 0, 3)
    assert (second.created, second.updated, second.deleted, second.unchanged, second.tasks) == (0, 0, 0, 3, 3)


def test_an_equal_digest_is_not_even_mapped(hub: Hub) -> None:
    furnish(hub.vendor)
    hub.complete()
    assert set(hub.vendor.mapped) == hub.vendor.held.keys()
    hub.vendor.change("task:2", title="another word")
    hub.complete()
    assert hub.vendor.mapped == ["task:2"]


def test_a_body_that_differs_only_in_what_is_not_kept_tells_nothing(hub: Hub) -> None:
    furnish(hub.vendor)
    hub.complete()
    hub.vendor.noise["task:1"] = {"likes": 7}
    assert hub.told(hub.complete) == []
    assert hub.run().unchanged == 3
    assert hub.dump(["change"]) == {"change": []}


def test_the_order_in_which_the_tool_names_people_is_no_change(hub: Hub) -> None:
    furnish(hub.vendor)
    hub.complete()
    hub.vendor.change("task:1", assignee_ids=("team:1", "identity:1"))
    assert hub.told(hub.complete) == []


def test_a_resumed_reading_of_the_same_slice_counts_a_task_in_two_projects_once(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "1", "2"), task("2", "2"))
    hub.complete()
    again = hub.complete()
    assert (again.tasks, again.unchanged) == (2, 2)


@given(realm=st.uuids(), ref=st.text(min_size=1))
def test_an_id_is_the_uuid5_of_its_reference(realm: UUID, ref: str) -> None:
    ids = Ids(realm)
    assert ids(ref) == ids(ref) == uuid5(realm, ref)
    assert ids.text(ref) == ids.text(ref) == str(uuid5(realm, ref))
