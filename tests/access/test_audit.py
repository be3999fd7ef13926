"""The audit log: what it keeps, and that nobody changes it unseen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from hub.access import audit
from hub.access.audit import Actor
from hub.db import Database
from hub.models import Audit
from tests.api.builders import NOW

CLI = Actor("cli", "ada")


def written(database: Database, rows: int = 5) -> None:
    for number in range(rows):
        with database.writing() as session:
            at = NOW + timedelta(microseconds=number)
            audit.add(session, CLI, "thing.done", f"thing:{number}", at, before={"a": [1, None, True]}, after={"ä": "ö" * number, "b": {"c": 1.5}})


def verdict(database: Database, head: str | None = None) -> audit.Verdict:
    with database.reading() as session:
        return audit.verify(session, head)


def test_a_log_as_it_was_written_is_fine(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    written(database)
    found = verdict(database)
    assert (found.rows, found.broken) == (5, None)
    assert found.head != audit.START


@pytest.mark.parametrize(
    "tamper",
    [
        update(Audit).where(Audit.id == 3).values(actor_id="eve"),
        update(Audit).where(Audit.id == 3).values(at=NOW),
        update(Audit).where(Audit.id == 3).values(after={}),
        update(Audit).where(Audit.id == 3).values(hash="0" * 64),
        delete(Audit).where(Audit.id == 3),
    ],
)
def test_a_row_that_is_changed_or_taken_out_is_found(database: Database, tamper: Any) -> None:
    written(database)
    with database.writing() as session:
        session.execute(tamper)
    assert verdict(database).broken == 3


def test_a_tail_that_was_cut_off_is_found_by_a_hash_kept_elsewhere(database: Database) -> None:
    written(database)
    head = verdict(database).head
    with database.writing() as session:
        session.execute(delete(Audit).where(Audit.id > 3))
    assert verdict(database).broken is None, "nothing inside the log tells it"
    assert verdict(database, head).lacks_head
    written(database, 1)
    assert verdict(database, head).lacks_head


def failing(database: Database) -> None:
    with database.writing() as session:
        audit.add(session, CLI, "thing.done", None, NOW)
        raise RuntimeError("the act failed")


def test_a_row_dies_with_the_act_that_it_tells_of(database: Database) -> None:
    with pytest.raises(RuntimeError):
        failing(database)
    assert verdict(database).rows == 0


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    """Each of eight threads adds ten rows; none is lost, none forks the chain."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: written(database, 10), range(8)))
    assert (verdict(database).rows, verdict(database).broken) == (80, None)


def test_a_row_keeps_no_secret(database: Database) -> None:
    canary = "c4nary"
    asked = {
        "password": canary,
        "access_token": canary,
        "headers": {"X-Auth": canary},
        "url": f"https://user:{canary}@hooks.example.org/{canary}?k={canary}",
        "nested": [{"note": f"Bearer {canary}"}, {"key": f"hub_{canary}abcd"}],
        "deep": {"a": {"b": {"c": {"d": {"e": {"f": canary}}}}}},
    }
    with database.writing() as session:
        audit.add(session, CLI, "thing.done", f"/setup/{canary}", NOW, after=asked)
    with database.reading() as session:
        row = session.scalars(select(Audit)).one()
        assert canary not in str(audit.shape(row))
        assert row.after is not None
        assert (row.after["url"], row.after["headers"]) == ("https://hooks.example.org/...", ["X-Auth"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSON))
def test_what_is_kept_reads_as_it_was_written(value: dict[str, Any]) -> None:
    """Else a hash computed anew from the database would differ."""
    import orjson

    kept = audit.redacted(value)
    assert orjson.loads(orjson.dumps(kept)) == kept
    assert "\x00" not in str(kept)
