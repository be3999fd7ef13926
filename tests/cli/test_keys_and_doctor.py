"""Keys, migrations and the doctor."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from hub.db import Database
from hub.models import Identity, Project, Task
from hub.sandbox.server import Sandbox
from tests.cli.conftest import Hub


def test_a_key_is_shown_once_and_listed_by_its_first_characters(hub: Hub) -> None:
    said = hub("key", "create", "--name", "Rechnung", "--role", "viewer", "--scope", "all")
    key = said.out.strip()
    assert re.fullmatch(r"hub_\w{8}_[\w-]{43}", key)
    listed = hub("key", "list").out
    assert "Rechnung" in listed
    assert key[:12] in listed
    assert key not in listed + hub("key", "list", "--json").out


def test_a_revoked_key_stays_in_the_list_as_such(hub: Hub) -> None:
    key = json.loads(hub("key", "create", "--name", "x", "--role", "admin", "--json").out)["key"]
    assert hub("key", "revoke", key[:12]).code == 0
    assert "revoked" in hub("key", "list").out
    assert hub("key", "revoke", key[:12]).code == 1


def test_migrate_says_from_where_to_where(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUB_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert re.search(r"none -> \w+", hub("migrate").out)
    assert "as before" in hub("migrate").out
    with sqlite3.connect(tmp_path / "new.db") as database:
        assert database.execute("SELECT count(*) FROM task").fetchone() == (0,)
    database.close()


def findings(hub: Hub, *words: str) -> tuple[int, list[dict[str, object]]]:
    said = hub("doctor", "--json", *words)
    return said.code, [json.loads(line) for line in said.out.splitlines()]


def test_a_healthy_hub_needs_nothing(connected: Hub) -> None:
    connected("sync")
    code, found = findings(connected, "--network")
    assert code == 0
    assert {each["level"] for each in found} <= {"ok", "note"}
    about = [str(each["about"]) for each in found]
    assert {"settings", "key", "database", "connection berlin", "completeness berlin", "network berlin"} <= set(about)
    assert "projects were read whole" in connected("doctor").out


def test_a_broken_connection_and_a_missing_key_need_a_person(connected: Hub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.knobs.revoked.add("asana")
    code, found = findings(connected, "--network")
    assert (code, [each["about"] for each in found if each["level"] == "act"]) == (1, ["network berlin"])
    connected("sync")
    code, found = findings(connected)
    assert (code, [each["about"] for each in found if each["level"] == "act"]) == (1, ["connection berlin"])
    monkeypatch.setenv("HUB_SECRET_KEYS", "")
    code, found = findings(connected)
    assert (code, "key" in [each["about"] for each in found if each["level"] == "act"]) == (1, True)


def test_references_that_point_nowhere_are_counted(connected: Hub, sqlite_url: str) -> None:
    connected("sync")
    database = Database(sqlite_url)
    with database.writing() as session:
        session.execute(delete(Project))
        session.execute(delete(Identity))
        session.execute(update(Task).values(status_category="unknown"))
    database.dispose()
    code, found = findings(connected)
    counts = {str(each["words"]).partition(" is not held")[0]: each["count"] for each in found if each["about"] == "references"}
    assert code == 0
    assert counts["a task's project"]
    assert counts["an assigned person"]
    assert any(str(each["about"]) == "statuses berlin" for each in found)


def test_a_key_that_is_bound_by_grants_says_what_it_may_see(hub: Hub) -> None:
    refused = hub("key", "create", "--name", "x", "--role", "consumer")
    assert refused.code == 2
    assert "tool:NAME" in refused.err
    assert hub("key", "create", "--name", "x", "--role", "consumer", "--scope", "project:1").code == 2
    assert hub("key", "list", "--json").out == ""
    assert hub("key", "create", "--name", "x", "--role", "consumer", "--scope", "all").code == 0
    assert hub("key", "create", "--name", "x", "--role", "pmo").code == 0


def test_what_a_person_may_see_is_replaced_and_shown(hub: Hub) -> None:
    hub("user", "add", "ada@example.org", "--name", "Ada", "--role", "viewer")
    assert "nothing is granted" in hub("user", "grant", "ada@example.org").err
    assert hub("user", "grant", "ada@example.org", "--scope", "all").out == "all\n"
    assert hub("user", "grant", "ada@example.org", "--scope", "tool:nowhere").code == 1
    assert hub("user", "grant", "ada@example.org").out == "all\n"
    assert hub("user", "grant", "ada@example.org", "--nothing").out == ""


def log_in_findings(hub: Hub, *words: str) -> tuple[int, list[tuple[object, object]]]:
    code, found = findings(hub, *words)
    return code, [(each["level"], each["words"]) for each in found if str(each["about"]).endswith("log-in")]


def test_a_log_in_provider_that_is_half_set_up_needs_a_person(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OIDC_CLIENT_SECRET", "x")
    assert log_in_findings(hub)[0] == 1
    monkeypatch.setenv("HUB_OIDC_ISSUER", "http://127.0.0.1:1")
    monkeypatch.setenv("HUB_OIDC_CLIENT_ID", "hub")
    code, ((level, words), *_) = log_in_findings(hub)
    assert (code, level) == (1, "act")
    assert "set HUB_OIDC_ROLES too" in str(words)
    assert hub("user", "link", "ada@example.org").code == 1
    monkeypatch.setenv("HUB_OIDC_ROLES", "*=viewer")
    code, found = log_in_findings(hub)
    assert (code, [level for level, _ in found]) == (0, ["ok", "note", "note"]), "no public address, no admin"
    code, found = log_in_findings(hub, "--network")
    assert (code, [words for level, words in found if level == "act"]) == (
        1,
        ["the provider cannot be reached (ConnectError): check HUB_OIDC_ISSUER, HUB_PROXY, HUB_CA_BUNDLE and the network"],
    )


def test_people_are_opened_for_the_log_in_provider_at_the_command_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub("user", "add", "ada@example.org", "--name", "Ada", "--role", "viewer")
    for name, value in {"ISSUER": "https://login.example.org", "CLIENT_ID": "hub", "ROLES": "*=viewer"}.items():
        monkeypatch.setenv(f"HUB_OIDC_{name}", value)
    assert "is joined to this person" in hub("user", "link", "ada@example.org").err
    assert hub("user", "link", "eve@example.org").code == 1
    monkeypatch.setenv("HUB_LOCAL_LOGIN", "off")
    assert json.loads(hub("user", "add", "bea@example.org", "--name", "Bea", "--role", "viewer", "--json").out) == {"link": None}
    assert hub("user", "reset", "bea@example.org").code == 1
    assert "/setup/" in hub("admin", "link").out, "the way back in"
    done = [json.loads(line) for line in hub("audit", "list", "--json").out.splitlines()]
    assert [each["action"] for each in done] == [
        "user.created",
        "user.opened_for_provider",
        "user.created",
        "user.opened_for_provider",
        "admin.link_made",
    ]
