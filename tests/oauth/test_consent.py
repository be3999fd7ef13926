"""A tool is connected by saying yes in the tool; whoever comes back without having set out gets nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from connectors.errors import AuthFailed
from hub import connections, sealed
from hub.access import keys
from hub.connections import consents
from hub.models import Audit, Connection, Consent, User
from hub.sandbox.server import Sandbox
from hub.settings import OAuthApp
from hub.sync import contact
from hub.sync.engine import Engine
from tests.access.conftest import Browser
from tests.api.conftest import Caller
from tests.oauth.conftest import BACK, NEW, WAYS, Hub, asked, consent, set_out


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Which database it is does not matter here; where it does (renewals), both are used."""
    return sqlite_url


@pytest.mark.parametrize("tool", WAYS)
def test_a_person_connects_a_tool_by_saying_yes_there_and_the_hub_reads(hub: Hub, tool: str) -> None:
    ada = hub.admin()
    page = ada.get(NEW).text
    assert f"Connect with {tool}" in page
    address = set_out(ada, tool, "harbour")
    answer = ada.get(consent(address))
    assert answer.status_code == 303
    scope = answer.headers["location"]
    made = UUID(scope.split("/")[3])
    row, tokens = hub.row(made), hub.tokens(made)
    assert (row.name, row.tool, row.auth_kind, row.state, row.base_url) == ("harbour", tool, "oauth", "paused", hub.sandbox.base_url(tool))  # type: ignore[arg-type]
    assert row.checked is not None
    assert row.checked["user_name"]
    assert row.checked["workspaces"]
    assert row.checked["lasts"].startswith("until somebody" if tool == "clickup" else "renewed by itself")
    assert (tokens.refresh is None, tokens.expires_at is None) == (tool == "clickup", tool == "clickup")
    shown = ada.get(f"/admin/connections/{made}").text
    assert row.checked["user_name"] in shown
    assert row.checked["lasts"] in shown
    assert ada.send(scope, workspace=row.checked["workspaces"][0]["external_id"]).status_code == 303
    ((_, _, arguments, _),) = hub.jobs.submitted
    outcome = Engine(hub.database, hub.vault, hub.settings, hub.clock).sync(UUID(arguments["run_id"]))
    assert outcome is not None
    assert (outcome.state, outcome.errors) == ("complete", [])


@pytest.mark.parametrize(("tool", "flow", "app"), [("monday", "legacy", {"flow": "legacy"}), ("asana", "default", {"mode": "default"})])
def test_an_app_that_is_registered_the_other_way_is_asked_the_other_way(
    hub: Hub, sandbox: Sandbox, tool: str, flow: str, app: dict[str, str]
) -> None:
    sandbox.knobs.apps[tool] |= app
    ada = hub.admin()
    wrong = sandbox.knobs.apps[tool]
    hub.settings.oauth[tool] = replace(hub.settings.oauth[tool], flow=flow)  # type: ignore[index]  # a test may turn a setting
    made = hub.connect(ada, tool)
    assert hub.tokens(made).flow == flow
    assert (hub.tokens(made).refresh is None) == (flow == "legacy")
    assert wrong["redirects"] == [BACK]
    assert contact.check(hub.contact, made).problem is None


def test_a_flow_that_the_tool_does_not_have_is_said(hub: Hub) -> None:
    ada = hub.admin()
    hub.settings.oauth["monday"] = replace(hub.settings.oauth["monday"], flow="3.0")  # type: ignore[index]  # a test may turn a setting
    answer = ada.send("/connections/oauth/start", page=NEW, tool="monday")
    assert answer.status_code == 409
    assert "HUB_OAUTH_MONDAY_FLOW is 3.0; for monday there are: 2.1, legacy" in answer.text


@pytest.mark.parametrize("tool", WAYS)
def test_no_more_is_asked_for_than_reading_needs(hub: Hub, tool: str) -> None:
    said = asked(set_out(hub.admin(), tool))
    scopes = said.get("scope", "").split()
    assert [each for each in scopes if each.endswith((":write", ":delete")) and not each.startswith("webhooks:")] == []
    assert (said["client_id"], said["redirect_uri"]) == (f"{tool}-id", BACK)
    assert ("code_challenge" in said) == (tool != "clickup")
    assert f"{tool}-s3cret" not in repr(said)


