"""Who is told what: every criterion, on what was and on what is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.delivery import catalogue
from hub.delivery.envelope import Stored
from hub.delivery.filter import EVERYTHING, NAMES, Filter, check

A, B, C = (f"00000000-0000-4000-8000-00000000000{n}" for n in "abc")


def event(kind: str = "task.status_changed", /, **data: Any) -> Stored:
    """An example of the catalogue with other data."""
    made = catalogue.example(kind)
    return replace(made, data=made.data | data)


def state(**values: Any) -> dict[str, Any]:
    return {"object": catalogue.example("task.updated").data["object"] | values}


@pytest.mark.parametrize("kind", catalogue.BY_TYPE)
def test_no_criterion_lets_every_event_through(kind: str) -> None:
    assert EVERYTHING.matches(catalogue.example(kind))


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({"types": ["task.status_changed"]}, True),
        ({"types": ["task.*"]}, True),
        ({"types": ["task.moved", "project.*"]}, False),
        ({"types": ["task.status"]}, False),
        ({"tools": ["example", "monday"]}, True),
        ({"tools": ["monday"]}, False),
        ({"categories_to": ["done"]}, True),
        ({"categories_to": ["blocked"]}, False),
        ({"categories_from": ["started"], "categories_to": ["done"]}, True),
        ({"categories_from": ["blocked"], "categories_to": ["done"]}, False),
        ({"kinds": ["task"]}, True),
        ({"kinds": ["milestone"]}, False),
        ({"tags": ["quay", "mole"]}, True),
        ({"tags": ["mole"]}, False),
        ({"fields": ["status"]}, True),
        ({"fields": ["due_on"]}, False),
        ({"types": ["task.*"], "tools": ["monday"]}, False),
    ],
)
def test_each_criterion_must_hold_by_any_of_its_values(criteria: dict[str, list[str]], fits: bool) -> None:
    assert Filter.of(criteria).matches(event()) is fits


def test_a_connection_is_named_by_its_id() -> None:
    stored = event()
    assert Filter.of({"connection_ids": [str(stored.connection_id)]}).matches(stored)
    assert not Filter.of({"connection_ids": [A]}).matches(stored)


def test_projects_are_those_of_the_event_before_and_after() -> None:
    moved = event("task.moved", project_ids=[B, C], was={"project_ids": [A]})
    assert [Filter.of({"project_ids": [each]}).matches(moved) for each in (A, B, C)] == [True, True, True]
    assert [Filter.of({"project_ids": [each]}).matches(event(project_ids=[B])) for each in (A, B)] == [False, True]


@pytest.mark.parametrize(("name", "before", "after"), [("assignee_ids", [A], [B]), ("tags", ["old"], ["new"])])
def test_people_and_tags_are_looked_for_on_both_sides(name: str, before: list[str], after: list[str]) -> None:
    stored = event("task.updated", **state(**{name: after}), was={name: before})
    assert all(Filter.of({name: [each]}).matches(stored) for each in (*before, *after))
    assert not Filter.of({name: [C]}).matches(stored)


def test_a_kind_that_changes_is_told_to_both() -> None:
    stored = event("task.updated", **state(kind="milestone"), was={"kind": "task"})
    assert Filter.of({"kinds": ["task"]}).matches(stored)
    assert Filter.of({"kinds": ["milestone"]}).matches(stored)


def test_a_status_that_changes_within_its_category_comes_to_none() -> None:
    other_word: dict[str, Any] = {
        "before": {"status": "Doing", "status_category": "started"},
        "after": {"status": "At it", "status_category": "started"},
    }
    assert not Filter.of({"categories_to": ["started"]}).matches(event(**other_word))
    assert not Filter.of({"categories_to": ["started"]}).matches(event("task.assigned"))


def test_a_new_task_comes_to_its_category_and_leaves_none() -> None:
    made = event("task.created", **state(status_category="blocked"))
    assert Filter.of({"categories_to": ["blocked"]}).matches(made)
    assert not Filter.of({"categories_from": ["blocked"]}).matches(made)


def test_custom_fields_are_meant_one_by_one_or_all() -> None:
    stored = event("task.updated", changed=[f"custom_fields.{A}"])
    assert Filter.of({"fields": ["custom_fields"]}).matches(stored)
    assert Filter.of({"fields": [f"custom_fields.{A}"]}).matches(stored)
    assert not Filter.of({"fields": [f"custom_fields.{B}"]}).matches(stored)


@pytest.mark.parametrize("name", sorted(NAMES - {"types", "tools", "connection_ids"}))
def test_an_event_without_such_a_property_does_not_fit(name: str) -> None:
    assert not Filter.of({name: [A]}).matches(catalogue.example("sync.completed"))


def test_a_filter_is_kept_as_json_and_read_again() -> None:
    made = Filter.of({"tags": ["b", "a"], "kinds": []}, ["task.*"])
    assert made.kept() == {"tags": ["a", "b"], "types": ["task.*"]}
    assert Filter.of(made.kept()) == made


def test_a_criterion_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such criterion: colour"):
        Filter.of({"colour": ["red"]})


@pytest.mark.parametrize(
    ("criteria", "word"),
    [
        ({"categories_to": ["done", "finished"]}, "there is no finished; there are backlog, blocked, cancelled"),
        ({"categories_from": ["open"]}, "there is no open"),
        ({"kinds": ["story"]}, "there are approval, milestone, task"),
        ({"tools": ["jira"]}, "there is no jira; there are clickup, monday"),
        ({"project_ids": [A, "1204"]}, "1204 is no id"),
    ],
)
def test_a_value_that_can_never_fit_is_refused_with_those_that_can(criteria: dict[str, list[str]], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        check(criteria, ["clickup", "monday"])


def test_values_that_can_fit_pass() -> None:
    check(
        {"categories_to": ["done"], "kinds": ["milestone"], "tools": ["monday"], "assignee_ids": [A], "tags": ["any"], "fields": ["due_on"]},
        ["monday"],
    )
