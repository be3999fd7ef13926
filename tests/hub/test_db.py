"""Promises of the database layer, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from threading import Thread

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DatabaseError, StatementError

from hub.db import Database
from hub.events import advance
from hub.models import ApiKey, Counter
from tests.hub.rows import api_key


def test_an_instant_comes_back_in_utc(database: Database) -> None:
    noon_in_tokyo = datetime(2026, 5, 4, 12, tzinfo=timezone(timedelta(hours=9)))
    with database.writing() as session:
        session.add(api_key(created_at=noon_in_tokyo))
    with database.reading() as session:
        assert session.scalars(select(ApiKey.created_at)).one() == datetime(2026, 5, 4, 3, tzinfo=UTC)


def test_a_naive_instant_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive"), database.writing() as session:
        session.add(api_key(created_at=datetime(2026, 5, 4, 12)))  # noqa: DTZ001  that is the point


def test_a_reading_session_cannot_write(database: Database) -> None:
    with database.reading() as session, pytest.raises(DatabaseError):
        session.execute(insert(Counter).values(name="x", value=1))


def test_a_writing_session_can_write_after_a_reading_one(database: Database) -> None:
    with database.reading() as session:
        assert session.scalars(select(Counter.value)).all() == []
    with database.writing() as session:
        session.execute(insert(Counter).values(name="x", value=1))
    with database.reading() as session:
        assert session.scalars(select(Counter.value)).all() == [1]


def test_read_then_write_transactions_lose_no_update(database: Database) -> None:
    with database.writing() as session:
        session.execute(insert(Counter).values(name="x", value=0))

    def count() -> None:
        for _ in range(25):
            with database.writing() as session:
                value = session.scalars(select(Counter.value).where(Counter.name == "x").with_for_update()).one()
                session.execute(update(Counter).values(value=value + 1))

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.scalars(select(Counter.value)).one() == 100


def test_a_counter_begins_at_one_and_grows(database: Database) -> None:
    with database.writing() as session:
        assert [advance(session, "n"), advance(session, "n", 5), advance(session, "n")] == [1, 6, 7]
