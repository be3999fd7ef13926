"""Walking by creation time is whole and single under both readings of date_created_gt, whatever moves meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.clickup.paging import Position, Window, advance, filters
from connectors.errors import BadResponse, CursorExpired
from tests.connectors.clickup.vendor import a_task

ROWS = 100


def page(rows: list[dict[str, Any]], position: Position | None, window: Window | None, *, inclusive: bool) -> tuple[list[dict[str, Any]], bool]:
    asked = dict(filters(position, window))
    slack = 1 if inclusive else 0
    if "date_created_gt" in asked:
        rows = [row for row in rows if int(row["date_created"]) > int(asked["date_created_gt"]) - slack]
    if "date_created_lt" in asked:
        rows = [row for row in rows if int(row["date_created"]) < int(asked["date_created_lt"]) + slack]
    start = int(asked["page"]) * ROWS
    return rows[start : start + ROWS], start + ROWS >= len(rows)


def drain(rows: list[dict[str, Any]], *, inclusive: bool, window: Window | None = None) -> tuple[list[str], int]:
    position, given_ids, calls = Position(window.since) if window else None, [], 0
    while True:
        calls += 1
        fresh, position = advance(position, *page(rows, position, window, inclusive=inclusive), window)
        given_ids += [row["id"] for row in fresh]
        if position is None:
            return given_ids, calls
        position = Position.from_json(position.to_json())


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 50]), max_size=700),
    inclusive=st.booleans(),
)
def test_every_row_is_given_exactly_once_under_both_readings_of_gt(steps: list[int], inclusive: bool) -> None:
    created, rows = 1_700_000_000_000, []
    for number, step in enumerate(steps):
        created += step
        rows.append(a_task(f"t{number:04}", created))
    names, _ = drain(rows, inclusive=inclusive)
    assert names == [row["id"] for row in rows]


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_millisecond_that_fills_pages_is_walked_by_page_number(inclusive: bool) -> None:
    rows = [a_task(f"a{number:04}", 1000) for number in range(350)] + [a_task("last", 1001)]
    names, calls = drain(rows, inclusive=inclusive)
    assert names == [row["id"] for row in rows]
    assert calls <= 6


@pytest.mark.parametrize("inclusive", [False, True])
def test_windows_side_by_side_give_every_row_once(inclusive: bool) -> None:
    rows = [a_task(f"a{number:04}", 1000 + number // 3) for number in range(900)]
    names: list[str] = []
    for start, end in ((1000, 1100), (1100, 1200), (1200, 1300)):
        names += drain(rows, inclusive=inclusive, window=Window(start, end))[0]
    assert names == [row["id"] for row in rows]


def test_a_row_that_vanishes_between_two_pages_hides_no_other() -> None:
    rows = [a_task(f"a{number:04}", 1000 + number) for number in range(250)]
    fresh, position = advance(None, *page(rows, None, None, inclusive=False))
    names = [row["id"] for row in fresh]
    rows = rows[5:]
    while position is not None:
        fresh, position = advance(position, *page(rows, position, None, inclusive=False))
        names += [row["id"] for row in fresh]
    assert names == [f"a{number:04}" for number in range(250)]


def test_one_call_in_a_hundred_is_the_price_of_the_key() -> None:
    rows = [a_task(f"a{number:05}", 1000 + number) for number in range(9_901)]
    assert drain(rows, inclusive=False)[1] == 100


def test_a_page_that_is_repeated_is_an_error_and_not_the_end() -> None:
    rows = [a_task(f"a{number:04}", 1000) for number in range(100)]
    position = Position(1000, 1, frozenset(row["id"] for row in rows))
    with pytest.raises(BadResponse, match="repeats rows"):
        advance(position, rows, False)


@pytest.mark.parametrize(
    ("position", "window", "times", "message"),
    [
        (None, None, [1002, 1001], "oldest first"),
        (Position(5000), None, [1000, 5001], "date_created_gt"),
        (Position(1000), Window(1000, 2000), [1000, 2001], "date_created_lt"),
    ],
)
def test_a_filter_that_the_vendor_ignored_is_an_error(position: Position | None, window: Window | None, times: list[int], message: str) -> None:
    with pytest.raises(BadResponse, match=message):
        advance(position, [a_task(f"t{time}", time) for time in times], True, window)


@pytest.mark.parametrize(("row", "message"), [({"id": "x"}, "task x: date_created"), ({"id": None, "date_created": "5"}, "without an id")])
def test_a_row_without_what_paging_needs_is_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(BadResponse, match=message):
        advance(None, [row], True)


def test_a_cursor_that_is_not_ours_starts_the_slice_anew() -> None:
    with pytest.raises(CursorExpired):
        Position.from_json({"offset": 4})
