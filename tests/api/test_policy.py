"""What the PMO decides: tolerances and calendar as data, and which projects count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from hub.api.answers import Single
from hub.api.policy import ImportedShape, SortedShape
from hub.db import Database
from hub.portfolio.policy import Decided
from tests.api import builders as make
from tests.api.conftest import Caller

YESTERDAY = make.TODAY - timedelta(days=1)
ICS = """BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1\r
DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r
SUMMARY:Year's end\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\nDTSTART;VALUE=DATE:20270101\r\nSUMMARY:New Year\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"""


@pytest.fixture
def pmo(as_role: Callable[[str], Caller]) -> Caller:
    return as_role("pmo")


def put(caller: Caller, **body: Any) -> Any:
    return caller("PUT", "/api/v1/policy", json=body)


def patch(caller: Caller, **body: Any) -> Any:
    return caller("PATCH", "/api/v1/projects", json=body)


def test_where_nothing_is_decided_the_defaults_hold(call: Caller) -> None:
    answer = call.get("policy")
    Single[Decided].model_validate(answer.json())
    shape = answer.json()["data"]
    assert (shape["version"], shape["changed_at"]) == (0, None)
    assert (shape["policy"]["stale_days"], shape["policy"]["rules"]["milestone_overdue"]) == (14, {"on": True, "amber": 1.0, "red": 7.0})
    assert (shape["calendar"]["working_days"], shape["calendar"]["minutes_a_day"]) == ([1, 2, 3, 4, 5], 480)


def test_a_decision_changes_the_figures_at_once(database: Database, call: Caller, pmo: Caller) -> None:
    with database.writing() as session:
        project = make.project(session, make.connection(session), health="on_track")
        make.task(session, project, kind="milestone", due_on=YESTERDAY, updated_at=make.NOW)
        make.task(session, project, due_on=make.TODAY + timedelta(days=9), updated_at=make.NOW - timedelta(days=9))

    def shown() -> tuple[Any, ...]:
        (line,) = call.data("portfolio")["projects"]
        return line["due_soon"], line["stale"], line["computed_health"]["colour"]

    assert shown() == (0, 0, "red")  # one of two open tasks is overdue
    rules = {"overdue_share": {"on": False}, "milestone_overdue": {"amber": 1}}
    answer = put(pmo, policy={"due_soon_days": 10, "stale_days": 5, "rules": rules})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["data"]["version"], answer.json()["data"]["policy"]["rules"]["stale_share"]["amber"]) == (1, 50.0)
    assert shown() == (1, 1, "amber")
    put(pmo, policy={"rules": {name: {"on": False} for name in answer.json()["data"]["policy"]["rules"]}})
    assert shown() == (0, 0, "green")


def test_two_who_decide_at_once_do_not_overwrite_each_other(pmo: Caller) -> None:
    assert put(pmo, policy={"stale_days": 5}, version=0).status_code == 200
    refused = put(pmo, calendar={"minutes_a_day": 60}, version=0)
    assert (refused.status_code, refused.json()["code"]) == (409, "changed_meanwhile")
    again = put(pmo, calendar={"minutes_a_day": 60}, version=1).json()["data"]
    assert (again["policy"]["stale_days"], again["calendar"]["minutes_a_day"], again["version"]) == (5, 60, 2)