def test_where_nobody_can_call_the_hub_no_right_to_webhooks_is_asked_for(hub: Hub) -> None:
    here = Hub(hub.database, hub.vault, hub.clock, hub.sandbox, replace(hub.settings, public_url=None))
    hub.admin()
    browser = Browser(here.app, "http://127.0.0.1:8000")
    browser.log_in()
    said = asked(set_out(browser, "asana"))
    assert "webhooks" not in said["scope"]
    assert said["redirect_uri"] == "http://127.0.0.1:8000/connections/oauth/callback"
    elsewhere = Browser(here.app, "http://hub.example.org")
    elsewhere.log_in()
    answer = elsewhere.send("/connections/oauth/start", page=NEW, tool="asana")
    assert answer.status_code == 409
    assert "HUB_PUBLIC_URL" in answer.text


def test_only_tools_where_the_hub_is_registered_are_offered(hub: Hub) -> None:
    only = Hub(hub.database, hub.vault, hub.clock, hub.sandbox, replace(hub.settings, oauth={"clickup": hub.settings.oauth["clickup"]}))
    hub.admin()
    browser = only.browser("ada@example.org")
    text = browser.get(NEW).text
    assert "Connect with clickup" in text
    assert "Connect with asana" not in text
    answer = browser.send("/connections/oauth/start", page=NEW, tool="asana")
    assert answer.status_code == 409
    assert "HUB_OAUTH_ASANA_CLIENT_ID" in answer.text
    assert browser.send("/connections/oauth/start", page=NEW, tool="nothing").status_code == 409


# -- the way back -------------------------------------------------------------------------------------------------------------------


def refused(hub: Hub, browser: Browser, path: str, *words: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 409
    for word in words:
        assert word in answer.text
    assert hub.count() == 0
    with hub.database.reading() as session:
        assert session.scalars(select(Consent.id)).all() == []


def test_a_state_that_nobody_set_out_with_is_refused(hub: Hub) -> None:
    ada = hub.admin()
    refused(hub, ada, "/connections/oauth/callback?code=x&state=guessed", "nobody set out")
    refused(hub, ada, "/connections/oauth/callback?code=x", "nobody set out")
    refused(hub, ada, "/connections/oauth/callback", "nobody set out")
    assert hub.calls("oauth_token") == []


def test_a_way_back_works_once(hub: Hub) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, "asana"))
    assert ada.get(path).status_code == 303
    answer = ada.get(path)
    assert answer.status_code == 409
    assert "used already" in answer.text
    assert len(hub.calls("oauth_token")) == 1
    assert hub.count() == 1


@pytest.mark.parametrize("who", ["another admin", "the same admin, logged in anew"])
def test_another_session_s_way_back_is_refused_and_burnt(hub: Hub, who: str) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, "monday"))
    other = hub.admin("grace@example.org") if who == "another admin" else hub.browser("ada@example.org")
    refused(hub, other, path, "somebody else set out")
    refused(hub, ada, path, "used already")
    assert hub.calls("/token") == []


def test_ten_minutes_are_long_enough(hub: Hub) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, "clickup"))
    hub.clock.advance(timedelta(minutes=10))
    refused(hub, ada, path, "longer than ten minutes")
    assert hub.calls("oauth/token") == []


def test_what_nobody_came_back_from_is_forgotten(hub: Hub) -> None:
    ada = hub.admin()
    set_out(ada, "asana", "first")
    hub.clock.advance(timedelta(minutes=11))
    set_out(ada, "asana", "second")
    with hub.database.reading() as session:
        assert session.scalars(select(Consent.name)).all() == ["second"]


@pytest.mark.parametrize("tool", WAYS)
def test_a_no_is_a_no(hub: Hub, sandbox: Sandbox, tool: str) -> None:
    sandbox.knobs.denied = {tool}
    ada = hub.admin()
    refused(hub, ada, consent(set_out(ada, tool)), "access was not granted", "The user said no")


@pytest.mark.parametrize("tool", WAYS)
def test_a_code_that_came_too_late_is_refused(hub: Hub, sandbox: Sandbox, tool: str) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, tool))
    sandbox.knobs.later = 61
    refused(hub, ada, path, "did not take the code")


@pytest.mark.parametrize("tool", ["asana", "monday"])
def test_a_code_is_of_no_use_without_the_verifier(hub: Hub, tool: str) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, tool))
    with hub.database.writing() as session:
        held = session.scalars(select(Consent)).one()
        held.verifier = hub.vault.seal("v" * 64, bound_to=sealed.bound_to(Consent.verifier, held.id))
    refused(hub, ada, path, "did not take the code", "verifier")


