"""Hints wait in the inbox: none is lost to a run that is reading, none is read twice for nothing, and a flood costs a bounded number of rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from hub.db import Database
from hub.models import Inbound
from hub.sync import inbox
from hub.sync.inbox import Line
from tests.sync.telling import told

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
OURS, THEIRS = uuid4(), uuid4()


def rows(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Inbound)) or 0


def waiting(database: Database, connection_id: UUID = OURS) -> list[list[str]]:
    with database.reading() as session:
        return [refs for _, refs in inbox.take(session, connection_id, 10_000)]


def test_what_was_told_waits_until_it_is_done(database: Database) -> None:
    with database.writing() as session:
        assert told(session, OURS, "d1", ["task:1", "task:2", "task:1"], NOW)
        assert told(session, THEIRS, "d1", ["task:9"], NOW)
    with database.writing() as session:
        [(line, refs)] = inbox.take(session, OURS, 10)
        assert refs == ["task:1", "task:2"]
        assert inbox.is_waiting(session, OURS)
        inbox.done(session, [line], NOW)
        assert not inbox.is_waiting(session, OURS)
    assert waiting(database, THEIRS) == [["task:9"]]


def test_the_same_delivery_is_known_again_also_after_it_is_done(database: Database) -> None:
    with database.writing() as session:
        assert told(session, OURS, "d1", ["task:1"], NOW)
        inbox.done(session, [line for line, _ in inbox.take(session, OURS, 10)], NOW)
    with database.writing() as session:
        assert not told(session, OURS, "d1", ["task:1"], NOW)
        assert inbox.add_all(session, [Line(OURS, "d2", ("task:2",)), Line(OURS, "d2", ("task:2",))], NOW) == [True, False]
    assert waiting(database) == [["task:2"]]


def test_a_call_without_an_id_is_never_taken_for_another(database: Database) -> None:
    with database.writing() as session:
        assert inbox.add_all(session, [Line(OURS, None, ("task:1",)), Line(OURS, None, ("task:1",))], NOW) == [True, True]
    assert waiting(database) == [["task:1"]]


def test_what_changes_while_a_run_reads_it_is_read_again(database: Database) -> None:
    with database.writing() as session:
        told(session, OURS, "d1", ["task:1"], NOW)
    with database.reading() as session:
        taken = [line for line, _ in inbox.take(session, OURS, 10)]
    with database.writing() as session:
        told(session, OURS, "d2", ["task:1"], NOW)
    with database.writing() as session:
        inbox.done(session, taken, NOW)
    assert waiting(database) == [["task:1"]]


def test_lines_that_say_the_same_do_not_add_up(database: Database) -> None:
    for number in range(50):
        with database.writing() as session:
            told(session, OURS, None, ["task:1", f"task:{number % 3}"], NOW)
    assert sorted({ref for refs in waiting(database) for ref in refs}) == ["task:0", "task:1", "task:2"]
    assert rows(database) <= 3


def test_a_flood_becomes_one_line_that_stands_for_everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 100)
    for number in range(40):
        with database.writing() as session:
            inbox.add_all(session, [Line(OURS, None, (f"task:{number}-{place}",)) for place in range(10)], NOW)
    assert waiting(database) == [[inbox.OVERFLOW]]
    assert rows(database) == 1
    with database.writing() as session:
        inbox.done(session, [line for line, _ in inbox.take(session, OURS, 10)], NOW)
        told(session, OURS, None, ["task:1"], NOW)
    assert waiting(database) == [["task:1"]]


def test_a_flood_while_its_line_is_being_read_asks_once_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 2)
    with database.writing() as session:
        told(session, OURS, None, ["task:1", "task:2", "task:3"], NOW)
    with database.reading() as session:
        taken = [line for line, _ in inbox.take(session, OURS, 10)]
    with database.writing() as session:
        told(session, OURS, "d1", ["task:4"], NOW)
        inbox.done(session, taken, NOW)
    assert waiting(database) == [[inbox.OVERFLOW]]


def test_the_oldest_are_taken_first_and_no_more_than_asked_for(database: Database) -> None:
    with database.writing() as session:
        inbox.add_all(session, [Line(OURS, f"d{number}", (f"task:{number}",)) for number in range(5)], NOW)
    with database.reading() as session:
        assert [refs for _, refs in inbox.take(session, OURS, 2)] == [["task:0"], ["task:1"]]


def test_what_was_read_long_ago_is_forgotten_and_what_waits_is_not(database: Database) -> None:
    with database.writing() as session:
        inbox.add_all(session, [Line(OURS, "d1", ("task:1",)), Line(OURS, "d2", ("task:2",))], NOW)
        inbox.done(session, [inbox.take(session, OURS, 1)[0][0]], NOW)
    with database.writing() as session:
        inbox.forget(session, OURS, NOW + inbox.REMEMBERED + timedelta(seconds=1))
    assert waiting(database) == [["task:2"]]
    assert rows(database) == 1
