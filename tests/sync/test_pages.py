"""A page is one transaction, and a run goes on where the last one was cut off."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from connectors.errors import CursorExpired, Transient
from hub.db import Database
from hub.models import Change, Event, Seen, SyncPass, SyncRun, Task
from hub.sync.engine import Engine, Progress
from tests.sync.conftest import BOOKS, Hub
from tests.sync.pretend import ALWAYS, project, task


def three_pages(hub: Hub) -> None:
    """Project 1 with five tasks on three pages, project 2 with one."""
    hub.vendor.page_size, hub.vendor.concurrency = 2, 1
    hub.vendor.put(project("1"), project("2"), *(task(str(n), "1") for n in range(1, 6)), task("9", "2"))


def test_what_breaks_in_the_middle_of_a_page_leaves_nothing_of_it(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.defect.add("task:4")
    with pytest.raises(ArithmeticError):
        hub.sync()
    assert sorted(hub.ask(select(Task.external_id))) == ["1", "2"]
    assert hub.slices()["project:1"].cursor == {"at": {"place": 2}}
    assert hub.slices()["project:1"].pages == 1
    seen = b"".join(hub.ask(select(Seen.ids).where(Seen.kind == "task")))
    assert seen == hub.id("task:1").bytes + hub.id("task:2").bytes
    assert (hub.run().state, hub.run().errors) == ("failed", ["pretend: ended by a defect (ArithmeticError); the log of the program says more"])


def test_after_a_defect_is_mended_the_run_goes_on_at_the_page_that_broke(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.defect.add("task:4")
    with pytest.raises(ArithmeticError):
        hub.sync()
    hub.vendor.mend()
    assert hub.complete().tasks == 6
    assert hub.vendor.reads == [("project:1", 2), ("project:1", 4), ("project:2", 0)]


def test_when_the_log_cannot_be_written_rows_changes_seen_and_cursor_stay_as_they_were(hub: Hub) -> None:
    three_pages(hub)
    hub.complete()
    hub.vendor.change("task:3", title="new title", tags=("a",))
    before = hub.dump(["task", "change", "task_project", "raw", "counter"])
    hub.write(lambda session: session.execute(text("ALTER TABLE event RENAME TO event_away")))
    with pytest.raises(DBAPIError):
        hub.sync()
    hub.write(lambda session: session.execute(text("ALTER TABLE event_away RENAME TO event")))
    assert hub.dump(["task", "change", "task_project", "raw", "counter"]) == before
    assert hub.slices()["project:1"].cursor == {"at": {"place": 2}}
    told = hub.told(hub.sync)
    assert told == [("task.updated", hub.id("task:3")), ("sync.completed", hub.connection_id)]
    assert hub.ask(select(SyncRun.state).order_by(SyncRun.queued_at)) == ["complete", "failed", "complete"]


def run_and_die(hub: Hub, arm: Callable[[Engine], None]) -> None:
    """One run in a process of its own that ``arm`` makes end by kill -9."""
    hub.clock.goes_on(minutes=1)
    run = hub.queue()
    hub.database.dispose()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of threads, of which none is alive here
        child = os.fork()
    if child == 0:
        try:
            engine = Engine(Database(hub.database.url), hub.engine.vault, hub.engine.settings, hub.clock, client=hub.engine.client)
            arm(engine)
            engine.sync(run)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_pages(pages: int) -> Callable[[Engine], None]:
    """Kills as soon as so many pages are kept."""

    def arm(engine: Engine) -> None:
        left = [pages]

        def watch(_progress: Progress) -> None:
            left[0] -= 1
            if left[0] == 0:
                die()

        engine.watch = watch

    return arm


@pytest.mark.parametrize(
    ("pages", "reads"),
    [
        (1, [("project:1", 0), ("project:1", 2), ("project:1", 4), ("project:2", 0)]),
        (2, [("project:1", 2), ("project:1", 4), ("project:2", 0)]),
        (3, [("project:1", 4), ("project:2", 0)]),
        (4, [("project:2", 0)]),
        (5, []),
    ],
)
def test_killed_after_any_page_the_next_run_goes_on_at_the_last_kept_one(hub: Hub, pages: int, reads: list[tuple[str, int]]) -> None:
    three_pages(hub)
    run_and_die(hub, after_pages(pages))
    hub.clock.goes_on(minutes=2)
    assert hub.complete().tasks == 6
    assert hub.vendor.reads == reads
    assert len(hub.ask(select(SyncPass.id))) == 1
    states = hub.ask(select(SyncRun.state).order_by(SyncRun.queued_at))
    assert states == ["failed", "complete"]
    assert hub.told(hub.complete) == []


def test_a_dead_process_of_this_machine_holds_nobody_up(hub: Hub) -> None:
    three_pages(hub)
    run_and_die(hub, after_pages(2))
    hub.clock.goes_on(seconds=1)
    assert hub.complete().tasks == 6


def test_killed_between_two_tombstones_the_next_run_finishes_them(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.vendor.lookup_batch = 5
    hub.vendor.put(project("1"), *(task(str(n), "1") for n in range(30)))
    hub.complete()
    hub.vendor.drop(*(f"task:{n}" for n in range(12)))
    monkeypatch.setattr("hub.sync.gone.CHUNK", 5)

    def arm(engine: Engine) -> None:
        keep = engine.database.writing

        def writing() -> Any:
            with engine.database.reading() as session:
                if len(session.scalars(select(Task.id).where(Task.deleted_at.is_not(None))).all()) == 10:
                    die()
            return keep()

        engine.database.writing = writing  # type: ignore[method-assign]  # the kill comes from outside, between two transactions

    run_and_die(hub, arm)
    assert len(hub.events("task.deleted")) == 10
    hub.clock.goes_on(minutes=2)
    assert hub.complete().deleted == 2
    gone = hub.ask(select(Event.entity_id).where(Event.type == "task.deleted"))
    assert sorted(gone) == sorted(hub.id(f"task:{n}") for n in range(12))
    assert len(hub.ask(select(Change.id).where(Change.field == "deleted_at"))) == 12


def test_a_finished_slice_is_not_read_again_in_the_same_pass(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.fail("project:1", Transient("no answer"), place=2)
    assert hub.sync().state == "partial"
    assert hub.slices()["project:2"].state == "done"
    hub.complete()
    assert hub.vendor.reads == [("project:1", 2), ("project:1", 4)]


def test_an_expired_cursor_starts_its_slice_again(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.fail("project:1", CursorExpired("too old"), place=2)
    assert hub.complete().tasks == 6
    assert hub.vendor.reads[2:-1] == [("project:1", 0), ("project:1", 2), ("project:1", 0), ("project:1", 2), ("project:1", 4)]


def test_a_cursor_that_always_expires_fails_its_slice_and_no_other(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.fail("project:1", CursorExpired("too old"), place=2, times=ALWAYS)
    assert hub.sync().errors == ["project 1: too old"]
    assert {key: piece.state for key, piece in hub.slices().items()} == {"structure": "done", "project:1": "failed", "project:2": "done"}
    hub.vendor.mend()
    hub.complete()
    assert hub.vendor.reads == [("project:1", 0), ("project:1", 2), ("project:1", 4)]


def test_a_list_that_ends_before_its_end_is_an_error_and_no_short_list(hub: Hub) -> None:
    three_pages(hub)
    hub.complete()
    hub.vendor.short.add("project:1")
    hub.vendor.drop("task:5")
    outcome = hub.sync()
    assert (outcome.state, outcome.faults) == ("partial", 1)
    assert outcome.errors == ["project 1: the list ended before the tool said that it was complete"]
    assert hub.slices()["project:1"].state == "failed"
    assert hub.vendor.looked == []
    assert hub.row("task:5").deleted_at is None


def test_a_pass_older_than_a_day_is_begun_anew(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.fail("project:1", Transient("no answer"), place=2)
    hub.sync()
    hub.complete(minutes=24 * 60 + 1)
    assert hub.vendor.reads == [("structure", 0), ("project:1", 0), ("project:1", 2), ("project:1", 4), ("project:2", 0)]
    assert hub.ask(select(SyncPass.state).order_by(SyncPass.number)) == ["abandoned", "complete"]


def test_a_slice_that_fails_time_and_again_holds_up_nothing_else(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.fail("project:1", Transient("no answer"), times=3)
    assert [hub.sync().state, hub.sync().state] == ["partial", "partial"]
    hub.vendor.reads.clear()
    hub.sync()
    assert ("structure", 0) in hub.vendor.reads, "the pass that could not be completed is over"
    assert ("project:2", 0) in hub.vendor.reads
    assert hub.slices()["project:1"].state == "failed"
    hub.complete()
    assert hub.vendor.reads == [("project:1", 0), ("project:1", 2), ("project:1", 4)]


def test_a_pass_may_be_begun_anew_by_request(hub: Hub) -> None:
    three_pages(hub)
    hub.vendor.fail("project:2", Transient("no answer"))
    hub.sync()
    hub.complete(anew=True)
    assert ("structure", 0) in hub.vendor.reads


def test_a_complete_pass_forgets_what_older_passes_saw(hub: Hub) -> None:
    three_pages(hub)
    hub.complete()
    size = len(hub.dump(["seen"])["seen"])
    hub.complete()
    assert len(hub.dump(["seen"])["seen"]) == size
    assert set(hub.dump(BOOKS)) == set(BOOKS)