@pytest.mark.parametrize("tool", WAYS)
def test_a_wrong_client_secret_is_named_as_what_it_is(hub: Hub, sandbox: Sandbox, tool: str) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, tool))
    sandbox.knobs.apps[tool]["client_secret"] = "another"
    answer = ada.get(path)
    assert answer.status_code == 409
    assert f"HUB_OAUTH_{tool.upper()}_CLIENT_SECRET" in answer.text
    assert "s3cret" not in answer.text


def test_what_cannot_be_kept_is_given_back(hub: Hub, sandbox: Sandbox) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, "asana", "ours"))
    hub.connect(ada, "asana", "first")
    answer = ada.get(path)
    assert answer.status_code == 409
    assert "already read by" in answer.text
    assert [each.revoked for each in sandbox.offices["asana"].grants] == [False, True]
    assert hub.count() == 1


# -- again, and away ----------------------------------------------------------------------------------------------------------------


def again(hub: Hub, browser: Browser, made: UUID) -> str:
    return consent(set_out(browser, "", connection=str(made)))


def test_saying_yes_again_mends_a_broken_connection_and_tells_so(hub: Hub, sandbox: Sandbox) -> None:
    ada = hub.admin()
    made = hub.connect(ada, "monday")
    with hub.database.writing() as session:
        session.get_one(Connection, made).state = "active"
    before = hub.tokens(made)
    for each in sandbox.offices["monday"].grants:
        each.revoked = True
    assert "connect it again on its page" in (contact.check(hub.contact, made).problem or "")
    assert (hub.row(made).state, hub.told()) == ("broken", ["connection.broken"])
    assert "Connect with monday again" in ada.get(f"/admin/connections/{made}").text
    answer = ada.get(again(hub, ada, made))
    assert answer.headers["location"] == f"/admin/connections/{made}"
    assert (hub.row(made).state, hub.told(), hub.row(made).last_error) == ("active", ["connection.broken", "connection.recovered"], None)
    assert hub.tokens(made).access != before.access
    assert hub.count() == 1


def test_a_personal_token_becomes_a_grant_and_back_without_a_gap(hub: Hub, sandbox: Sandbox) -> None:
    ada = hub.admin()
    token = sandbox.world.tokens["clickup"]
    given = {"tool": "clickup", "name": "ours", "token": token, "base_url": sandbox.base_url("clickup")}
    made = UUID(ada.send(NEW, **given).headers["location"].split("/")[3])
    assert hub.row(made).auth_kind == "personal_token"
    assert ada.get(again(hub, ada, made)).status_code == 303
    assert hub.row(made).auth_kind == "oauth"
    assert contact.check(hub.contact, made).problem is None
    with hub.database.writing() as session:
        connections.give_token(session.get_one(Connection, made), hub.vault, token)
    assert hub.row(made).auth_kind == "personal_token"
    assert contact.check(hub.contact, made).problem is None


def test_another_account_s_yes_changes_nothing(hub: Hub, sandbox: Sandbox) -> None:
    ada = hub.admin()
    made = hub.connect(ada, "monday")
    with hub.database.writing() as session:
        session.get_one(Connection, made).realm = uuid4()
    before = hub.row(made).secret
    answer = ada.get(again(hub, ada, made))
    assert answer.status_code == 409
    assert "another account" in answer.text
    assert hub.row(made).secret == before
    assert [each.revoked for each in sandbox.offices["monday"].grants] == [False, True]


def test_a_connection_of_another_address_is_not_handed_to_this_app(hub: Hub, sandbox: Sandbox) -> None:
    ada = hub.admin()
    made = hub.connect(ada, "asana")
    with hub.database.writing() as session:
        session.get_one(Connection, made).base_url = "https://elsewhere.example.org/api/1.0"
    answer = ada.send("/connections/oauth/start", page=NEW, connection=str(made))
    assert answer.status_code == 409
    assert "registered at" in answer.text
    assert ada.send("/connections/oauth/start", page=NEW, connection=str(uuid4())).status_code == 404
    assert ada.send("/connections/oauth/start", page=NEW, connection="x").status_code == 404


@pytest.mark.parametrize(("tool", "left"), [("asana", None), ("monday", None), ("clickup", "end it in the tool's own settings")])
def test_what_is_removed_is_given_back_where_the_tool_takes_it(hub: Hub, sandbox: Sandbox, tool: str, left: str | None) -> None:
    made = hub.connect(hub.admin(), tool)
    account = connections.opened(hub.row(made), hub.vault)
    said = consents.revoke(hub.contact, account)
    assert (said is None) if left is None else (said is not None and left in said)
    assert [each.revoked for each in sandbox.offices[tool].grants] == [left is None]  # type: ignore[index]
    if left is None:
        with pytest.raises(AuthFailed):
            contact.asked(hub.contact, made)


