"""People, their passwords and sessions: who is let in, for how long, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hub.access import entrance, keys, links, passwords, sessions, throttle, users
from hub.access.entrance import Caller, Let, Wait
from hub.access.keys import Role, Scope
from hub.access.passwords import WeakPassword
from hub.access.throttle import Window
from hub.access.users import UserProblem
from hub.db import Database
from hub.models import AdminLink, ApiKey, Audit, Endpoint, User, UserSession
from tests.access.conftest import LIMITS, PASSWORD, person
from tests.api.builders import NOW

HERE = Caller("192.0.2.1", "a browser")


def log_in(database: Database, email: str = "ada@example.org", password: str = PASSWORD, caller: Caller = HERE, **later: float) -> Any:
    return entrance.log_in(database, email, password, caller, NOW + timedelta(**later), LIMITS)


def opened(database: Database, token: str, **later: float) -> Any:
    with database.reading() as session:
        found = sessions.find(session, token, NOW + timedelta(**later), LIMITS)
    return found and found[0]


@pytest.mark.parametrize(
    "weak", ["short", "elevenchars", "passwordpassword", "PassWordPassWord", "aaaaaaaaaaaaaa", "abababababababab", "1234567890123", "lkjihgfedcba"]
)
def test_a_weak_password_is_refused_with_a_reason(weak: str) -> None:
    with pytest.raises(WeakPassword, match=r"\w+ .*\."):
        passwords.made(weak)


def test_one_s_own_address_is_no_password() -> None:
    with pytest.raises(WeakPassword):
        passwords.made("margarethe.lindqvist1", "margarethe.lindqvist@example.org")


@pytest.mark.parametrize("good", ["four gulls on a bollard", "vier möwen, ein poller", "        x y z q        ", "ουρανός και θάλασσα"])
def test_a_long_password_needs_no_digits_and_no_capitals(good: str) -> None:
    made = passwords.made(good)
    assert good not in made
    assert passwords.matches(made, good)
    assert not passwords.matches(made, good + " ")
    assert not passwords.matches(None, good)


def test_a_password_is_the_same_however_the_keyboard_composes_it() -> None:
    assert passwords.matches(passwords.made("caf\u00e9 am hafen, abends"), "cafe\u0301 am hafen, abends")


def test_a_person_logs_in_whatever_the_case_of_the_address(database: Database) -> None:
    person(database)
    found = log_in(database, "ADA@example.ORG")
    assert isinstance(found, Let)
    who = opened(database, found.token)
    assert (who.name, who.role, who.key_id) == ("Ada", Role.VIEWER, None)
    assert found.token not in repr(found) + repr(who)
    with database.reading() as session:
        assert found.token not in str([vars(row) for row in session.scalars(select(UserSession))])


def test_whoever_is_refused_learns_nothing_of_why(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, wrong, invited and disabled: the same answer, after the same one computation."""
    person(database)
    person(database, email="invited@example.org", password=None)
    gone = person(database, email="gone@example.org")
    with database.writing() as session:
        users.disable(session, session.get_one(User, gone.id), NOW)
    computed: list[str] = []
    hasher = passwords.HASHER

    class Counted:
        def verify(self, held: str, password: str) -> bool:
            computed.append(held)
            return hasher.verify(held, password)

        hash = hasher.hash

    monkeypatch.setattr(passwords, "HASHER", Counted())
    tries = [("nobody@example.org", PASSWORD), ("ada@example.org", "wrong"), ("invited@example.org", PASSWORD), ("gone@example.org", PASSWORD)]
    assert [log_in(database, *each) for each in tries] == [None] * 4
    assert len(computed) == 4
    assert len({held.rpartition("$")[0].rpartition("$")[0] for held in computed}) == 1, "all with the same parameters"


def test_after_five_wrong_passwords_the_right_one_must_wait_too(database: Database) -> None:
    person(database)
    assert [log_in(database, password="wrong") for _ in range(5)] == [None] * 5
    refused = log_in(database)
    assert isinstance(refused, Wait)
    assert refused.seconds == 900
    assert isinstance(log_in(database, minutes=14), Wait)
    assert isinstance(log_in(database, caller=Caller("192.0.2.9")), Let), "the person at home is not locked out by a stranger elsewhere"
    assert isinstance(log_in(database, minutes=15), Let)


