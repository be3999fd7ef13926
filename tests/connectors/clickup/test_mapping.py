"""What cannot be read is named, what is unknown keeps the vendor's word, and a body stays lean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Context, Item
from connectors.clickup import days, lean, mapping
from connectors.clickup.fields import TYPES
from connectors.clickup.met import Met
from connectors.errors import BadResponse
from connectors.records import DESCRIPTION_LIMIT, Task
from tests.connectors.clickup.vendor import a_task

BERLIN = Context("Europe/Berlin", {"timezones": ("Europe/Berlin",)})


def mapped(**more: Any) -> Task:
    return mapping.task(lean.task(a_task("a1", 1, **more)), days.days(("Europe/Berlin",)))


def field(kind: str, value: Any) -> dict[str, Any]:
    return {"id": "f1", "name": "F", "type": kind, "type_config": {}, "value": value}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"due_date": "tomorrow"}, "task a1: due_date is not a number"),
        ({"due_date": []}, "task a1: due_date is not a number"),
        ({"due_date": "9" * 20}, "task a1: due_date is out of range"),
        ({"date_updated": "9" * 20}, "task a1: date_updated is out of range"),
        ({"date_created": "x"}, "task a1: date_created is not a number"),
        ({"time_estimate": "two hours"}, "task a1: time_estimate is not a number"),
        ({"name": None}, "task a1: name is missing"),
        ({"status": "to do"}, "task a1: status is not an object"),
        ({"assignees": "Ada"}, "task a1: assignees is not a list"),
        ({"assignees": [[1]]}, "task a1: assignees has an id"),
        ({"tags": "bug"}, "task a1: tags is not a list"),
        ({"locations": {"id": "1"}}, "task a1: locations is not a list"),
        ({"dependencies": ["8gx"]}, "task a1: a dependency without"),
        ({"custom_fields": ["f1"]}, "task a1: a custom field without an id"),
        ({"custom_fields": {"f1": 1}}, "task a1: custom_fields is not a list"),
        ({"custom_fields": [field("number", "many")]}, r"task a1: custom field f1 \(number\) cannot be read"),
        ({"custom_fields": [field("number", "nan")]}, r"task a1: custom field f1 \(number\)"),
        ({"custom_fields": [field("number", True)]}, r"task a1: custom field f1 \(number\)"),
        ({"custom_fields": [field("date", "soon")]}, r"task a1: custom field f1 \(date\)"),
        ({"custom_fields": [field("checkbox", "maybe")]}, r"task a1: custom field f1 \(checkbox\)"),
        ({"custom_fields": [field("users", "Ada")]}, r"task a1: custom field f1 \(users\)"),
        ({"custom_fields": [field("manual_progress", {"percent_completed": 1})]}, r"task a1: custom field f1 \(manual_progress\)"),
    ],
)
def test_what_cannot_be_read_names_the_object_and_the_key(more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadResponse, match=message):
        mapped(**more)


@pytest.mark.parametrize("ref", ["task:1", "project:1", "container:space/1", "identity:1", "team:1", "field:1"])
def test_a_body_without_an_id_is_refused(ref: str) -> None:
    with pytest.raises(BadResponse, match="without an id"):
        mapping.record(Item(ref, {"name": "x"}, BERLIN))


@pytest.mark.parametrize("ref", ["project:1", "container:folder/1", "team:1", "field:1"])
def test_a_body_without_a_name_is_refused_by_its_id(ref: str) -> None:
    with pytest.raises(BadResponse, match="1: name is missing"):
        mapping.record(Item(ref, {"id": "1"}, BERLIN))


def test_a_status_without_a_name_is_refused() -> None:
    with pytest.raises(BadResponse, match="status:p1"):
        mapping.record(Item("status:p1", {"id": "p1", "type": "open"}))


def test_a_task_without_a_time_zone_is_not_guessed_at() -> None:
    with pytest.raises(BadResponse, match="time zone"):
        mapping.record(Item("task:a1", a_task("a1", 1)))


def test_a_time_zone_that_does_not_exist_says_what_to_do() -> None:
    with pytest.raises(BadResponse, match="option 'timezone'"):
        days.context("Mars/Olympus", {})


def test_keys_of_tomorrow_are_borne() -> None:
    assert mapped(brand_new={"x": [1]}, status={"id": "s", "status": "to do", "type": "open", "mood": 3}) == mapped(
        status={"id": "s", "status": "to do", "type": "open"}
    )


def test_a_long_description_is_cut_at_the_limit() -> None:
    assert len(mapped(text_content="ä" * (DESCRIPTION_LIMIT + 5)).description or "") == DESCRIPTION_LIMIT


def test_what_is_not_mapped_is_not_stored() -> None:
    unset = {"id": "f0", "name": "F", "type": "number", "type_config": {}}
    choice = {
        "id": "f1",
        "name": "F",
        "type": "drop_down",
        "type_config": {"options": [{"id": f"o{n}", "name": f"N{n}", "color": "#000"} for n in range(50)]},
    }
    kept = lean.task(
        a_task("a1", 1, custom_fields=[unset, choice | {"value": 3}], assignees=[{"id": 5, "username": "Ada", "email": "a@example.org"}])
    )
    assert not {"watchers", "checklists", "sharing", "permission_level", "folder", "project", "points", "orderindex"} & set(kept)
    assert kept["custom_fields"] == [
        {"id": "f1", "type": "drop_down", "value": 3, "type_config": {"options": [{"id": "o3", "name": "N3", "orderindex": 3}]}}
    ]
    assert kept["assignees"] == [{"id": 5}]
    assert kept["creator"] == {"id": 11}


def test_an_option_added_elsewhere_changes_no_task_and_a_renamed_one_does() -> None:
    def body(*options: tuple[str, str]) -> dict[str, Any]:
        config = {"options": [{"id": key, "name": name, "orderindex": place} for place, (key, name) in enumerate(options)]}
        return lean.task(a_task("a1", 1, custom_fields=[{"id": "f1", "type": "drop_down", "type_config": config, "value": 0}]))

    assert body(("o1", "Low")) == body(("o1", "Low"), ("o2", "High"))
    assert body(("o1", "Low")) != body(("o1", "Lowest"))


ZONES = ["Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns", "UTC"]


@settings(max_examples=200, deadline=None)
@given(on=st.dates(min_value=date(1995, 1, 1), max_value=date(2060, 1, 1)), name=st.sampled_from(ZONES))
def test_a_date_without_a_time_is_the_day_its_user_sees_all_year_round(on: date, name: str) -> None:
    four = datetime(on.year, on.month, on.day, 4, tzinfo=ZoneInfo(name))
    assert days.Days((name,)).read(round(four.timestamp() * 1000)) == (on, None)


@settings(max_examples=200, deadline=None)
@given(milliseconds=st.integers(min_value=0, max_value=3_000_000_000_000), name=st.sampled_from(ZONES))
def test_an_instant_keeps_its_millisecond_and_its_local_day(milliseconds: int, name: str) -> None:
    on, at = days.Days((name,)).read(milliseconds)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    local = moment.astimezone(ZoneInfo(name))
    assert on == local.date()
    assert at == (None if (local.hour, local.minute, local.second, local.microsecond) == (4, 0, 0, 0) else moment)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
KEYS = sorted(a_task("a1", 1).keys() - {"id"})


def outcome(**more: Any) -> str:
    try:
        return f"{mapped(**more).id} is task a1"
    except BadResponse as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON)
def test_a_malformed_part_is_a_bad_response_and_nothing_else(key: str, value: Any) -> None:
    assert "task a1" in outcome(**{key: value})


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from([*TYPES, "hologram"]), value=JSON, config=JSON)
def test_a_malformed_custom_value_is_a_bad_response_and_nothing_else(kind: str, value: Any, config: Any) -> None:
    assert "task a1" in outcome(custom_fields=[field(kind, value) | {"type_config": config}])


@settings(max_examples=500, deadline=None)
@given(key=st.sampled_from([*KEYS, "status.id", "list.id", "creator.id", "space.id", "folder.id"]), value=JSON, inner=JSON)
def test_a_malformed_part_never_stops_the_page_that_it_came_with(key: str, value: Any, inner: Any) -> None:
    outer, _, name = key.partition(".")
    part: Any = {name: value, "name": "x", "status": inner} if name else value
    places = [{"id": inner, "name": "x"}, value]
    row = a_task("a1", 1, locations=places, assignees=places, custom_fields=[field("users", places), {"id": inner, "type": value}]) | {outer: part}
    met = Met()
    met.users = {"11"}
    args = {"workspace": "9001", "spaces": [], "excluded": []}
    rows = [row, a_task("a2", 2)]
    met.places(rows, args, BERLIN, "identity:11")
    items = met.described(rows)
    assert "status:p1_open" in {item.id for item in items}
