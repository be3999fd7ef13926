"""Eight writers at once and a reader that never stops: the log has no gap and no double, on PostgreSQL as on SQLite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import UUID, uuid4

from sqlalchemy import select

from hub import events, models
from hub.db import Database
from hub.delivery import pull
from hub.delivery.filter import EVERYTHING
from hub.delivery.pull import Cursor
from tests.delivery.stage import draft, now

WRITERS, TRANSACTIONS = 8, 25


def test_a_reader_beside_eight_writers_sees_every_event_once_and_in_order(database: Database) -> None:
    together, ended = Barrier(WRITERS + 1), Event()

    def write(writer: int) -> list[UUID]:
        entities: list[UUID] = []
        together.wait()
        for turn in range(TRANSACTIONS):
            made = [uuid4() for _ in range(1 + (writer + turn) % 5)]
            with database.writing() as session:
                session.scalar(select(models.Counter.value))  # a page reads before it writes: the transactions overlap
                events.append(session, [draft(each) for each in made], connection_id=None, change_set=uuid4(), now=now())
                if (writer + turn) % 7 == 0:
                    session.rollback()  # a page that fails takes its places in the log back
                    continue
            entities += made
        return entities

    def read() -> list[tuple[int, UUID]]:
        seen: list[tuple[int, UUID]] = []
        cursor = Cursor(0, 0)
        together.wait()
        while True:
            last = ended.is_set()
            with database.reading() as session:
                found = pull.page(session, cursor, EVERYTHING, 7)
            seen += [(line.sequence, line.entity_id) for line in found.lines]
            cursor = found.cursor
            if last and not found.lines:
                return seen

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reader = threads.submit(read)
        writers = [threads.submit(write, number) for number in range(WRITERS)]
        written = [entity for each in writers for entity in each.result()]
        ended.set()
        seen = reader.result()
    assert [sequence for sequence, _ in seen] == list(range(1, len(written) + 1))
    assert sorted(str(entity) for _, entity in seen) == sorted(map(str, written))
