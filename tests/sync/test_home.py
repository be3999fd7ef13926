"""Where a task is at home, and what that implies: membership, inheritance from its ancestors, archiving from above."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from connectors.records import Container, ContainerKind, Membership, Section, StatusCategory
from hub.models import TaskProject
from tests.sync.conftest import Hub
from tests.sync.pretend import project, status, task

P1, P2, P3 = (Membership(project_id=f"project:{n}") for n in (1, 2, 3))


def home(hub: Hub, key: str) -> Any:
    return hub.row(f"task:{key}").project_id


def test_the_home_is_first_where_the_tool_puts_it_first(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "2", "1"))
    hub.complete()
    assert home(hub, "1") == hub.id("project:2")


def test_the_former_home_stays_while_the_task_is_still_a_member(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), project("3"), task("1", "1", "2"))
    hub.complete()
    hub.vendor.change("task:1", memberships=(P3, P2, P1))
    hub.complete()
    assert home(hub, "1") == hub.id("project:1")
    hub.vendor.change("task:1", memberships=(P3, P2))
    told = hub.told(lambda: hub.complete())
    assert home(hub, "1") == hub.id("project:3")
    assert told[0] == ("task.moved", hub.id("task:1"))
    held = hub.ask(select(TaskProject.project_id).order_by(TaskProject.rank))
    assert held == [hub.id("project:3"), hub.id("project:2")]


@pytest.mark.parametrize("order", list(permutations("123")), ids="".join)
@pytest.mark.parametrize("page_size", [1, 100])
def test_subtasks_inherit_from_the_nearest_ancestor_in_whatever_order_they_come(hub: Hub, order: tuple[str, ...], page_size: int) -> None:
    hub.vendor.page_size = page_size
    bodies = {"1": task("1", "1"), "2": task("2", parent_id="task:1"), "3": task("3", parent_id="task:2")}
    hub.vendor.put(project("1"), *(bodies[key] for key in order))
    hub.complete()
    assert [home(hub, key) for key in "123"] == [hub.id("project:1")] * 3
    assert [hub.row(f"task:{key}").home_inherited for key in "123"] == [False, True, True]
    assert hub.told(hub.complete) == []


def test_subtasks_follow_when_their_parent_moves(hub: Hub) -> None:
    hub.vendor.put(
        project("1"), project("2"), task("3", parent_id="task:2"), task("2", parent_id="task:1"), task("1", "1"), task("4", "2", parent_id="task:1")
    )
    hub.complete()
    before = hub.row("task:3").position
    hub.vendor.change("task:1", memberships=(P2,))
    told = hub.told(lambda: hub.complete())
    assert [home(hub, key) for key in "1234"] == [hub.id("project:2")] * 4
    assert hub.row("task:3").position > before, "who asks what changed since then must hear of it"
    assert told == [("task.moved", hub.id("task:1")), ("sync.completed", hub.connection_id)]


def test_a_subtask_with_a_home_of_its_own_does_not_inherit(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "1"), task("2", "2", parent_id="task:1"), task("3", parent_id="task:2"))
    hub.complete()
    assert [home(hub, key) for key in "123"] == [hub.id(f"project:{n}") for n in (1, 2, 2)]


def test_the_status_is_the_one_that_the_home_shows(hub: Hub) -> None:
    sections = [Section(id=f"section:{n}", external_id=str(n), project_id=f"project:{n}", name=word) for n, word in ((1, "Doing"), (2, "Backlog"))]
    words = [status("1/open", "Doing", project_id="project:1"), status("2/open", "Backlog", project_id="project:2")]
    here = Membership(project_id="project:1", section_id="section:1", status="Doing", status_id="status:1/open")
    there = Membership(project_id="project:2", section_id="section:2", status="Backlog", status_id="status:2/open")
    hub.vendor.put(project("1"), project("2"), *sections, *words, task("1", memberships=(here, there), status="Doing", status_id="status:1/open"))
    hub.complete()
    hub.vendor.change("task:1", memberships=(there, here), status="Backlog", status_id="status:2/open")
    hub.complete()
    row = hub.row("task:1")
    assert (row.project_id, row.section_id, row.status, row.status_category) == (hub.id("project:1"), hub.id("section:1"), "Doing", "started")
    hub.vendor.change("task:1", memberships=(there,))
    hub.complete()
    row = hub.row("task:1")
    assert (row.project_id, row.section_id, row.status, row.status_category) == (hub.id("project:2"), hub.id("section:2"), "Backlog", "backlog")


def archived(hub: Hub, *keys: str) -> list[bool]:
    return [hub.row(f"task:{key}").archived_effective for key in keys]


@pytest.fixture
def fleet(hub: Hub) -> Hub:
    """Project 1 lies in a folder in a workspace, project 2 nowhere. Task 2 is a subtask of 1, task 3 of 2."""
    hub.vendor.put(
        Container(id="container:folder/2", external_id="2", kind=ContainerKind.FOLDER, name="Dock", parent_id="container:workspace/1"),
        Container(id="container:workspace/1", external_id="1", kind=ContainerKind.WORKSPACE, name="Yard"),
        project("1", container_id="container:folder/2"),
        project("2"),
        task("3", parent_id="task:2"),
        task("2", parent_id="task:1"),
        task("1", "1"),
        task("4", "2"),
    )
    hub.complete()
    return hub


@pytest.mark.parametrize("ref", ["container:workspace/1", "container:folder/2", "project:1", "task:1"])
def test_a_task_is_archived_when_anything_above_it_is(fleet: Hub, ref: str) -> None:
    assert archived(fleet, "1", "2", "3", "4") == [False] * 4
    fleet.vendor.change(ref, archived=True)
    fleet.complete()
    assert archived(fleet, "1", "2", "3", "4") == [True, True, True, False]
    assert fleet.row("task:3").archived is False
    assert fleet.row("project:1").archived_effective is not ref.startswith("task")
    fleet.vendor.change(ref, archived=False)
    fleet.complete()
    assert archived(fleet, "1", "2", "3", "4") == [False] * 4


def test_what_lies_in_an_archived_container_is_archived_from_the_first_page(hub: Hub) -> None:
    hub.vendor.put(
        Container(id="container:folder/1", external_id="1", kind=ContainerKind.FOLDER, name="Dock", archived=True),
        project("1", container_id="container:folder/1"),
        status("1", "Doing", StatusCategory.STARTED, project_id="project:1"),
        task("1", "1"),
    )
    hub.vendor.page_size = 1
    hub.complete()
    assert archived(hub, "1") == [True]


def test_archiving_is_told_of_the_thing_itself_and_not_of_all_below(fleet: Hub) -> None:
    fleet.vendor.change("project:1", archived=True)
    assert fleet.told(lambda: fleet.complete()) == [("project.archived", fleet.id("project:1"))]
    fleet.vendor.change("project:1", archived=False)
    assert fleet.told(lambda: fleet.complete()) == [("project.restored", fleet.id("project:1"))]
    fleet.vendor.change("task:1", archived=True)
    assert fleet.told(lambda: fleet.complete())[:-1] == [("task.archived", fleet.id("task:1"))]
    fleet.vendor.change("task:1", archived=False)
    assert fleet.told(lambda: fleet.complete())[:-1] == [("task.restored", fleet.id("task:1"))]