def test_people_have_hours_and_days_off_of_their_own(database: Database, call: Caller, pmo: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        ada, bob = make.identity(session, account, "Ada"), make.identity(session, account, "Bob")
        for each in (ada, bob):
            make.assign(session, make.task(session, make.project(session, account), due_on=make.TODAY, estimate_minutes=60), each)
    people = [{"person_id": str(ada.id), "minutes_a_day": 100, "working_days": [1, 2]}]
    time_off = [{"person_id": str(bob.id), "first_on": "2026-11-20", "last_on": "2026-11-24"}]
    calendar = {"holidays": [{"day": "2026-11-26", "name": "Feast"}, {"day": "2026-11-28", "name": "on a Saturday"}]}
    assert put(pmo, calendar=calendar | {"people": people, "time_off": time_off}).status_code == 200
    lines = {line["assignee"]["name"]: [cell["capacity_minutes"] for cell in line["weeks"]] for line in call.data("workload", weeks=2)["people"]}
    assert lines == {"Ada": [200, 200], "Bob": [2 * 480, 5 * 480]}


@pytest.mark.parametrize(
    ("kind", "text"), [("ics", ICS), ("csv", "day;name\n2026-12-24;Eve\n2026-12-25;Day\n\n2026-12-26;Boxing\n2027-01-01;New Year\n")]
)
def test_holidays_come_out_of_a_file_and_twice_does_no_harm(pmo: Caller, call: Caller, kind: str, text: str) -> None:
    put(pmo, calendar={"minutes_a_day": 420, "holidays": [{"day": "2026-12-25", "name": "Christmas"}]})
    for added in (3, 0):
        answer = pmo("POST", "/api/v1/policy/holidays", json={"format": kind, "text": text})
        Single[ImportedShape].model_validate(answer.json())
        assert answer.json()["data"] == {"found": 4, "added": added}
    calendar = call.data("policy")["calendar"]
    assert [each["day"] for each in calendar["holidays"]] == ["2026-12-24", "2026-12-25", "2026-12-26", "2027-01-01"]
    assert calendar["minutes_a_day"] == 420


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("ics", "nonsense", "BEGIN:VCALENDAR"),
        ("ics", ICS.replace("SUMMARY:New Year", "RRULE:FREQ=YEARLY\r\nSUMMARY:New Year"), "repeats"),
        ("ics", ICS.replace("DTEND;VALUE=DATE:20261227", "DTEND;VALUE=DATE:20290101"), "longer"),
        ("ics", ICS.replace("DTSTART;VALUE=DATE:20270101\r\n", ""), "no day"),
        ("csv", "", "no day"),
        ("csv", "2026-12-24,Eve\nsoon,Day\n", "line 2"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused_in_words(pmo: Caller, kind: str, text: str, words: str) -> None:
    answer = pmo("POST", "/api/v1/policy/holidays", json={"format": kind, "text": text})
    assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"policy": {"stale_days": 0}},
        {"policy": {"no_such": 1}},
        {"policy": {"rules": {"no_such": {}}}},
        {"calendar": {"working_days": [0]}},
        {"calendar": {"working_days": []}},
        {"calendar": {"holidays": [{"day": "2026-01-01", "name": "a"}, {"day": "2026-01-01", "name": "b"}]}},
        {"calendar": {"time_off": [{"person_id": str(uuid4()), "first_on": "2026-01-02", "last_on": "2026-01-01"}]}},
        {"triage_rules": [{"kind": "container", "value": "no id", "decision": "in"}]},
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(pmo: Caller, body: dict[str, Any]) -> None:
    assert put(pmo, **body).status_code == 422


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("pmo", 200), ("viewer", 403), ("consumer", 403)])
def test_admins_and_the_pmo_decide(as_role: Callable[[str], Caller], role: str, status: int) -> None:
    caller = as_role(role)
    answers = (
        put(caller),
        patch(caller, triage="in", ids=[]),
        caller("POST", "/api/v1/policy/holidays", json={"format": "csv", "text": "2026-01-01"}),
    )
    assert {answer.status_code for answer in answers} == {status}


def test_until_somebody_decides_all_projects_count_and_then_only_those_that_are_in(database: Database, call: Caller, pmo: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        apollo, private, new = (make.project(session, account, name) for name in ("Apollo", "Ada's list", "New"))
        for project in (apollo, private, new):
            make.task(session, project, due_on=YESTERDAY)
        make.task(session, account, "loose")
    assert call.data("portfolio")["totals"]["tasks"] == 4
    answer = patch(pmo, triage="in", ids=[str(apollo.id)])
    Single[SortedShape].model_validate(answer.json())
    assert answer.json()["data"] == {"changed": 1, "triage": {"decided": True, "in": 1, "out": 0, "unsorted": 2}}
    shape = call.data("portfolio")
    assert ([line["name"] for line in shape["projects"]], shape["totals"]["tasks"], shape["triage"]["unsorted"]) == (["Apollo"], 1, 2)
    assert patch(pmo, triage="out", where={"q": "list"}).json()["data"]["triage"] == {"decided": True, "in": 1, "out": 1, "unsorted": 1}
    assert {row["name"] for row in call.data("projects", triage="unsorted")} == {"New"}
    assert patch(pmo, triage="unsorted", where={"triage": ["in", "out"]}).json()["data"]["changed"] == 2
    assert call.data("portfolio")["totals"]["tasks"] == 4


def test_rules_sort_what_nobody_sorted_by_hand(database: Database, call: Caller, pmo: Caller) -> None:
    with database.writing() as session:
        asana, clickup = make.connection(session), make.connection(session, "clickup")
        space = make.container(session, asana)
        folder = make.container(session, asana, "Folder", parent_id=space.id)
        rows = {
            "client work": make.project(session, asana, "CLIENT: Äther 100%"),
            "inside": make.project(session, asana, "inside", container_id=folder.id),
            "by hand": make.project(session, asana, "client: no", triage="out"),
            "other tool": make.project(session, clickup, "x"),
            "rest": make.project(session, asana, "rest"),
        }
    rules = [
        {"kind": "name", "value": "client: *äther*0%", "decision": "in"},
        {"kind": "container", "value": str(space.id), "decision": "in"},
        {"kind": "tool", "value": "clickup", "decision": "out"},
        {"kind": "name", "value": "client*", "decision": "in"},
    ]
    assert put(pmo, triage_rules=rules).json()["data"]["triage_rules"] == rules
    found = {row["id"]: (row["triage"], row["triage_by_hand"]) for row in call.data("projects")}
    expected = {
        "client work": ("in", False),
        "inside": ("in", False),
        "by hand": ("out", True),
        "other tool": ("out", False),
        "rest": ("unsorted", False),
    }
    assert {name: found[str(row.id)] for name, row in rows.items()} == expected
    assert call.data("portfolio")["totals"]["projects"] == 2


@pytest.mark.parametrize("body", [{"triage": "in"}, {"triage": "in", "ids": [], "where": {}}, {"triage": "maybe", "ids": []}])
def test_sorting_says_which_projects_and_how(pmo: Caller, body: dict[str, Any]) -> None:
    assert patch(pmo, **body).status_code == 422
