"""The pages of admins do what their words say, through the same functions as the API: people, endpoints, keys and users, the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub import connections
from hub.access import keys, records
from hub.access.grants import Subject, listed
from hub.access.records import AuditFilter
from hub.app import create_app
from hub.db import Database
from hub.models import ApiKey, Attempt, Audit, Connection, Endpoint, Identity, Merge, Parked, Raw, Replay, SyncRun, User
from hub.portfolio import policy
from hub.settings import load
from hub.sync import bodies
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api import builders as make
from tests.api.conftest import Clock, NotedJobs
from tests.delivery.receiver import Receiver, receiving
from tests.web.conftest import seeded
from tests.web.reading import read, table

PEOPLE, HOOKS, KEYS, AUDIT = "/admin/people", "/admin/endpoints", "/admin/keys", "/admin/audit"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def app(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> FastAPI:
    return create_app(load({"HUB_WEBHOOK_ALLOW": "127.0.0.0/8"}), database, vault, jobs, clock, open_home=True)


@pytest.fixture
def ids(database: Database) -> dict[str, Any]:
    return seeded(database)


def secret_in(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r'<pre class="secret"[^>]*>(.*?)</pre>', answer.text)
    assert found
    return found[1]


# -- people -------------------------------------------------------------------------------------------------------------------------


def test_who_may_be_the_same_is_shown_with_evidence_and_joined_by_a_click(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    said = read(visitor.get(PEOPLE).text).words
    assert "the same e-mail address: ada@example.org" in said
    assert "the address is of no domain of your own" in said
    with database.reading() as session:
        adas = list(session.scalars(select(Identity.id).where(Identity.email == "ada@example.org")))
    assert visitor.send(f"{PEOPLE}/join", page=PEOPLE, ids=list(map(str, adas))).status_code == 303
    with database.reading() as session:
        (person,) = set(session.scalars(select(Identity.person_id).where(Identity.id.in_(adas))))
        assert person is not None
        done = session.scalars(select(Merge).where(Merge.person_id == person)).one()
    assert "ada@example.org" not in read(visitor.get(PEOPLE).text).words.partition("Everybody")[0]
    assert {row["Open tasks"] for row in table(visitor.get(PEOPLE).text, "Join") if "Ada" in row["Who"]} == {"6"}
    assert len(table(visitor.get(f"/tasks?assignee_id={person}").text, "Task")) == 6
    assert visitor.send(f"{PEOPLE}/split", page=PEOPLE, person=str(person), ids=str(adas[0])).status_code == 303
    assert visitor.send(f"{PEOPLE}/undo", page=PEOPLE, act=str(done.id)).status_code == 409, "the split was built upon it"


def test_different_people_are_not_suggested_again(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    with database.reading() as session:
        adas = list(map(str, session.scalars(select(Identity.id).where(Identity.email == "ada@example.org"))))
    visitor.send(f"{PEOPLE}/distinct", page=PEOPLE, ids=adas)
    assert "Nobody waits for a decision" in visitor.get(PEOPLE).text


def test_a_domain_of_one_s_own_joins_at_once_and_an_undo_holds(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    assert visitor.send(f"{PEOPLE}/domains", page=PEOPLE, domains="no domain!").status_code == 422
    assert visitor.send(f"{PEOPLE}/domains", page=PEOPLE, domains="@Example.org, example.com").status_code == 303
    with database.reading() as session:
        assert policy.load(session).own_domains == ("example.org", "example.com")
        done = session.scalars(select(Merge).where(Merge.actor.is_(None))).one()
    assert "the rule" in read(visitor.get(PEOPLE).text).words
    visitor.send(f"{PEOPLE}/undo", page=PEOPLE, act=str(done.id))
    visitor.send(f"{PEOPLE}/domains", page=PEOPLE, domains="example.org")
    with database.reading() as session:
        assert set(session.scalars(select(Identity.person_id).where(Identity.email == "ada@example.org"))) == {None}


# -- endpoints ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_an_endpoint_is_made_tried_and_rotated_in_the_browser(database: Database, visitor: Browser, ids: dict[str, Any], receiver: Receiver) -> None:
    fields = {"url": receiver.url, "name": "mine", "types": "task.*", "kinds": "milestone", "tags": "a, b"}
    secret = secret_in(visitor.send(f"{HOOKS}/new", **fields))
    with database.reading() as session:
        made = session.scalars(select(Endpoint).where(Endpoint.name == "mine")).one()
        assert (made.types, made.filter) == (["task.*"], {"kinds": ["milestone"], "tags": ["a", "b"]})
    home = f"{HOOKS}/{made.id}"
    assert secret not in visitor.get(home).text
    answer = visitor.send(f"{home}/test", page=home, type="task.moved")
    assert "It took the test" in answer.text
    assert "test" in table(visitor.get(home).text, "When")[0]["Event"]
    other = secret_in(visitor.send(f"{home}/rotate", page=home, overlap="24"))
    assert other != secret
    assert "Old secret" in visitor.get(home).text


def test_an_endpoint_s_figures_are_seen_and_its_events_can_be_held_tried_and_given_up(
    database: Database, visitor: Browser, jobs: NotedJobs, ids: dict[str, Any]
) -> None:
    home = f"{HOOKS}/{ids['endpoint']}"
    (line,) = table(visitor.get(HOOKS).text, "Name")
    assert (line["Set aside"], line["Given up"], line["State"]) == ("1", "1", "working")
    visitor.send(f"{home}/pause", page=home)
    assert "Paused since" in visitor.get(home).text
    assert visitor.send(f"{home}/resume", page=home).status_code == 303
    assert jobs.submitted[-1][0] == "deliver"
    visitor.send(f"{home}/skip", page=home, entity=str(ids["task"]))
    with database.reading() as session:
        assert set(session.scalars(select(Parked.state))) == {"dead"}
    visitor.send(f"{home}/retry", page=home, sequence="2")
    with database.reading() as session:
        assert set(session.scalars(select(Parked.state).where(Parked.sequence == 2))) == {"waiting"}
    assert visitor.send(f"{home}/remove", page=home).status_code == 422
    assert visitor.send(f"{home}/remove", page=home, sure="1").status_code == 303
    with database.reading() as session:
        assert not session.scalars(select(Attempt.id)).all()


def test_sending_again_counts_first(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    home = f"{HOOKS}/{ids['endpoint']}"
    with database.writing() as session:
        held = session.get_one(Endpoint, ids["endpoint"])
        held.filter, held.position = {}, 1
    asked = visitor.send(f"{home}/send-again", page=home, noun="person", since="2020-01-01")
    assert "1 message" in read(asked.text).words.replace("\u202f", " ")
    with database.reading() as session:
        assert not session.scalars(select(Replay.id)).all()
    assert visitor.send(f"{home}/send-again", page=home, noun="person", since="2020-01-01", confirmed="1").status_code == 303
    with database.reading() as session:
        assert session.scalars(select(Replay.types)).all() == [["person.merged", "person.split"]]
    assert "Nothing that the hub keeps fits" in visitor.send(f"{home}/send-again", page=home, noun="task").text


@pytest.mark.parametrize("fields", [{"url": "https://10.0.0.1/"}, {"url": "x"}, {"types": "no.type"}, {"tools": "nope"}, {"project_ids": "7"}])
def test_an_endpoint_that_makes_no_sense_is_refused_in_words(visitor: Browser, database: Database, fields: dict[str, str]) -> None:
    answer = visitor.send(f"{HOOKS}/new", **({"url": "http://127.0.0.1:9/"} | fields))
    assert answer.status_code == 409
    assert "This endpoint cannot be made" in answer.text
    with database.reading() as session:
        assert not session.scalars(select(Endpoint.id)).all()


# -- keys and users -----------------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_works_and_ends(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    fields = {"name": "figures", "role": "viewer", "read": "1", "lasts": "30", "grant": "tool:asana", "grants": f"project:{ids['project']}"}
    text = secret_in(visitor.send(f"{KEYS}/new", page=KEYS, **fields))
    with database.reading() as session:
        held = keys.verify(session, text, make.NOW)
        assert held is not None
        assert (held.name, held.scope, (held.expires_at - make.NOW).days) == ("figures", "read", 30)  # type: ignore[operator]  # it has an end
        assert sorted(map(str, listed(session, Subject("key", held.id)))) == [f"project:{ids['project']}", "tool:asana"]
    assert text not in visitor.get(KEYS).text
    visitor.send(f"{KEYS}/{held.id}/revoke", page=KEYS)
    with database.reading() as session:
        assert keys.verify(session, text, make.NOW) is None
        assert text not in repr([audit.after for audit in session.scalars(select(Audit))])
    assert "figures" in visitor.get(f"{KEYS}?ended=1").text


@pytest.mark.parametrize("fields", [{"role": "viewer"}, {"role": "king"}, {"name": " "}, {"lasts": "7"}, {"grants": "planet:mars"}])
def test_a_key_that_makes_no_sense_is_refused(visitor: Browser, database: Database, fields: dict[str, str]) -> None:
    assert visitor.send(f"{KEYS}/new", page=KEYS, **({"name": "n", "role": "pmo"} | fields)).status_code == 422
    with database.reading() as session:
        assert not session.scalars(select(ApiKey.id)).all()


def test_a_person_is_added_with_a_link_changed_shut_out_and_let_in_again(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    link = secret_in(visitor.send(f"{KEYS}/users", page=KEYS, name="Dee", email="dee@example.org", role="viewer", grant="all"))
    assert link.startswith("http://hub.test/setup/")
    assert "Choose a password" in visitor.get(link.removeprefix("http://hub.test")).text
    with database.reading() as session:
        user = session.scalars(select(User).where(User.name == "Dee")).one()
    home = f"{KEYS}/users/{user.id}"
    assert secret_in(visitor.send(f"{home}/link", page=home)) != link
    visitor.send(f"{home}/change", page=home, do="role", role="pmo")
    visitor.send(f"{home}/change", page=home, do="disable")
    assert "Shut out since" in visitor.get(home).text
    visitor.send(f"{home}/change", page=home, do="enable")
    visitor.send(f"{home}/grants", page=home, grants=f"project:{ids['project']}")
    with database.reading() as session:
        held = session.get_one(User, user.id)
        assert (held.role, held.disabled_at) == ("pmo", None)
        assert list(map(str, listed(session, Subject("user", user.id)))) == [f"project:{ids['project']}"]
        done = [row.action for row in session.scalars(select(Audit).where(Audit.target == f"user:{user.id}").order_by(Audit.id))]
    assert done == ["user.created", "grants.changed", "password.link_made", "user.changed", "user.changed", "user.changed", "grants.changed"]


# -- the audit log ------------------------------------------------------------------------------------------------------------------


def test_the_audit_log_is_filtered_by_who_what_and_when(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    rows = table(visitor.get(AUDIT).text, "When")
    assert {"user.created", "key.created", "person.merged", "grants.changed"} == {row["What"] for row in rows}
    assert [row["What"] for row in table(visitor.get(f"{AUDIT}?action=key.created").text, "When")] == ["key.created"]
    assert len(table(visitor.get(f"{AUDIT}?target=user:{ids['user']}").text, "When")) == 2
    assert "Nothing fits" in visitor.get(f"{AUDIT}?until=2020-01-01").text
    assert visitor.get(f"{AUDIT}?since=yesterday").status_code == 400
    assert visitor.get(f"{AUDIT}?before=x").status_code == 400


def test_the_audit_log_goes_out_as_a_file_and_that_is_in_it(database: Database, visitor: Browser, ids: dict[str, Any]) -> None:
    answer = visitor.send(f"{AUDIT}/export", page=AUDIT, action="key.created")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    lines = answer.text.splitlines()
    assert lines[0].startswith("id,at,actor_kind")
    assert len(lines) == 2
    with database.reading() as session:
        newest, _ = records.page(session, AuditFilter(), None, 1)
        assert (newest[0].action, newest[0].after) == ("audit.exported", {"action": "key.created"})
    assert visitor.send(f"{AUDIT}/export", page=AUDIT, since="soon").status_code == 422


def test_no_form_of_these_pages_takes_what_is_no_id(visitor: Browser, ids: dict[str, Any]) -> None:
    for path, field in ((f"{PEOPLE}/join", "ids"), (f"{PEOPLE}/undo", "act"), (f"{PEOPLE}/split", "person")):
        assert visitor.send(path, page=PEOPLE, **{field: "x"}).status_code == 422
    assert visitor.send(f"{PEOPLE}/undo", page=PEOPLE, act=str(UUID(int=7))).status_code == 409


# -- what columns mean --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def board(database: Database, vault: Vault) -> tuple[str, str]:
    """A project of a tool whose columns mean what its users say: (its page, the connection's)."""
    kinds = (("Stage", "status"), ("Due", "date"), ("End", "date"))
    columns = [{"id": name.lower(), "title": name, "type": kind, "settings": {}} for name, kind in kinds]
    with database.writing() as session:
        account = make.connection(session, "monday")
        account.secret = vault.seal("a token", bound_to=connections.secret_of(account.id))
        project = make.project(session, account, "Quay", external_id="77")
        body = bodies.pack({"id": "77", "columns": columns})
        session.add(Raw(entity_id=project.id, connection_id=account.id, ref="project:77", body=body))
    home = f"/admin/connections/{account.id}"
    return f"{home}/roles/{project.id}", home


def test_what_a_column_means_is_suggested_with_its_evidence_and_overruled(
    database: Database, visitor: Browser, jobs: NotedJobs, board: tuple[str, str]
) -> None:
    page, home = board
    assert f"{home}/roles" in visitor.get(home).text
    assert table(visitor.get(f"{home}/roles").text, "Project")[0]["Columns"] == "as suggested"
    due = next(row for row in table(visitor.get(page).text, "What") if row["What"] == "due date")
    assert (due["Suggested"], due["Because"]) == ("Due", "by its title, Due")
    answer = visitor.send(page, **{"77:due": "column:end", "77:status": "none", "77:start": ""})
    assert answer.headers["location"] == home
    with database.reading() as session:
        held = session.scalars(select(Connection).where(Connection.tool == "monday")).one()
        assert held.options == {"column_roles": {"77": {"status": "", "due": "end"}}}
        assert session.scalars(select(SyncRun.kind)).all() == ["full"]
    assert jobs.submitted[-1][0] == "sync", "it is in force from the next reading, which begins now"
    assert table(visitor.get(f"{home}/roles").text, "Project")[0]["Columns"] == "a person said so"
    visitor.send(page, **{"77:due": ""})
    with database.reading() as session:
        assert session.scalars(select(Connection.options).where(Connection.tool == "monday")).one() == {}


def test_a_column_of_another_type_plays_no_role(database: Database, visitor: Browser, board: tuple[str, str]) -> None:
    assert visitor.send(board[0], **{"77:due": "column:stage"}).status_code == 422
    with database.reading() as session:
        assert session.scalars(select(Connection.options)).all() == [{}]


def test_a_tool_with_fields_of_its_own_has_no_such_page(visitor: Browser, ids: dict[str, Any]) -> None:
    home = f"/admin/connections/{ids['connection']}"
    assert visitor.get(f"{home}/roles").status_code == 404
    assert "Say what columns mean" not in visitor.get(home).text
