"""One human in several tools: joined by the rule or by a person's word, parted, undone; and their work taken together."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.audit import Actor
from hub.db import Database
from hub.models import Audit, Event, Identity, Merge, Person
from hub.portfolio import joining, matches, people, policy
from hub.portfolio.joining import JoiningProblem
from hub.portfolio.people import PeopleFilter
from hub.portfolio.policy import Calendar, Policy, TimeOffShape
from hub.portfolio.reach import Day, reach
from hub.portfolio.tasks import TaskFilter, assignees_meant, conditions
from hub.portfolio.workload import workload
from hub.settings import Settings
from tests.api import builders as make

ADMIN = Actor("user", "7")
DOMAINS = ("example.org",)
DAY = Day(make.NOW, Settings().zone)


def humans(session: Session) -> set[frozenset[UUID]]:
    """Who is whom, as sets of users."""
    found: dict[UUID, set[UUID]] = {}
    for identity, person in session.execute(select(Identity.id, Identity.person_id)):
        found.setdefault(person or identity, set()).add(identity)
    return {frozenset(each) for each in found.values()}


def three(session: Session, **given: Any) -> list[UUID]:
    """Ada in three tools."""
    return [make.identity(session, make.connection(session, tool), **given).id for tool in ("asana", "monday", "clickup")]


def rule(database: Database) -> int:
    with database.writing() as session:
        policy.save(session, make.NOW, policy=Policy(own_domains=DOMAINS))
    return joining.apply_rule(database, make.NOW)


def listed(session: Session, **asked: Any) -> list[dict[str, Any]]:
    return people.page(session, PeopleFilter(**asked), reach(session), make.TODAY, None, 100)[0]


def together(session: Session, ids: Collection[UUID]) -> bool:
    return frozenset(ids) in humans(session)


def test_the_same_address_at_a_domain_of_one_s_own_is_one_human(database: Database) -> None:
    with database.writing() as session:
        ada = [
            make.identity(session, make.connection(session, tool), email=text).id
            for tool, text in (("asana", "Ada@Example.ORG"), ("monday", "ada@example.org"))
        ]
        elsewhere = [make.identity(session, make.connection(session, "clickup", name=name), email="b@mail.test").id for name in "xy"]
    assert rule(database) == 1
    assert joining.apply_rule(database, make.NOW) == 0, "a second time there is nothing to do"
    with database.reading() as session:
        assert humans(session) == {frozenset(ada), *(frozenset([each]) for each in elsewhere)}
        (event,) = session.scalars(select(Event)).all()
        assert (event.type, event.cause, event.data["before"]) == ("person.merged", "remap", {"identity_ids": []})
        assert event.data["after"] == {"identity_ids": sorted(map(str, ada))}
        assert "example.org" not in str(event.data), "events name people by id alone"
        assert [row.action for row in session.scalars(select(Audit))] == ["person.merged"]


@pytest.mark.parametrize("given", [{"guest": True}, {"agent": True}, {"deleted_at": make.NOW}, {"email": "ada@sub.example.org"}, {"email": None}])
def test_the_rule_joins_no_guests_nor_what_is_no_human_of_ours(database: Database, given: dict[str, Any]) -> None:
    with database.writing() as session:
        make.identity(session, make.connection(session, "asana"))
        make.identity(session, make.connection(session, "monday"), **given)
    assert rule(database) == 0


def test_two_users_of_one_account_with_one_address_are_for_a_person_to_judge(database: Database) -> None:
    with database.writing() as session:
        account = make.connection(session)
        both = [make.identity(session, account).id for _ in range(2)]
        make.identity(session, make.connection(session, "monday"))
    assert rule(database) == 0
    with database.reading() as session:
        ((found,), _) = matches.suggestions(session, reach(session))
        assert {each["id"] for each in found["people"]} > set(both)
        assert "two users of one account" in found["why"]


def test_an_id_that_was_handed_out_finds_its_human_for_ever(database: Database) -> None:
    with database.writing() as session:
        a, b, c = three(session, email=None)
        d = make.identity(session, make.connection(session, "asana", name="other"), "Dee", email=None).id
        first = joining.merge(session, [a, b], make.NOW, ADMIN).person_id
        second = joining.merge(session, [c, d], make.NOW + timedelta(hours=1), ADMIN).person_id
        third = joining.merge(session, [second, first], make.NOW, ADMIN)
        assert third.person_id == first, "the oldest id stays"
        assert together(session, [a, b, c, d])
        for each in (first, second, a, d):
            found = people.one(session, each, reach(session), make.TODAY)
            assert found is not None
            assert (found["id"], len(found["identities"])) == (first, 4)
        assert assignees_meant(session, [second]) == {second, a, b, c, d}
        assert assignees_meant(session, [a]) == {a}
        joining.undo(session, third.id, make.NOW, ADMIN)
        assert humans(session) == {frozenset([a, b]), frozenset([c, d])}
        assert session.get_one(Person, second).became_id is None


def test_a_merge_is_undone_and_the_rule_does_not_do_it_again(database: Database) -> None:
    with database.writing() as session:
        ids = three(session)
    assert rule(database) == 1
    with database.writing() as session:
        assert together(session, ids)
        done = session.scalars(select(Merge)).one()
        assert done.actor is None
        assert done.evidence == "the same e-mail address"
        joining.undo(session, done.id, make.NOW, ADMIN)
        assert len(humans(session)) == 3
        with pytest.raises(JoiningProblem, match="already"):
            joining.undo(session, done.id, make.NOW, ADMIN)
    assert joining.apply_rule(database, make.NOW) == 0
    with database.reading() as session:
        assert matches.suggestions(session, reach(session)) == ([], False)
        assert [row.action for row in session.scalars(select(Audit).order_by(Audit.id))] == ["person.merged", "person.merged.undone"]
        assert [row.type for row in session.scalars(select(Event).order_by(Event.sequence))] == ["person.merged", "person.split"]


def test_a_split_takes_some_out_keeps_them_together_and_can_be_undone(database: Database) -> None:
    with database.writing() as session:
        a, b, c = three(session)
        person = joining.merge(session, [a, b, c], make.NOW, ADMIN).person_id
        with pytest.raises(JoiningProblem, match="not all"):
            joining.split(session, person, [a, b, c], make.NOW, ADMIN)
        with pytest.raises(JoiningProblem, match="some of"):
            joining.split(session, person, [uuid4()], make.NOW, ADMIN)
        done = joining.split(session, person, [a, b], make.NOW, ADMIN)
        assert humans(session) == {frozenset([a, b]), frozenset([c])}
    assert rule(database) == 0, "who was told apart stays so"
    with database.writing() as session:
        joining.undo(session, done.id, make.NOW, ADMIN)
        assert together(session, [a, b, c])
        assert people.one(session, a, reach(session), make.TODAY)["id"] == person  # type: ignore[index]  # it is there


def test_what_was_built_upon_is_undone_last(database: Database) -> None:
    with database.writing() as session:
        a, b, c = three(session)
        first = joining.merge(session, [a, b], make.NOW, ADMIN)
        joining.split(session, first.person_id, [b], make.NOW, ADMIN)
        joining.merge(session, [b, c], make.NOW, ADMIN)
        with pytest.raises(JoiningProblem, match="undo the later act first"):
            joining.undo(session, first.id, make.NOW, ADMIN)


def test_what_makes_no_sense_is_refused(database: Database) -> None:
    with database.writing() as session:
        a, b, _ = three(session)
        joining.merge(session, [a, b], make.NOW, ADMIN)
        with pytest.raises(JoiningProblem, match="one person already"):
            joining.merge(session, [a, b], make.NOW, ADMIN)
        with pytest.raises(JoiningProblem, match="no person or user"):
            joining.merge(session, [a, uuid4()], make.NOW, ADMIN)
        with pytest.raises(JoiningProblem, match="at least two"):
            joining.differ(session, [a, b], make.NOW, ADMIN)


def test_suggestions_come_with_their_evidence_addresses_first(database: Database) -> None:
    with database.writing() as session:
        first, second = make.connection(session, "asana"), make.connection(session, "monday")
        make.identity(session, first, "Bo Berg", email="bo@mail.test")
        make.identity(session, second, "bo berg", email=None)
        make.identity(session, first, "Cy", email="cy@mail.test")
        make.identity(session, second, "C. Young", email="CY@mail.test")
        for account in (first, second):
            make.identity(session, account, "Solo", email=None)
    with database.reading() as session:
        found, more = matches.suggestions(session, reach(session))
    assert not more
    assert [(each["evidence"], each["shared"].casefold()) for each in found] == [
        ("the same e-mail address", "cy@mail.test"),
        ("the same name", "bo berg"),
    ]
    assert ["no domain of your own" in each["why"] for each in found] == [True, False]


def test_who_was_told_apart_is_suggested_no_more(database: Database) -> None:
    with database.writing() as session:
        ids = three(session)
        joining.differ(session, ids[:2], make.NOW, ADMIN)
    with database.writing() as session:
        ((left,), _) = matches.suggestions(session, reach(session))
        assert len(left["people"]) == 3, "the third may be either of them"
        joining.differ(session, ids, make.NOW, ADMIN)
        assert matches.suggestions(session, reach(session)) == ([], False)
    assert rule(database) == 0


def test_a_human_s_tasks_are_listed_and_counted_once_over_all_tools(database: Database) -> None:
    with database.writing() as session:
        accounts = [make.connection(session, tool) for tool in ("asana", "monday")]
        users = [make.identity(session, each) for each in accounts]
        twin = make.identity(session, accounts[0], "Ada too", email=None)
        for account, user in zip(accounts, users, strict=True):
            make.assign(session, make.task(session, make.project(session, account), due_on=make.TODAY - timedelta(days=1)), user)
        shared = make.task(session, make.project(session, accounts[0]))
        make.assign(session, shared, users[0])
        make.assign(session, shared, twin, rank=1)
        person = joining.merge(session, [users[0].id, users[1].id, twin.id], make.NOW, ADMIN).person_id
        (line,) = listed(session)
        assert (line["id"], line["open_tasks"], line["overdue_tasks"], line["linked"]) == (person, 3, 2, True)
        assert {each["tool"] for each in line["identities"]} == {"asana", "monday"}
        assert listed(session, q="TOO") == [line]
        assert listed(session, active=False) == []
        found = conditions(session, TaskFilter(assignee_id=[person]), reach(session), make.TODAY)
        assert len(session.execute(select(make.models.Task.id).where(*found)).all()) == 3


def test_the_workload_of_a_human_is_one_line_with_the_time_off_of_who_they_were(database: Database) -> None:
    with database.writing() as session:
        accounts = [make.connection(session, tool) for tool in ("asana", "monday", "clickup", "asana")[:3]]
        users = [make.identity(session, each) for each in accounts]
        for account, user in zip(accounts, users, strict=True):
            task = make.task(session, make.project(session, account), due_on=make.TODAY, estimate_minutes=60)
            make.assign(session, task, user)
        first = joining.merge(session, [users[0].id, users[1].id], make.NOW, ADMIN).person_id
        late = joining.merge(session, [users[2].id, make.identity(session, accounts[2], "x", email=None).id], make.NOW + timedelta(days=1), ADMIN)
        away = TimeOffShape(person_id=late.person_id, first_on=make.TODAY - timedelta(days=7), last_on=make.TODAY + timedelta(days=7))
        policy.save(session, make.NOW, calendar=Calendar(time_off=(away,)))
        joining.merge(session, [first, late.person_id], make.NOW, ADMIN)
        (line,) = workload(session, reach(session), DAY, weeks=1)["people"]
        assert (line["assignee"]["id"], line["assignee"]["kind"], line["linked"]) == (first, "person", True)
        assert (line["weeks"][0]["minutes"], line["weeks"][0]["capacity_minutes"]) == (180, 0)


@pytest.mark.parametrize("domain", ["@Example.org", " example.org "])
def test_a_domain_is_kept_plain(domain: str) -> None:
    assert Policy(own_domains=(domain,)).own_domains == ("example.org",)


@pytest.mark.parametrize("domain", ["", "org", "a b.org", "%.org", "x@y.org", "-a.org"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        Policy(own_domains=(domain,))