def test_one_address_cannot_try_one_password_on_everybody(database: Database) -> None:
    tried = [log_in(database, f"person{number}@example.org") for number in range(31)]
    assert tried[:30] == [None] * 30
    assert isinstance(tried[30], Wait)


def test_many_addresses_cannot_try_many_passwords_on_one_person(database: Database) -> None:
    person(database)
    tried = [log_in(database, password="wrong", caller=Caller(f"198.51.100.{number}")) for number in range(51)]
    assert tried[:50] == [None] * 50
    assert isinstance(tried[50], Wait)


def test_logging_in_often_is_no_offence(database: Database) -> None:
    person(database)
    assert all(isinstance(log_in(database), Let) for _ in range(7))


def test_a_session_ends_when_nobody_uses_it_and_in_the_end_anyway(database: Database) -> None:
    person(database)
    token = log_in(database).token
    assert opened(database, token, hours=11, minutes=59)
    assert opened(database, token, hours=12) is None
    for hours in range(11, 14 * 24, 11):
        with database.writing() as session:
            sessions.note_seen(session, sessions.hashed(token), NOW + timedelta(hours=hours))
    assert opened(database, token, days=13, hours=23)
    assert opened(database, token, days=14) is None


def test_logging_in_again_ends_the_session_that_the_browser_had(database: Database) -> None:
    person(database)
    person(database, email="bea@example.org")
    former = log_in(database, "bea@example.org").token
    token = log_in(database, caller=Caller("192.0.2.1", None, former)).token
    assert token != former
    assert opened(database, former) is None
    assert opened(database, token).name == "Ada"


def test_a_token_that_somebody_made_up_opens_nothing(database: Database) -> None:
    made_up = sessions.PREFIX + "a" * 43
    person(database)
    assert opened(database, made_up) is None
    log_in(database, caller=Caller("192.0.2.1", None, made_up))
    assert opened(database, made_up) is None, "no session gets an id that came from outside"


def test_a_new_password_ends_all_other_sessions(database: Database) -> None:
    user = person(database)
    here, there = log_in(database).token, log_in(database).token
    new = "a lighthouse seldom walks"
    assert entrance.change_password(database, user.id, "wrong", new, HERE, NOW, keep=sessions.hashed(here)) is False
    assert entrance.change_password(database, user.id, PASSWORD, new, HERE, NOW, keep=sessions.hashed(here)) is True
    assert opened(database, here)
    assert opened(database, there) is None
    assert log_in(database) is None
    assert isinstance(log_in(database, password=new), Let)


def test_the_old_password_cannot_be_guessed_at_an_open_browser(database: Database) -> None:
    user = person(database)
    tries = [entrance.change_password(database, user.id, "wrong", "a lighthouse seldom walks", HERE, NOW, keep=None) for _ in range(6)]
    assert tries[:5] == [False] * 5
    assert isinstance(tries[5], Wait)


def test_disabling_a_person_ends_sessions_keys_and_endpoints(database: Database) -> None:
    person(database, Role.ADMIN, "root@example.org")
    user = person(database, Role.PMO)
    token = log_in(database).token
    with database.writing() as session:
        key = keys.create(session, "theirs", "consumer", NOW, owner=session.get_one(User, user.id))
        other = keys.create(session, "nobody's", "consumer", NOW)
        owned, free = (session.scalars(select(ApiKey.id).where(ApiKey.prefix == keys.prefix_of(each))).one() for each in (key, other))
        for name, owner in (("theirs", owned), ("free", free)):
            session.add(Endpoint(id=uuid4(), name=name, url="https://e.example.org", secret=b"", owner_key_id=owner, position=0, created_at=NOW))
    with database.writing() as session:
        assert users.disable(session, session.get_one(User, user.id), NOW) == (1, 1)
    assert opened(database, token) is None
    assert log_in(database) is None
    with database.reading() as session:
        assert keys.verify(session, key, NOW) is None
        assert keys.verify(session, other, NOW) is not None
        states = {row.name: (row.state, row.revision) for row in session.scalars(select(Endpoint))}
        assert states == {"theirs": ("paused", 1), "free": ("active", 0)}
    with database.writing() as session:
        users.enable(session.get_one(User, user.id))
    with database.reading() as session:
        assert keys.verify(session, key, NOW) is not None
    assert opened(database, token) is None, "what has ended stays ended"


