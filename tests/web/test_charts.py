"""Pictures say what the figures say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from hub.web import charts
from hub.web.charts import Scale

FIRST = date(2026, 11, 2)
SCALE = Scale(FIRST, FIRST + timedelta(days=99), 8.0)


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 10_000), max_size=7))
def test_the_parts_of_a_bar_fill_it_and_each_can_be_seen(counts: dict[str, int]) -> None:
    parts = charts.stack(counts, 300)
    assert {part.name for part in parts} == {name for name, count in counts.items() if count}
    assert all(part.width >= 1 for part in parts)
    if parts:
        assert abs(sum(part.width for part in parts) - 300) < 0.1


def test_columns_know_nothing_from_zero() -> None:
    unknown, zero, full = charts.columns([None, 0, 4], 30, 60)
    assert (unknown[3], unknown[4]) == (0, None)
    assert (zero[3], zero[4]) == (1, 0)
    assert (full[1], full[3]) == (0, 60)


def test_a_spark_goes_through_what_is_known_only() -> None:
    found = charts.spark([None, 2, 0, 4], 30, 18)
    assert found.path == "M10.0 9.0L20.0 16.0L30.0 2.0"
    assert found.end == (30.0, 2.0)
    assert charts.spark([None, None, 3], 30, 18).path == "", "one value is no line"


def test_a_burn_up_begins_where_something_is_known() -> None:
    unknown = {"known": False, "scope": None, "done": None}
    points = [unknown, {"known": True, "scope": 4, "done": 0}, {"known": True, "scope": 8, "done": 4}]
    found = charts.burn(points, 200, 108)
    assert found is not None
    assert (found.gap, found.most) == (100.0, 8)
    assert (found.scope, found.done) == ("M100.0 58.0L200.0 8.0", "M100.0 108.0L200.0 58.0")
    assert charts.burn([unknown, unknown, points[2]], 200, 108) is None


def task(start: date | None, due: date | None, **given: Any) -> dict[str, Any]:
    return {"id": uuid4(), "start_on": start, "due_on": due, "kind": "task", "status_category": "started", "progress": None} | given


def test_a_bar_reaches_from_its_first_to_the_end_of_its_last_day() -> None:
    (bar,) = charts.bars([(0.0, task(FIRST + timedelta(days=1), FIRST + timedelta(days=2), progress=50))], SCALE, {})
    assert (bar.x, bar.width, bar.done) == (8.0, 16.0, 8.0)


def test_a_task_that_ends_before_it_begins_is_drawn_all_the_same() -> None:
    (bar,) = charts.bars([(0.0, task(FIRST + timedelta(days=5), FIRST))], SCALE, {})
    assert (bar.x, bar.width) == (0.0, 48.0)


def test_a_slip_shows_where_the_end_was() -> None:
    slipped = task(FIRST, FIRST + timedelta(days=9))
    moved = {slipped["id"]: {"first_due_on": FIRST + timedelta(days=4), "delta_days": 5}}
    (bar,) = charts.bars([(0.0, slipped)], SCALE, moved)
    assert bar.was == 40.0


def test_an_arrow_goes_from_the_end_to_the_start_by_its_type() -> None:
    before, after = task(FIRST, FIRST), task(FIRST + timedelta(days=9), FIRST + timedelta(days=9))
    bars = charts.bars([(0.0, before), (30.0, after)], SCALE, {})
    shown = {bar.task["id"]: bar for bar in bars}
    edge = {"predecessor": {"id": before["id"]}, "successor": {"id": after["id"]}, "type": "FS"}
    (arrow,) = charts.arrows([edge, edge | {"successor": {"id": uuid4()}}], shown)
    assert arrow.path.startswith(f"M{bars[0].end} ")
    assert arrow.path.endswith("h6")
    assert f"H{bars[1].x - charts.ELBOW}" in arrow.path


def test_heat_rises_with_load_and_ends_above_the_limit() -> None:
    assert [charts.heat(value) for value in (None, 0, 1, 26, 61, 86, 100, 101)] == [0, 0, 1, 2, 3, 4, 4, 5]


def test_ticks_stand_on_mondays_or_on_the_first_of_a_month() -> None:
    assert [label for _, label in SCALE.ticks("month")] == ["Dec", "Jan 2027", "Feb"]
    assert SCALE.ticks("week")[0] == (0.0, "2 Nov")