def test_a_tool_that_takes_nothing_back_is_told_with_what_to_do(hub: Hub, sandbox: Sandbox) -> None:
    made = hub.connect(hub.admin(), "asana")
    sandbox.knobs.apps["asana"]["client_secret"] = "another"
    said = consents.revoke(hub.contact, connections.opened(hub.row(made), hub.vault))
    assert said is not None
    assert "revoke it in the tool's own settings" in said


# -- by the API, and secrets --------------------------------------------------------------------------------------------------------


def owned_key(hub: Hub, email: str | None) -> Caller:
    with hub.database.writing() as session:
        owner = None if email is None else session.scalars(select(User).where(User.email == email)).one()
        return Caller(hub.app, keys.create(session, "k", "admin", hub.clock(), owner=owner))


def test_by_the_api_the_key_s_owner_says_yes_in_a_browser(hub: Hub) -> None:
    ada, grace = hub.admin(), hub.admin("grace@example.org")
    caller = owned_key(hub, "ada@example.org")
    begun = caller("POST", "/api/v1/connections/oauth", json={"tool": "asana", "name": "ours"})
    assert begun.status_code == 201, begun.text
    refused(hub, grace, consent(begun.json()["data"]["authorize_url"]), "somebody else set out")
    begun = caller("POST", "/api/v1/connections/oauth", json={"tool": "asana", "name": "ours"})
    assert ada.get(consent(begun.json()["data"]["authorize_url"])).status_code == 303
    (shown,) = caller.data("connections")
    assert shown["checked"]["lasts"].startswith("renewed by itself")
    assert {"workspaces:read"} <= set(begun.json()["data"]["scopes"])


def test_a_key_that_is_nobody_s_cannot_begin(hub: Hub) -> None:
    answer = owned_key(hub, None)("POST", "/api/v1/connections/oauth", json={"tool": "asana", "name": "ours"})
    assert (answer.status_code, answer.json()["code"]) == (409, "key_without_owner")


@pytest.mark.parametrize("body", [{"tool": "nothing", "name": "x"}, {"name": "x"}, {"connection_id": str(uuid4())}, {"tool": "asana", "surprise": 1}])
def test_a_beginning_that_makes_no_sense_is_said(hub: Hub, body: dict[str, object]) -> None:
    hub.admin()
    assert owned_key(hub, "ada@example.org")("POST", "/api/v1/connections/oauth", json=body).status_code in (404, 409, 422)


def test_no_token_code_or_state_lies_anywhere_in_plain(hub: Hub, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    ada = hub.admin()
    address = set_out(ada, "monday")
    path = consent(address)
    with hub.database.reading() as session:
        (held,) = session.scalars(select(Consent))
        assert hub.vault.open(held.verifier, bound_to=sealed.bound_to(Consent.verifier, held.id)) not in repr(vars(held))
    made = UUID(ada.get(path).headers["location"].split("/")[3])
    tokens = hub.tokens(made)
    assert tokens.refresh is not None
    (given,) = sandbox.offices["monday"].grants
    secrets = [tokens.access, tokens.refresh, asked(address)["state"], asked(f"x?{path.partition('?')[2]}")["code"], "monday-s3cret"]
    assert given.refresh in secrets
    pages = [ada.get(each).text for each in (f"/admin/connections/{made}", "/admin/connections")]
    with hub.database.reading() as session:
        rows = session.scalars(select(Audit)).all()
        assert any(row.action == "connection.added" for row in rows)
        pages += [repr((row.before, row.after, row.target)) for row in rows]
    pages += [*capsys.readouterr(), repr(tokens), repr(hub.settings), repr(connections.opened(hub.row(made), hub.vault))]
    database = Path(hub.database.url.removeprefix("sqlite:///"))
    files = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    assert b"ada@example.org" in files
    for secret in secrets:
        assert secret.encode() not in files
        assert [page for page in pages if secret in page] == []


def test_a_scope_that_was_not_granted_is_missing(hub: Hub, sandbox: Sandbox) -> None:
    ada = hub.admin()
    path = consent(set_out(ada, "monday"))
    for code in sandbox.offices["monday"]._codes.values():
        code.scopes = tuple(each for each in code.scopes if each != "tags:read")
    made = UUID(ada.get(path).headers["location"].split("/")[3])
    for _ in range(2):
        assert (hub.row(made).checked or {})["missing"] == ["The tool did not grant: tags:read."]
        contact.check(hub.contact, made)


def test_an_app_s_secret_is_in_no_representation() -> None:
    assert "s3cret" not in repr(OAuthApp("id", "s3cret"))