def test_a_key_is_worth_no_more_than_its_owner(database: Database) -> None:
    person(database, Role.ADMIN, "root@example.org")
    user = person(database, Role.PMO)
    with database.writing() as session:
        owner = session.get_one(User, user.id)
        with pytest.raises(ValueError, match="more rights than its owner"):
            keys.create(session, "too much", "admin", NOW, owner=owner)
        key = keys.create(session, "theirs", "pmo", NOW, owner=owner, scope=Scope.READ)
    with database.writing() as session:
        users.set_role(session, session.get_one(User, user.id), Role.VIEWER, NOW)
    with database.reading() as session:
        assert keys.verify(session, key, NOW) is None


def test_the_last_admin_stays(database: Database) -> None:
    first = person(database, Role.ADMIN, "root@example.org")
    person(database, Role.ADMIN, "invited@example.org", password=None)
    with database.writing() as session:
        user = session.get_one(User, first.id)
        with pytest.raises(UserProblem, match="last admin"):
            users.disable(session, user, NOW)
        with pytest.raises(UserProblem, match="last admin"):
            users.set_role(session, user, Role.PMO, NOW)
    person(database, Role.ADMIN, "second@example.org")
    with database.writing() as session:
        users.set_role(session, session.get_one(User, first.id), Role.PMO, NOW)


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.org", "ada@example", "a da@example.org", "ada@example.org\nbcc:x@example.org", "ada@@example.org"]
)
def test_what_is_no_address_is_refused(database: Database, email: str) -> None:
    with database.writing() as session, pytest.raises(UserProblem):
        users.add(session, email, "Ada", Role.VIEWER, NOW)


def test_two_people_cannot_share_an_address(database: Database) -> None:
    person(database)
    with database.writing() as session, pytest.raises(UserProblem, match="already"):
        users.add(session, " ADA@EXAMPLE.ORG ", "Another", Role.VIEWER, NOW)


def test_a_link_works_once_and_for_an_hour(database: Database) -> None:
    with database.writing() as session:
        token = links.make(session, NOW)
        assert links.find(session, token, NOW + timedelta(minutes=59)) is not None
        assert not links.use(session, token, NOW + timedelta(hours=1))
        assert links.use(session, token, NOW)
        assert not links.use(session, token, NOW)
        assert token not in str([vars(row) for row in session.scalars(select(AdminLink))])


def test_a_new_link_takes_the_place_of_the_old_one(database: Database) -> None:
    user = person(database, password=None)
    with database.writing() as session:
        first, theirs = links.make(session, NOW), links.make(session, NOW, user_id=user.id)
        second = links.make(session, NOW)
        assert [bool(links.find(session, each, NOW)) for each in (first, second, theirs)] == [False, True, True]


def test_every_log_in_and_every_refusal_is_recorded_without_what_was_typed(database: Database) -> None:
    user = person(database)
    log_in(database)
    log_in(database, password="a wrong secret")
    log_in(database, email="my password by mistake")
    with database.reading() as session:
        rows = session.scalars(select(Audit).order_by(Audit.id)).all()
    assert [(row.action, row.actor_kind, row.target, row.address) for row in rows] == [
        ("login.succeeded", "user", f"user:{user.id}", "192.0.2.1"),
        ("login.refused", "nobody", f"user:{user.id}", "192.0.2.1"),
        ("login.refused", "nobody", None, "192.0.2.1"),
    ]


@given(st.lists(st.floats(0, 200, allow_nan=False), max_size=80), st.integers(1, 20))
def test_a_window_never_lets_more_than_twice_its_limit_into_any_minute(moments: list[float], limit: int) -> None:
    """The two counts make an estimate; this is how far it can be off at worst, and within a clock's minute it is exact."""
    window = Window(limit)
    let = [at for at in sorted(moments) if window.wait("k", NOW + timedelta(seconds=at)) == 0]
    for at in let:
        assert sum(1 for each in let if at <= each < at + 60) <= 2 * limit
        assert sum(1 for each in let if each // 60 == at // 60) <= limit


def test_a_window_says_when_to_come_again() -> None:
    window = Window(2)
    assert [window.wait("k", NOW + timedelta(seconds=20)) for _ in range(3)] == [0, 0, 40]
    assert window.wait("another", NOW) == 0
    assert window.wait("k", NOW + timedelta(seconds=120)) == 0


def test_a_window_forgets_the_names_it_has_not_met_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "NAMES_KEPT", 3)
    window = Window(1)
    for name in "abcd":
        window.wait(name, NOW)
    assert window.wait("d", NOW) > 0
    assert window.wait("a", NOW) == 0
