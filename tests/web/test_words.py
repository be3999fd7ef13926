"""How things are said."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.portfolio.reach import Day
from hub.web import words

DAY = Day(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))


def test_an_instant_is_told_in_the_reader_s_zone() -> None:
    assert words.instant(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), DAY) == "24 Nov 2026 00:30 Europe/Berlin"
    assert words.instant(None, DAY) == "not yet"


def test_what_is_missing_is_no_zero() -> None:
    assert (words.number(None), words.percent(None), words.hours(None), words.date_text(None)) == (words.DASH,) * 4
    assert (words.number(0), words.hours(0)) == ("0", "0\u202fh")


@pytest.mark.parametrize(("days", "said"), [(3, "3 days later"), (-1, "1 day earlier"), (0, "not moved"), (None, "not known")])
def test_a_movement_is_later_or_earlier(days: int | None, said: str) -> None:
    assert words.delta(days) == said


def test_a_due_date_says_how_far_it_is() -> None:
    today = date(2026, 11, 23)
    assert words.due(today, today).endswith("(today)")
    assert words.due(date(2026, 11, 25), today).endswith("(in 2 days)")
    assert words.due(date(2026, 11, 22), today).endswith("(yesterday)")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", " javascript:x", "data:text/html,x", "//evil.example.org", "ftp://x/y", "http://[", "", None],
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert words.web_address(url) is None


def test_a_web_address_is_a_link() -> None:
    assert words.web_address("https://tool.example.org/t/1") == "https://tool.example.org/t/1"


@pytest.mark.parametrize(
    ("name", "raw", "names", "said"),
    [
        ("due_on", "2026-11-23", [], "23 Nov 2026"),
        ("completed_at", "2026-11-23T23:30:00+00:00", [], "24 Nov 2026 00:30 Europe/Berlin"),
        ("assignee_ids", ["x"], ["Ada", None], "Ada, (not read yet)"),
        ("title", None, [], "nothing"),
        ("archived", False, [], "no"),
        ("estimate_minutes", 90, [], "1.5\u202fh"),
        ("tags", ["a", "b"], [], "a, b"),
    ],
)
def test_one_side_of_a_change_is_said_in_words(name: str, raw: Any, names: list[str | None], said: str) -> None:
    assert words.value(name, raw, names, DAY) == said
