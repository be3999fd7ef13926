"""Whose log-in by the provider it is, and what they may do from then on; on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from hub.access import entrance, keys, links, passwords, sessions, users
from hub.access.entrance import Caller
from hub.access.keys import Role
from hub.access.oidc import flow, pending, people
from hub.access.oidc.flow import Back, Sent
from hub.access.oidc.people import Out, Person
from hub.access.oidc.provider import Provider
from hub.db import Database
from hub.models import AdminLink, Audit, PendingLogin, User, UserIdentity, UserSession
from hub.settings import Settings
from tests.access.conftest import LIMITS, PASSWORD, person
from tests.access.oidc.issuer import CLIENT, REDIRECT, SECRET, running
from tests.api.builders import NOW
from tests.api.conftest import Clock

ISSUER = "https://login.example.org"


def who(**changes: Any) -> Person:
    return Person(**{"issuer": ISSUER, "subject": "ada-1", "email": "ada@example.org", "name": "Ada", "groups": frozenset(), **changes})


def admit(database: Database, found: Person, role: Role | None, now: datetime = NOW) -> User | Out:
    """As at a log-in: who is let in has a session afterwards."""
    with database.writing() as session:
        admitted = people.admit(session, found, role, now, "192.0.2.1")
        if isinstance(admitted, User):
            entrance.enter(session, admitted, Caller("192.0.2.1"), now, LIMITS, by="provider")
        return admitted


def reason(found: User | Out) -> str:
    assert isinstance(found, Out)
    return found.reason.value


def opened(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(UserSession).where(UserSession.revoked_at.is_(None))) or 0


def changes(database: Database) -> list[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    with database.reading() as session:
        rows = session.scalars(select(Audit).where(Audit.action == "user.changed", Audit.actor_kind == "provider").order_by(Audit.id))
        return [(row.before, row.after) for row in rows]


# -- groups and roles ---------------------------------------------------------------------------------------------------------------


def test_the_first_rule_that_fits_says_the_role() -> None:
    rules = (("pmo-admins", "admin"), ("pmo", "pmo"), ("*", "viewer"))
    assert people.role_of(frozenset({"pmo", "pmo-admins"}), rules) is Role.ADMIN
    assert people.role_of(frozenset({"staff", "pmo"}), rules) is Role.PMO
    assert people.role_of(frozenset(), rules) is Role.VIEWER
    assert people.role_of(frozenset({"PMO", "*"}), rules[:2]) is None


def test_a_role_goes_up_and_down_with_the_groups_and_sessions_of_the_former_one_end(database: Database) -> None:
    person(database, Role.ADMIN, "root@example.org")
    admit(database, who(), Role.PMO)
    admit(database, who(), Role.PMO)
    assert opened(database) == 2
    for role in (Role.VIEWER, Role.ADMIN):
        found = admit(database, who(), role)
        assert isinstance(found, User)
        assert found.role == role.value
        assert opened(database) == 1, "only the one just begun"
    assert changes(database) == [({"role": "pmo"}, {"role": "viewer"}), ({"role": "viewer"}, {"role": "admin"})]


def test_who_is_in_no_group_that_counts_loses_sessions_and_role(database: Database) -> None:
    person(database, Role.ADMIN, "root@example.org")
    user = admit(database, who(), Role.ADMIN)
    assert isinstance(user, User)
    with database.writing() as session:
        key = keys.create(session, "k", "admin", NOW, owner=user)
    assert reason(admit(database, who(), None)) == "no_role"
    assert opened(database) == 0
    assert changes(database) == [({"role": "admin"}, {"role": "viewer"})]
    with database.reading() as session:
        assert keys.verify(session, key, NOW) is None, "a key is worth no more than its owner"


def test_a_stranger_without_a_group_or_an_address_leaves_no_trace(database: Database) -> None:
    assert reason(admit(database, who(), None)) == "no_role"
    assert reason(admit(database, who(email=None), Role.PMO)) == "email"
    assert reason(admit(database, who(email="none at all"), Role.PMO)) == "email"
    with database.reading() as session:
        assert session.scalars(select(User)).all() == []


def test_the_last_admin_s_role_falls_aloud_and_the_link_at_the_terminal_is_due(database: Database) -> None:
    admit(database, who(), Role.ADMIN)
    with database.reading() as session:
        assert users.has_admin(session), "somebody whom the provider vouches for can log in"
    admit(database, who(), Role.PMO)
    assert changes(database) == [({"role": "admin"}, {"role": "pmo", "admins_left": False})]
    with database.reading() as session:
        assert not users.has_admin(session)


def test_an_admin_of_the_hub_s_own_is_out_of_the_groups_reach(database: Database) -> None:
    person(database, Role.ADMIN, "ada@example.org")
    for role in (Role.VIEWER, None):
        admit(database, who(), role)
    with database.reading() as session:
        ada = session.scalars(select(User)).one()
        assert (ada.role, passwords.matches(ada.password_hash, PASSWORD)) == ("admin", True)


def test_somebody_shut_out_stays_out(database: Database) -> None:
    person(database, Role.ADMIN, "root@example.org")
    user = admit(database, who(), Role.ADMIN)
    assert isinstance(user, User)
    with database.writing() as session:
        users.disable(session, session.get_one(User, user.id), NOW)
    assert reason(admit(database, who(), Role.ADMIN)) == "disabled"
    assert opened(database) == 0


# -- one person, two ways -----------------------------------------------------------------------------------------------------------


def test_an_address_alone_makes_nobody_somebody_else(database: Database) -> None:
    person(database, Role.ADMIN, "ada@example.org")
    found = admit(database, who(), Role.ADMIN)
    assert reason(found) == "address_taken"
    assert isinstance(found, Out)
    assert found.user is not None, "the audit log says whose address it was"


def open_for(database: Database, email: str) -> None:
    with database.writing() as session:
        user = users.by_email(session, email)
        assert user is not None
        users.open_for_provider(user, NOW)


def test_once_opened_an_account_is_joined_and_its_password_is_no_way_past_the_groups(database: Database) -> None:
    held = person(database, Role.VIEWER, "Ada@example.org")
    with database.writing() as session:
        link = links.make(session, NOW, user_id=held.id)
        sessions.start(session, session.get_one(User, held.id), NOW, LIMITS, address=None, agent=None)
    open_for(database, "ada@example.org")
    found = admit(database, who(), Role.PMO)
    assert isinstance(found, User)
    assert (found.id, found.role, found.password_hash, found.link_until) == (held.id, "pmo", None, None)
    assert opened(database) == 1, "the former ones ended"
    with database.reading() as session:
        assert links.find(session, link, NOW) is None
        assert session.scalars(select(AdminLink)).all() == []
        assert users.is_vouched_for(session, found)
    assert reason(admit(database, who(subject="eve-1"), Role.PMO)) == "address_taken", "opened for one"


def test_an_account_is_open_for_a_week_and_to_nobody_without_the_verified_address_or_a_group(database: Database) -> None:
    person(database, Role.VIEWER, "ada@example.org")
    open_for(database, "ada@example.org")
    assert reason(admit(database, who(), None)) == "no_role"
    assert reason(admit(database, who(email=None), Role.PMO)) == "email"
    assert isinstance(admit(database, who(email="eve@example.org", subject="eve-1"), Role.PMO), User)
    assert reason(admit(database, who(), Role.PMO, NOW + users.LINK_LASTS)) == "address_taken"


def test_a_person_made_anew_at_the_provider_is_joined_anew(database: Database) -> None:
    first = admit(database, who(), Role.PMO)
    open_for(database, "ada@example.org")
    second = admit(database, who(subject="ada-2"), Role.PMO)
    assert isinstance(first, User)
    assert isinstance(second, User)
    assert first.id == second.id
    with database.reading() as session:
        assert session.scalars(select(UserIdentity.subject)).all() == ["ada-2"]


def test_a_new_address_that_is_somebody_s_is_not_taken_over(database: Database) -> None:
    person(database, Role.VIEWER, "bob@example.org")
    admit(database, who(), Role.PMO)
    assert reason(admit(database, who(email="bob@example.org"), Role.PMO)) == "address_taken"


@pytest.mark.parametrize(
    ("said", "trusted", "email"),
    [
        ({"email_verified": True}, False, "ada@example.org"),
        ({"email_verified": "true"}, False, "ada@example.org"),
        ({"email_verified": False}, True, None),
        ({"email_verified": "false"}, True, None),
        ({"email_verified": 1}, False, None),
        ({}, False, None),
        ({}, True, "ada@example.org"),
        ({"email": ["ada@example.org"], "email_verified": True}, False, None),
    ],
)
def test_an_address_counts_where_the_provider_vouches_for_it(said: dict[str, Any], trusted: bool, email: str | None) -> None:
    claims = {"sub": "x", "email": " ada@example.org", **said}
    assert people.told(claims, ISSUER, "groups", trust_email=trusted).email == email


def test_names_and_groups_are_taken_as_far_as_they_are_ones() -> None:
    odd = {"sub": "x", "name": "\x00\n ", "preferred_username": "a" * 300, "roles": ["pmo", 7, None, ["admin"]]}
    found = people.told(odd, ISSUER, "roles", trust_email=False)
    assert (found.name, found.groups) == ("a" * 200, frozenset({"pmo"}))
    assert people.told({"sub": "x", "groups": "pmo"}, ISSUER, "groups", trust_email=False).groups == {"pmo"}
    assert people.told({"sub": "x", "groups": {"pmo": 1}}, ISSUER, "groups", trust_email=False).groups == frozenset()


# -- on the way ---------------------------------------------------------------------------------------------------------------------


def test_a_log_in_on_its_way_comes_back_once_in_its_own_browser_in_time(database: Database) -> None:
    made = pending.ticket(None)
    assert len({made.browser, made.state, made.nonce, made.verifier, made.challenge}) == 5
    with database.writing() as session:
        pending.keep(session, made, "/tasks", uuid4(), NOW)
        row = session.scalars(select(PendingLogin)).one()
        assert not {made.browser, made.state, made.nonce, made.verifier} & {row.state, row.browser}
    for back, now in ((pending.ticket(made.browser), NOW), (pending.Ticket("x", made.state), NOW), (made, NOW + pending.LASTS)):
        with database.writing() as session:
            assert pending.take(session, back, now) is None
    with database.writing() as session:
        found = pending.take(session, made, NOW + timedelta(minutes=9))
        assert found is not None
        assert found.wanted == "/tasks"
    with database.writing() as session:
        assert pending.take(session, made, NOW) is None


def test_two_first_log_ins_at_once_make_one_person(database: Database, clock: Clock) -> None:
    with running(clock) as issuer:
        settings = Settings(oidc_issuer=issuer.url, oidc_client_id=CLIENT, oidc_client_secret=SECRET, oidc_roles=(("*", "viewer"),))
        provider, backs = Provider(settings, clock), []
        for _ in range(4):
            sent = flow.begin(database, provider, "/", Caller("192.0.2.1"), None, REDIRECT, clock())
            assert isinstance(sent, Sent)
            brought = dict(parse_qsl(urlsplit(issuer.authorize(sent.url)).query))
            backs.append(Back(sent.browser, brought["state"], brought["code"]))

        def finish(back: Back) -> flow.Entered | entrance.Wait:
            return flow.finish(database, provider, back, Caller("192.0.2.1"), REDIRECT, clock(), LIMITS)

        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(finish, backs))
    assert {type(each) for each in found} == {flow.Entered}
    with database.reading() as session:
        assert len(session.scalars(select(User)).all()) == 1
    assert opened(database) == 4
