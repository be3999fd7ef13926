"""What goes wrong is sorted by who must act: a person, time, or us. One slice's misfortune never ends the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.errors import AuthFailed, BadResponse, NotFound, RateLimited, Refused, Transient
from connectors.records import Container, ContainerKind
from hub.models import Connection, Coverage, SyncPass
from hub.sync import runs
from tests.sync.conftest import Hub
from tests.sync.pretend import ALWAYS, project, task


@pytest.fixture
def yard(hub: Hub) -> Hub:
    """Two projects with two tasks each, read once; tasks 3 and 4 are in the second."""
    hub.vendor.put(project("1"), project("2"), task("1", "1"), task("2", "1"), task("3", "2"), task("4", "2"))
    hub.complete()
    return hub


def covered(hub: Hub, ref: str) -> Coverage:
    return hub.ask(select(Coverage).where(Coverage.container_id == hub.id(ref)))[0]  # type: ignore[no-any-return]


def hidden(hub: Hub) -> set[str]:
    return {ref for ref in hub.vendor.held if ref.startswith("task:") and hub.row(ref).access_lost_at is not None}


def test_a_refused_project_is_hidden_not_deleted_and_is_no_fault(yard: Hub) -> None:
    yard.vendor.fail("project:2", Refused("not for you"), times=ALWAYS)
    told = yard.told(lambda: yard.sync())
    assert (yard.run().state, yard.run().deleted) == ("partial", 0)
    assert yard.run().errors == ["project 2: not for you", "2 tasks are hidden: the tool no longer lets this credential read their project"]
    assert hidden(yard) == {"task:3", "task:4"}
    assert yard.row("task:3").deleted_at is None
    assert (covered(yard, "project:2").refused, covered(yard, "project:2").proof) == ("not for you", "none")
    assert (covered(yard, "project:1").refused, covered(yard, "project:1").proof) == (None, "complete_pass")
    assert [kind for kind, _ in told] == ["container.access_lost"]
    assert yard.told(lambda: yard.sync()) == [], "it is told once"


def test_a_refusal_alone_is_no_fault_of_the_run(yard: Hub) -> None:
    yard.vendor.fail("project:2", Refused("not for you"), times=ALWAYS)
    assert [yard.sync().faults for _ in range(3)] == [0, 0, 0]
    assert yard.vendor.looked == []
    assert hidden(yard) == {"task:3", "task:4"}


def test_a_refused_project_comes_back_when_it_is_readable_again(yard: Hub) -> None:
    yard.vendor.fail("project:2", Refused("not for you"))
    yard.sync()
    assert [kind for kind, _ in yard.told(lambda: yard.complete())] == ["container.access_regained"]
    assert yard.told(lambda: yard.complete()) == [], "it is told once"
    assert hidden(yard) == set()
    assert covered(yard, "project:2").refused is None


def test_a_container_refused_inside_a_page_hides_its_tasks_alone(hub: Hub) -> None:
    hub.vendor.together = True
    hub.vendor.put(project("1"), project("2"), task("1", "1"), task("2", "2"), task("3", "1", "2"))
    hub.complete()
    hub.vendor.shut["project:2"] = Refused("not for you")
    outcome = hub.sync()
    assert (outcome.state, outcome.faults) == ("partial", 0)
    assert hidden(hub) == {"task:2"}
    assert covered(hub, "project:2").refused == "not for you"
    hub.vendor.mend()
    hub.complete()
    assert hidden(hub) == set()


def test_a_refused_container_hides_what_lies_under_it(hub: Hub) -> None:
    top = Container(id="container:workspace/1", external_id="1", kind=ContainerKind.WORKSPACE, name="Yard")
    deep = Container(id="container:folder/2", external_id="2", kind=ContainerKind.FOLDER, name="Dock", parent_id=top.id)
    hub.vendor.put(top, deep, project("1", container_id=deep.id), task("1", "1"))
    hub.complete()
    hub.vendor.fail("project:1", Refused("not for you"))
    hub.vendor.covers["project:1"] = (top.id,)
    hub.sync()
    assert hidden(hub) == {"task:1"}


def test_a_project_that_is_listed_no_more_and_refused_by_id_keeps_its_tasks_hidden(yard: Hub) -> None:
    yard.vendor.unlisted |= {"project:2", "task:3", "task:4"}
    yard.vendor.closed |= {"project:2", "task:3", "task:4"}
    for _ in range(3):
        assert yard.sync().faults == 0
        assert yard.vendor.looked == ["project:2"], "one question for the project answers for all its tasks"
    assert hidden(yard) == {"task:3", "task:4"}
    assert yard.row("project:2").deleted_at is None
    assert covered(yard, "project:2").proof == "none"
    yard.vendor.unlisted.clear()
    yard.vendor.mend()
    yard.complete()
    assert hidden(yard) == set()


def test_a_connection_with_a_refusal_from_the_first_day_has_a_history_and_tells_events(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "1"))
    hub.vendor.fail("project:2", Refused("not for you"), times=ALWAYS)
    assert hub.told(hub.sync) == [("sync.completed", hub.connection_id)]
    assert hub.connection().history_from == hub.clock()
    hub.vendor.change("task:1", title="another word")
    assert hub.told(hub.sync) == [("task.updated", hub.id("task:1")), ("sync.completed", hub.connection_id)]


def test_a_project_gone_between_listing_and_reading_is_no_fault(yard: Hub) -> None:
    yard.vendor.fail("project:2", NotFound("gone"))
    outcome = yard.sync()
    assert (outcome.state, outcome.faults, hidden(yard)) == ("partial", 0, set())
    yard.complete()


def test_a_refused_credential_breaks_the_connection_and_is_told_once(yard: Hub) -> None:
    yard.vendor.fail("structure", AuthFailed("token revoked"), times=3)
    told = yard.told(lambda: [yard.sync() for _ in range(3)])
    assert told == [("connection.broken", yard.connection_id), ("sync.failed", yard.connection_id)]
    assert (yard.connection().state, yard.connection().next_sync_at) == ("broken", None)
    assert "hub connection rotate pretend" in (yard.connection().last_error or "")
    assert yard.told(lambda: yard.complete()) == [("connection.recovered", yard.connection_id)]
    assert (yard.connection().state, yard.connection().last_error) == ("active", None)


def test_a_failure_is_told_once_until_a_run_goes_well_and_again_after_a_day(yard: Hub) -> None:
    def fails(times: int) -> list[str]:
        yard.vendor.fail("structure", AuthFailed("token revoked"), times=times)
        return [kind for kind, _ in yard.told(lambda: [yard.sync() for _ in range(times)]) if kind == "sync.failed"]

    assert fails(3) == ["sync.failed"]
    yard.clock.goes_on(hours=23)
    assert fails(2) == []
    yard.clock.goes_on(hours=1)
    assert fails(2) == ["sync.failed"]
    yard.complete()
    assert fails(2) == ["sync.failed"]


def test_a_credential_refused_in_the_middle_keeps_what_was_read(hub: Hub) -> None:
    hub.vendor.page_size, hub.vendor.concurrency = 1, 1
    hub.vendor.put(project("1"), task("1", "1"), task("2", "1"), task("3", "1"))
    hub.vendor.fail("project:1", AuthFailed("token revoked"), place=2)
    assert hub.sync().broken
    hub.complete()
    assert ("structure", 0) not in hub.vendor.reads
    assert hub.run().tasks == 3


def test_a_broken_connection_stays_broken_while_nothing_proves_the_contrary(yard: Hub) -> None:
    yard.vendor.fail("structure", AuthFailed("token revoked"))
    yard.sync()
    yard.vendor.fail("structure", RateLimited("later", retry_after=600))
    yard.sync()
    assert (yard.run().state, yard.connection().state) == ("deferred", "broken")
    assert ("connection.recovered", yard.connection_id) in yard.told(lambda: yard.complete())


def test_a_connection_refused_at_its_first_contact_recovers_with_a_word(hub: Hub) -> None:
    hub.vendor.put(project("1"), task("1", "1"))
    hub.vendor.fail("check", AuthFailed("no such token"))
    assert hub.told(hub.sync) == [("connection.broken", hub.connection_id), ("sync.failed", hub.connection_id)]
    told = hub.told(lambda: hub.complete())
    assert told == [("connection.recovered", hub.connection_id), ("sync.completed", hub.connection_id)]


def test_a_long_wait_defers_the_run_to_the_moment_the_tool_named(yard: Hub) -> None:
    yard.vendor.fail("project:2", RateLimited("daily budget", retry_after=3600))
    outcome = yard.sync()
    assert (outcome.state, outcome.next_sync_at) == ("deferred", yard.clock() + timedelta(hours=1))
    assert yard.connection().next_sync_at == yard.clock() + timedelta(hours=1)
    assert yard.connection().state == "active"
    yard.complete(minutes=61)
    assert ("structure", 0) not in yard.vendor.reads
    assert ("project:2", 0) in yard.vendor.reads


def test_a_run_that_could_not_read_everything_makes_nothing_fresher(yard: Hub) -> None:
    before = yard.connection().last_synced_at
    yard.vendor.fail("structure", Transient("no answer"))
    yard.sync()
    assert yard.run().state == "partial"
    assert yard.connection().last_synced_at == before
    yard.complete()
    begun = yard.ask(select(SyncPass.started_at).order_by(SyncPass.number))[-1]
    assert yard.connection().last_synced_at == begun > before, "as old as what was read first, in the run before"


def test_a_fault_of_one_slice_leaves_the_others_complete_and_is_read_again_alone(yard: Hub) -> None:
    yard.vendor.fail("project:1", Transient("no answer"))
    yard.vendor.change("task:3", title="another word")
    told = yard.told(lambda: yard.sync())
    assert (yard.run().state, yard.run().errors) == ("partial", ["project 1: no answer"])
    assert told == [("task.updated", yard.id("task:3"))]
    yard.complete()
    assert yard.vendor.reads == [("project:1", 0)]


def test_one_body_that_makes_no_sense_is_left_as_it_was_and_read_again(yard: Hub) -> None:
    before = yard.row("task:1")
    yard.vendor.change("task:1", title="nobody can read this")
    yard.vendor.change("task:2", title="everybody can read this")
    yard.vendor.garbled.add("task:1")
    outcome = yard.sync()
    assert (outcome.state, outcome.errors, outcome.faults) == ("partial", ["task:1: its body makes no sense"], 1)
    assert (yard.row("task:1").title, yard.row("task:1").digest) == (before.title, before.digest)
    assert yard.row("task:2").title == "everybody can read this"
    assert yard.row("task:1").deleted_at is None
    yard.vendor.mend()
    yard.complete()
    assert yard.vendor.reads == [("project:1", 0)]
    assert yard.row("task:1").title == "nobody can read this"


def test_an_answer_that_breaks_the_whole_list_is_read_again_from_its_start(yard: Hub) -> None:
    yard.vendor.page_size = 1
    yard.vendor.fail("project:2", BadResponse("half a page"), place=1)
    assert yard.sync().errors == ["project 2: half a page"]
    yard.complete()
    assert yard.vendor.reads == [("project:2", 0), ("project:2", 1)]


def test_a_second_process_waits_its_turn(yard: Hub) -> None:
    yard.clock.goes_on(seconds=1)
    assert yard.write(lambda session: runs.take_lease(session, yard.connection_id, "another", yard.clock()))
    waiting = yard.queue()
    assert yard.engine.sync(waiting) is None
    assert yard.run().state == "queued"
    assert yard.queue() == waiting, "a waiting run is not queued twice"
    yard.clock.goes_on(seconds=91)
    outcome = yard.engine.sync(waiting)
    assert outcome is not None
    assert outcome.state == "complete"


def test_who_loses_the_lease_stops_writing(yard: Hub) -> None:
    for n in range(1, 5):
        yard.vendor.change(f"task:{n}", title="another word")

    def taken_over(key: str, _place: int) -> None:
        if key == "structure":
            yard.clock.goes_on(seconds=91)
            assert yard.write(lambda session: runs.take_lease(session, yard.connection_id, "another", yard.clock()))

    yard.vendor.before_page = taken_over
    before, books = yard.dump(), yard.connection()
    outcome = yard.sync()
    assert (outcome.state, outcome.errors) == ("failed", ["another process reads this connection now"])
    after = yard.connection()
    assert yard.dump() == before
    assert (after.lease_owner, after.last_error, after.next_sync_at) == ("another", books.last_error, books.next_sync_at)
    assert yard.run().state == "failed"


def test_a_request_during_a_run_means_one_more_run(yard: Hub) -> None:
    asked = []
    yard.vendor.before_page = lambda key, _place: asked.append(yard.queue()) if key.startswith("project:") else None
    yard.sync()
    yard.vendor.before_page = lambda _key, _place: None
    assert len(set(asked)) == 1
    outcome = yard.engine.sync(asked[0])
    assert outcome is not None
    assert outcome.state == "complete"


def test_a_paused_connection_is_not_read(yard: Hub) -> None:
    yard.write(lambda session: setattr(session.get_one(Connection, yard.connection_id), "state", "paused"))
    outcome = yard.sync()
    assert (outcome.state, yard.vendor.reads) == ("cancelled", [])
    assert outcome.errors == ["pretend is paused: hub connection resume pretend"]
