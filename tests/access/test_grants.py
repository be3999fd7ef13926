"""Grants: what each shows, whom a rule lets in, and what is refused. The tree and what each grant shows of it are in ``tests.api.seen``."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access import grants, keys, scope, teams, users
from hub.access.grants import GrantProblem, Subject, Target
from hub.access.keys import Role
from hub.access.scope import Scope
from hub.access.who import Who
from hub.db import Database
from hub.models import ApiKey, Container, Grant, Identity, Project, Task, Team, User
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.seen import CONTAINERS, PROJECTS, SEEN, Builder, Company


def company(session: Session) -> Company:
    made = Company([], ["all"])
    builder = Builder(session, made)
    builder.granted()
    builder.rest()
    return made


def key(session: Session, role: str, *targets: str, owner: User | None = None) -> Who:
    text = keys.create(session, "theirs", role, NOW, owner=owner)
    row = session.scalars(select(ApiKey).where(ApiKey.prefix == keys.prefix_of(text))).one()
    give(session, Subject("key", row.id), *targets)
    return Who(None, row.id, row.name, Role(role), None)


def give(session: Session, subject: Subject, *targets: str, enabled: bool = True) -> None:
    grants.replace(session, subject, [Target.parse(each) for each in targets], NOW, None, enabled=enabled)


def seen(session: Session, of: Scope) -> tuple[set[str], set[str]]:
    """(projects, containers) by name."""
    projects = session.scalars(select(Project.name).where(*of.projects()))
    return set(projects), set(session.scalars(select(Container.name).where(*of.containers())))


@pytest.mark.parametrize("grant", sorted(SEEN))
def test_each_grant_shows_what_it_names_and_nothing_private_below_it(database: Database, grant: str) -> None:
    with database.writing() as session:
        made = company(session)
        made.grants = [grant]
        who = key(session, "viewer", *made.targets)
        assert seen(session, scope.of(session, who)) == (set(SEEN[grant][0]), set(SEEN[grant][1]))


def test_without_a_grant_nothing_is_seen_and_an_admin_sees_everything(database: Database) -> None:
    with database.writing() as session:
        company(session)
        for role in ("viewer", "consumer"):
            assert seen(session, scope.of(session, key(session, role))) == (set(), set())
        assert seen(session, scope.of(session, key(session, "admin"))) == (set(PROJECTS), set(CONTAINERS))


def test_the_pmo_sees_what_is_not_private_and_what_was_granted_besides(database: Database) -> None:
    with database.writing() as session:
        made = company(session)
        who = key(session, "pmo", f"project:{made.ids['closed']}")
        assert seen(session, scope.of(session, who))[0] == {*SEEN["all"][0], "closed"}


def test_a_grant_that_is_taken_back_shows_nothing_any_more(database: Database) -> None:
    with database.writing() as session:
        company(session)
        who = key(session, "viewer", "all")
        give(session, Subject("key", who.key_id))
        assert seen(session, scope.of(session, who)) == (set(), set())
        assert session.scalars(select(Grant.revoked_at)).one() == NOW


def test_a_key_sees_no_more_than_its_owner(database: Database) -> None:
    with database.writing() as session:
        made = company(session)
        owner = users.add(session, "ada@example.org", "Ada", Role.VIEWER, NOW)
        give(session, Subject("user", owner.id), f"project:{made.ids['plain']}")
        wide, plain = key(session, "viewer", "all", owner=owner), key(session, "viewer", owner=owner)
        for who in (wide, plain):
            assert seen(session, scope.of(session, who))[0] == {"plain"}
        give(session, Subject("key", wide.key_id))
        assert seen(session, scope.of(session, wide))[0] == set(), "what was taken from a key does not come back by its owner"


def test_a_grant_to_a_role_is_everybodys_who_has_it(database: Database) -> None:
    with database.writing() as session:
        made = company(session)
        give(session, Subject("role", role="viewer"), f"project:{made.ids['other']}")
        assert seen(session, scope.of(session, key(session, "viewer")))[0] == {"other"}
        assert seen(session, scope.of(session, key(session, "consumer")))[0] == set()


def test_a_teams_rule_is_off_until_it_is_turned_on_and_follows_the_team(database: Database) -> None:
    with database.writing() as session:
        made = company(session)
        owner = users.add(session, "Ada@Example.org", "Ada", Role.VIEWER, NOW)
        account = make.connection(session, "monday")
        member = make.identity(session, account, "Ada", email="ADA@example.org")
        crew = make.team(session, account)
        crew.member_ids = [str(member.id)]
        session.flush()
        who, target = Who(owner.id, None, "Ada", Role.VIEWER, None), f"container:{made.ids['open']}"
        give(session, Subject("members", crew.id), target, enabled=False)
        assert (seen(session, scope.of(session, who))[0], [each.id for each in teams.members(session, crew.id)]) == (set(), [owner.id])
        give(session, Subject("members", crew.id), target)
        assert seen(session, scope.of(session, who))[0] == {"plain"}
        member.guest = True
        session.flush()
        assert (seen(session, scope.of(session, who))[0], teams.members(session, crew.id)) == (set(), [])
        member.guest, crew.member_ids = False, []
        session.flush()
        assert seen(session, scope.of(session, who))[0] == set()


def test_a_team_that_is_a_part_of_the_tree_can_be_granted(database: Database) -> None:
    with database.writing() as session:
        account = make.connection(session)
        crew = make.team(session, account)
        place = make.container(session, account, kind="team", external_id=crew.external_id)
        inside = make.project(session, account, "Inside", container_id=place.id)
        make.project(session, account, "Outside")
        who = key(session, "viewer", f"team:{crew.id}")
        assert seen(session, scope.of(session, who))[0] == {inside.name}


def test_a_task_of_two_projects_is_listed_in_either_and_counted_at_home_alone(database: Database) -> None:
    with database.writing() as session:
        made = company(session)
        task = make.task(session, session.get_one(Project, made.ids["closed"]), "Guest")
        make.member(session, task, made.ids["plain"], 1)
        of = scope.of(session, key(session, "viewer", f"project:{made.ids['plain']}"))
        assert list(session.scalars(select(Task.id).where(*of.listed()))) == [task.id]
        assert list(session.scalars(select(Task.id).where(*of.tasks()))) == []


@pytest.mark.parametrize("text", ["", "everything", "all:1", "tool:", "project:1", "project", "portfolio:x", "tool"])
def test_what_cannot_be_granted_is_said_with_what_can(text: str) -> None:
    with pytest.raises(GrantProblem, match="tool:NAME"):
        Target.parse(text)


def test_what_does_not_exist_is_not_granted(database: Database) -> None:
    with database.writing() as session:
        for text in (f"project:{uuid4()}", "tool:nowhere", f"team:{UUID(int=0)}"):
            with pytest.raises(GrantProblem, match="no"):
                give(session, Subject("role", role="viewer"), text)


def test_a_bound_role_needs_grants_and_an_admin_none() -> None:
    with pytest.raises(GrantProblem, match="project:ID"):
        grants.parsed([], "consumer")
    with pytest.raises(GrantProblem, match="nothing to grant"):
        grants.parsed(["all"], "admin")
    assert grants.parsed([], "viewer", owner_role="viewer") == grants.parsed([], "pmo") == []


def test_a_key_that_is_gone_sees_nothing(database: Database) -> None:
    with database.writing() as session:
        company(session)
        assert seen(session, scope.of_key(session, uuid4())) == (set(), set())
        assert scope.of_key(session, None).everything


def test_people_of_other_places_are_not_listed(database: Database) -> None:
    with database.writing() as session:
        made = company(session)
        home = session.get_one(Project, made.ids["plain"])
        here, _there = make.identity(session, home, "Here"), make.identity(session, home, "There")
        make.assign(session, make.task(session, home, "One"), here)
        of = scope.of(session, key(session, "viewer", f"project:{made.ids['plain']}"))
        assert list(session.scalars(select(Identity.name).where(*of.people()))) == ["Here"]


def test_members_of_a_removed_team_are_let_in_no_more(database: Database) -> None:
    with database.writing() as session:
        owner = users.add(session, "ada@example.org", "Ada", Role.VIEWER, NOW)
        account = make.connection(session, "monday")
        crew = make.team(session, account)
        crew.member_ids = [str(make.identity(session, account).id)]
        session.flush()
        assert session.scalars(select(Team.id).where(Team.id.in_(teams.teams_of(session, owner.folded_email)))).all() == [crew.id]
        crew.deleted_at = NOW - timedelta(days=1)
        session.flush()
        assert session.scalars(select(Team.id).where(Team.id.in_(teams.teams_of(session, owner.folded_email)))).all() == []
