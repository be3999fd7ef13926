"""What comes into view or leaves it was not done by anybody in the tool: it is told with that cause, in few words, to all whom it concerns."""

from __future__ import annotations

import pytest

from connectors.records import Membership, StatusCategory
from hub.delivery import envelope
from hub.delivery.envelope import Stored
from hub.delivery.filter import Filter
from tests.sync.conftest import Hub
from tests.sync.pretend import project, status, task

BOTH = (
    Membership(project_id="project:1", status="To do", status_id="status:todo"),
    Membership(project_id="project:2", status="Doing", status_id="status:doing"),
)
MANY = [f"task:m{n}" for n in range(12)]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is told does not depend on the database."""
    return sqlite_url


@pytest.fixture
def shared(hub: Hub) -> Hub:
    """A task in two projects, each of which has a word of its own for its status, and one in the second alone."""
    hub.vendor.put(
        *(project("1"), project("2"), task("both", memberships=BOTH), task("other", "2")),
        status("todo", "To do", StatusCategory.UNSTARTED, project_id="project:1"),
        status("doing", "Doing", StatusCategory.STARTED, project_id="project:2"),
    )
    hub.complete()
    return hub


def causes(hub: Hub, after: int) -> dict[str, str]:
    return {each.type: each.cause for each in hub.events("task.", after=after)}


def head(hub: Hub) -> int:
    return max((each.sequence for each in hub.events()), default=0)


def hide(hub: Hub) -> None:
    hub.vendor.unlisted |= {"project:1"}
    hub.vendor.closed |= {"project:1"}
    hub.vendor.put(task("both", memberships=BOTH[1:]))


def test_a_task_whose_one_project_is_hidden_was_not_moved_by_anybody(shared: Hub) -> None:
    before = head(shared)
    hide(shared)
    shared.sync()
    assert causes(shared, before) == {"task.moved": "scope", "task.status_changed": "scope"}
    assert shared.row("task:both").project_id == shared.id("project:2")
    assert shared.told(lambda: shared.sync()) == []


def test_what_else_happened_to_it_keeps_its_own_cause(shared: Hub) -> None:
    before = head(shared)
    hide(shared)
    shared.vendor.put(task("both", memberships=BOTH[1:], title="and another name"))
    shared.sync()
    assert causes(shared, before) == {"task.moved": "scope", "task.status_changed": "scope", "task.updated": "change"}


def test_a_task_whose_one_project_is_deleted_was_moved(shared: Hub) -> None:
    before = head(shared)
    shared.vendor.drop("project:1")
    shared.vendor.put(task("both", memberships=BOTH[1:]))
    shared.sync()
    assert causes(shared, before) == {"task.moved": "change", "task.status_changed": "change"}


def test_a_task_that_somebody_takes_out_of_a_project_was_moved(shared: Hub) -> None:
    before = head(shared)
    shared.vendor.put(task("both", memberships=BOTH[1:]))
    shared.sync()
    assert causes(shared, before) == {"task.moved": "change", "task.status_changed": "change"}


def test_a_project_that_is_shown_again_tells_nothing_of_tasks_that_were_seen_meanwhile(shared: Hub) -> None:
    hide(shared)
    shared.sync()
    before = head(shared)
    shared.vendor.unlisted.clear()
    shared.vendor.closed.clear()
    shared.vendor.put(task("both", memberships=BOTH))
    shared.sync()
    assert causes(shared, before) == {}
    assert [each.type for each in shared.events("container.", after=before)] == ["container.access_regained"]


def test_a_project_read_for_the_first_time_tells_nothing_of_tasks_known_from_another(shared: Hub) -> None:
    before = head(shared)
    shared.vendor.put(project("3"), task("other", "2", "3"))
    shared.complete()
    assert causes(shared, before) == {}
    assert [each.type for each in shared.events("project.", after=before)] == ["project.created"]
    shared.vendor.put(task("both", memberships=(*BOTH, Membership(project_id="project:3"))))
    shared.complete()
    assert causes(shared, before) == {"task.moved": "change"}


@pytest.fixture
def crowded(hub: Hub) -> Hub:
    """Twelve tasks in the first project and one in the second; three are asked for in one request."""
    hub.vendor.lookup_batch = 3
    hub.vendor.put(project("1"), project("2"), *(task(ref.partition(":")[2], "1") for ref in MANY), task("other", "2"))
    hub.complete()
    hub.vendor.unlisted |= set(MANY)
    hub.vendor.closed |= set(MANY)
    return hub


def line(hub: Hub, kind: str) -> Stored:
    with hub.database.reading() as session:
        return [each for each in envelope.read(session, 0, 1000) if each.type == kind][-1]


def test_many_tasks_that_are_refused_at_once_are_told_in_one_event(crowded: Hub) -> None:
    told = crowded.told(lambda: crowded.sync())
    assert told == [("task.left_scope", crowded.connection_id)]
    assert all(crowded.row(ref).access_lost_at is not None for ref in MANY)
    event = line(crowded, "task.left_scope")
    assert (event.cause, event.data["after"]["count"], set(event.data["after"]["task_ids"])) == ("scope", 12, {str(crowded.id(ref)) for ref in MANY})
    assert event.project_ids == [str(crowded.id("project:1"))]
    assert crowded.told(lambda: crowded.sync()) == []


def test_a_filter_by_project_finds_what_sums_up_its_tasks(crowded: Hub) -> None:
    crowded.sync()
    event = line(crowded, "task.left_scope")
    assert Filter.of({"project_ids": [crowded.id("project:1")]}, ["task.*"]).matches(event)
    assert not Filter.of({"project_ids": [crowded.id("project:2")]}).matches(event)


def test_and_so_is_that_they_are_seen_again(crowded: Hub) -> None:
    crowded.sync()
    crowded.vendor.unlisted.clear()
    crowded.vendor.closed.clear()
    told = crowded.told(lambda: crowded.complete())
    assert told == [("task.restored", crowded.connection_id)]
    assert line(crowded, "task.restored").data["after"]["count"] == 12


def test_few_of_them_are_told_one_by_one(crowded: Hub) -> None:
    crowded.vendor.closed -= set(MANY[5:])
    crowded.vendor.unlisted -= set(MANY[5:])
    told = crowded.told(lambda: crowded.sync())
    assert sorted(told) == sorted(("task.left_scope", crowded.id(ref)) for ref in MANY[:5])
