"""The log's sequence is commit order: who has read up to n never finds a smaller one later. On both databases, with interleaved writers."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Signal
from uuid import uuid4

from sqlalchemy import select

from hub import events
from hub.db import Database
from hub.events import Draft, EventType
from hub.models import Event
from tests.sync.conftest import START

WRITERS, PAGES = 4, 40


def drafts(number: int) -> list[Draft]:
    return [Draft(EventType.TASK_UPDATED, "task", uuid4(), {"changed": [], "before": {}, "after": {}}) for _ in range(number)]


def test_a_polling_reader_never_finds_a_smaller_sequence_later(database: Database) -> None:
    finished = Signal()

    def write(seed: int) -> int:
        draw, written = random.Random(seed), 0
        for _ in range(PAGES):
            number = draw.randint(1, 5)
            with database.writing() as session:
                events.advance(session, "position")
                events.append(session, drafts(number), connection_id=uuid4(), change_set=uuid4(), now=START)
            written += number
        return written

    def read() -> list[int]:
        found: list[int] = []
        last_round = False
        while True:
            with database.reading() as session:
                found += session.scalars(select(Event.sequence).where(Event.sequence > (found[-1] if found else 0)).order_by(Event.sequence))
            if last_round:
                return found
            last_round = finished.is_set()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(read)
        written = sum(pool.map(write, range(WRITERS)))
        finished.set()
        found = reader.result()
    assert found == list(range(1, written + 1)), "a reader that follows the log misses nothing and sees nothing twice"


def test_a_rolled_back_page_leaves_no_hole_in_the_log(database: Database) -> None:
    for fails in (False, True, False):
        try:
            with database.writing() as session:
                events.append(session, drafts(2), connection_id=uuid4(), change_set=uuid4(), now=START)
                if fails:
                    raise ArithmeticError("the page broke")
        except ArithmeticError:
            assert fails
    with database.reading() as session:
        assert session.scalars(select(Event.sequence).order_by(Event.sequence)).all() == [1, 2, 3, 4]
        assert events.position(session, "event") == 4


def test_many_first_writers_at_once_agree_on_one_counter(database: Database) -> None:
    def advance(_: int) -> int:
        with database.writing() as session:
            return events.advance(session, "a counter nobody used yet")

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sorted(pool.map(advance, range(8))) == list(range(1, 9))
