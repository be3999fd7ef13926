"""Pages that bring what they brought the last time are known by their bytes: nothing of them is mapped, compared or parsed, and no promise is given
up for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from connectors.errors import Transient
from hub.db import Database, UtcDateTime
from hub.models import FamiliarPage, Seen, Task
from hub.sync import bodies, bulk, runs, write
from tests.sync.conftest import Hub
from tests.sync.pretend import project, task


@dataclass(slots=True)
class Watched:
    """The pages whose items were looked at, as the number of their items."""

    looked_at: list[int]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched([])
    entries_of = write.entries_of

    def watching(account: Any, connector: Any, items: Sequence[Any]) -> Any:
        entries = entries_of(account, connector, items)
        if tasks := len(entries.get("task", ())):
            found.looked_at.append(tasks)
        return entries

    monkeypatch.setattr(write, "entries_of", watching)
    return found


def furnish(hub: Hub) -> None:
    """Project 1 with tasks 1 to 5 on three pages, project 2 with task 9."""
    hub.vendor.page_size = 2
    hub.vendor.put(project("1"), project("2"), *(task(str(n), "1") for n in range(1, 6)), task("9", "2"))
    hub.complete()


def test_what_is_known_by_its_bytes_is_not_looked_at(hub: Hub, watched: Watched) -> None:
    furnish(hub)
    assert sorted(watched.looked_at) == [1, 1, 2, 2]
    watched.looked_at.clear()
    run = hub.complete()
    assert watched.looked_at == []
    assert (run.tasks, run.unchanged, run.created, run.updated, run.deleted) == (6, 6, 0, 0, 0)


def test_it_is_seen_all_the_same_pass_after_pass(hub: Hub) -> None:
    furnish(hub)

    def seen() -> list[tuple[str, int, str, bytes]]:
        with hub.database.reading() as session:
            found = session.execute(select(Seen.slice_key, Seen.page, Seen.kind, Seen.ids).where(Seen.pass_id == hub.this_pass().id))
            return sorted((key, page, kind, bytes(ids)) for key, page, kind, ids in found)

    before = seen()
    for _ in range(3):
        hub.complete()
        assert seen() == before
    assert len(hub.ask(select(FamiliarPage.page))) == 4  # those of the last pass alone are kept


def test_a_task_that_is_gone_from_its_page_dies_though_all_other_pages_are_known(hub: Hub, watched: Watched) -> None:
    furnish(hub)
    hub.vendor.drop("task:5")
    watched.looked_at.clear()
    assert hub.complete().deleted == 1
    assert hub.row("task:5").deleted_at is not None
    assert hub.row("task:4").deleted_at is None


def test_only_the_page_with_a_changed_task_is_looked_at(hub: Hub, watched: Watched) -> None:
    furnish(hub)
    hub.vendor.change("task:3", title="new title")
    watched.looked_at.clear()
    run = hub.complete()
    assert watched.looked_at == [2]
    assert (run.updated, run.unchanged) == (1, 5)


def test_what_was_written_since_is_looked_at_again(hub: Hub, watched: Watched) -> None:
    """A poll brings an edit that is taken back before the next full reading: the old page must not be taken for the row."""
    furnish(hub)
    hub.vendor.change("task:3", title="in between")
    hub.sync(kind=runs.POLL)
    assert hub.row("task:3").title == "in between"
    hub.vendor.change("task:3", title="task 3")
    watched.looked_at.clear()
    hub.complete()
    assert 2 in watched.looked_at
    assert hub.row("task:3").title == "task 3"


@pytest.mark.parametrize("column", ["deleted_at", "access_lost_at"])
def test_what_was_buried_or_hidden_since_is_brought_back(hub: Hub, column: str) -> None:
    furnish(hub)
    hub.write(lambda session: session.execute(update(Task).where(Task.external_id == "3").values({column: hub.clock()})))
    hub.complete()
    assert getattr(hub.row("task:3"), column) is None


def test_a_row_that_is_lost_is_written_again(hub: Hub) -> None:
    furnish(hub)
    hub.write(lambda session: session.execute(text("DELETE FROM task WHERE external_id = '3'")))
    assert hub.complete().created == 1
    assert hub.has("task:3")


@pytest.mark.parametrize("what", ["mapping_version", "options", "context"])
def test_another_way_of_reading_makes_every_page_strange(hub: Hub, watched: Watched, what: str) -> None:
    furnish(hub)
    watched.looked_at.clear()
    if what == "mapping_version":
        hub.vendor.mapping_version = 2
    elif what == "context":
        hub.vendor.context = "another"
    else:
        hub.write(lambda session: session.execute(text('UPDATE connection SET options = \'{"zone": "UTC"}\'')))
    hub.complete()
    assert sorted(watched.looked_at) == [1, 1, 2, 2]


def test_a_page_of_a_slice_that_was_not_understood_is_not_known(hub: Hub, watched: Watched) -> None:
    furnish(hub)
    hub.vendor.change("task:1", title="moved")
    hub.vendor.garbled.add("task:4")
    hub.sync()
    hub.sync()  # the second failure closes the pass without that slice
    hub.vendor.mend()
    watched.looked_at.clear()
    hub.complete()
    assert sorted(watched.looked_at) == [1, 2, 2]  # all of project 1; project 2 is known


def test_a_page_that_failed_before_it_was_kept_is_not_known(hub: Hub, watched: Watched) -> None:
    furnish(hub)
    hub.vendor.change("task:3", title="new title")
    hub.vendor.fail("project:1", Transient("a fault"), place=2)
    hub.sync()
    watched.looked_at.clear()
    assert hub.complete().updated == 1
    assert hub.row("task:3").title == "new title"


def test_the_digests_of_a_page_stand_only_while_its_rows_do(hub: Hub) -> None:
    furnish(hub)
    ids = sorted(hub.id(f"task:{n}").bytes for n in range(1, 4))
    with hub.database.reading() as session:
        held = dict(session.execute(select(Task.id, Task.digest)).all())
        assert bulk.standing(session, Task.__table__, b"".join(ids)) == [bytes(held[each]) for each in sorted(held) if each.bytes in ids]
        assert bulk.standing(session, Task.__table__, uuid4().bytes) == []


MOMENTS = [
    datetime(2026, 11, 23, 8, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    datetime(999, 1, 1, tzinfo=UTC),
    datetime(2026, 7, 1, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
]


def test_values_are_written_as_sqlalchemy_writes_them(database: Database) -> None:
    """The quick converters of ``bulk`` and those of the columns' own types agree, byte for byte."""
    dialect = database.engine.dialect
    table: Any = Task.__table__
    for name, values in {"id": [uuid4()], "parent_id": [None], "due_on": [date(2026, 3, 4), date(7, 1, 1), None], "due_at": [*MOMENTS, None]}.items():
        quick = bulk._converter(table, name, dialect)
        own = table.c[name].type._cached_bind_processor(dialect)
        for value in values:
            assert (quick(value) if quick else value) == (own(value) if own else value)
    if dialect.name == "sqlite":
        assert isinstance(table.c["due_at"].type, UtcDateTime)
        with pytest.raises(ValueError, match="naive"):
            bulk._converter(table, "due_at", dialect)(datetime(2026, 1, 1))  # type: ignore[misc]  # noqa: DTZ001  that is the point


def test_a_stored_body_is_read_as_it_was_written() -> None:
    body = {"title": "Überholung ⚓", "fields": [{"id": 1, "value": None}], "count": 2.5}
    assert bodies.unpack(bodies.pack(body)) == body
