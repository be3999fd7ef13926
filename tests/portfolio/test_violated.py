"""Whether planned dates contradict a dependency."""

from __future__ import annotations

from datetime import date

import pytest

from hub.portfolio.dependencies import violated

DAY = 24 * 60


def end(start: int | None, due: int | None) -> dict[str, date | None]:
    return {"start_on": date(2026, 11, start) if start else None, "due_on": date(2026, 11, due) if due else None}


@pytest.mark.parametrize(
    ("kind", "lag", "before", "after", "expected"),
    [
        ("FS", 0, (1, 10), (9, 20), True),
        ("FS", 0, (1, 10), (10, 20), False),
        ("FS", 2 * DAY, (1, 10), (11, 20), True),
        ("FS", 2 * DAY, (1, 10), (12, 20), False),
        ("FS", -2 * DAY, (1, 10), (8, 20), False),
        ("FS", 60, (1, 10), (10, 20), False),
        ("FS", 0, (1, 10), (None, 9), True),
        ("FS", 0, (1, None), (9, 20), False),
        ("FS", 0, (1, 10), (None, None), False),
        ("SS", 0, (5, 10), (4, 20), True),
        ("SS", 0, (5, 10), (5, 6), False),
        ("FF", 0, (1, 10), (1, 9), True),
        ("FF", 0, (1, 10), (1, 10), False),
        ("SF", 0, (5, 10), (1, 4), True),
        ("SF", 0, (5, 10), (1, 5), False),
    ],
)
def test_dates_contradict_a_dependency_by_its_type_and_lag(
    kind: str, lag: int, before: tuple[int | None, int | None], after: tuple[int | None, int | None], expected: bool
) -> None:
    assert violated(end(*before), end(*after), {"type": kind, "lag_minutes": lag}) is expected
