"""The pretend tools let nobody in whom the real ones would not: registered addresses, codes that work once, verifiers, ends, rotation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from hub.sandbox import seed
from hub.sandbox.consent import challenge_of
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox

BACK = "https://hub.example.org/back"
VERIFIER = "v" * 64
PAGE = {"asana": "/asana/-/oauth_authorize", "monday": "/monday/oauth2/authorize", "clickup": "/clickup/api"}
EXCHANGE = {"asana": "/asana/-/oauth_token", "monday": "/monday/oauth_ms/oauth/token", "clickup": "/clickup/api/v2/oauth/token"}
REVOKE = {"asana": "/asana/-/oauth_revoke", "monday": "/monday/oauth_ms/oauth/revoke"}
SCOPE = {"asana": "tasks:read projects:read", "monday": "me:read boards:read", "clickup": ""}
PROBE = {"asana": "/asana/api/1.0/users/me", "monday": "/monday/v2", "clickup": "/clickup/api/v2/user"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed.build(seed=7, tasks=5), Knobs(limits=False)).start() as made:
        yield made


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    for tool in PAGE:
        running.knobs.apps[tool] = {"client_id": "id", "client_secret": "secret", "redirects": [BACK]}
    running.knobs.later, running.knobs.denied = 0.0, set()
    return running


def page(sandbox: Sandbox, tool: str, **asked: str | None) -> httpx.Response:
    usual: dict[str, str | None] = {"client_id": "id", "redirect_uri": BACK, "state": "s", "scope": SCOPE[tool] or None}
    if tool != "clickup":
        usual |= {"response_type": "code", "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
    query = {name: value for name, value in (usual | asked).items() if value is not None}
    return httpx.get(f"{sandbox.origin}{PAGE[tool]}?{urlencode(query)}")


def code(sandbox: Sandbox, tool: str, **asked: str | None) -> str:
    answer = page(sandbox, tool, **asked)
    assert answer.status_code == 302, answer.text
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["s"]
    return back["code"][0]


def trade(sandbox: Sandbox, tool: str, **given: str | None) -> httpx.Response:
    usual: dict[str, str | None] = {"client_id": "id", "client_secret": "secret"}
    if tool != "clickup":
        usual |= {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    form = {name: value for name, value in (usual | given).items() if value is not None}
    body: dict[str, Any] = {"json": form} if tool == "clickup" else {"data": form}
    return httpx.post(f"{sandbox.origin}{EXCHANGE[tool]}", **body)


def renew(sandbox: Sandbox, tool: str, refresh: str) -> httpx.Response:
    return trade(sandbox, tool, grant_type="refresh_token", refresh_token=refresh, redirect_uri=None, code_verifier=None)


def is_known(sandbox: Sandbox, tool: str, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{sandbox.origin}{PROBE[tool]}"
    answer = httpx.post(url, headers=headers, json={"query": "{ me { id } }"}) if tool == "monday" else httpx.get(url, headers=headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


@pytest.mark.parametrize("tool", PAGE)
def test_a_code_is_worth_one_token(sandbox: Sandbox, tool: str) -> None:
    got = code(sandbox, tool)
    answer = trade(sandbox, tool, code=got)
    assert answer.status_code == 200, answer.text
    assert is_known(sandbox, tool, answer.json()["access_token"])
    assert not is_known(sandbox, tool, "another")
    assert trade(sandbox, tool, code=got).status_code == 400


@pytest.mark.parametrize("tool", PAGE)
@pytest.mark.parametrize("wrong", [{"client_id": "another"}, {"redirect_uri": f"{BACK}/x"}, {"redirect_uri": None}, {"client_id": None}])
def test_nobody_is_sent_to_an_address_that_is_not_registered(sandbox: Sandbox, tool: str, wrong: dict[str, str | None]) -> None:
    assert page(sandbox, tool, **wrong).status_code == 400


@pytest.mark.parametrize(
    ("tool", "wrong"),
    [
        ("asana", {"response_type": "token"}),
        ("asana", {"response_type": None}),
        ("asana", {"code_challenge_method": "plain"}),
        ("asana", {"scope": "default"}),
        ("asana", {"scope": None}),
        ("asana", {"scope": "tasks:read sky:read"}),
        ("monday", {"code_challenge_method": "plain"}),
        ("monday", {"scope": "sky:read"}),
    ],
)
def test_a_question_that_the_vendor_would_not_take_is_not_taken(sandbox: Sandbox, tool: str, wrong: dict[str, str | None]) -> None:
    assert page(sandbox, tool, **wrong).status_code == 400


def test_an_app_for_everything_is_not_asked_for_a_part(sandbox: Sandbox) -> None:
    sandbox.knobs.apps["asana"]["mode"] = "default"
    assert page(sandbox, "asana").json()["error"] == "forbidden_scopes"
    assert page(sandbox, "asana", scope="default").status_code == 302


@pytest.mark.parametrize("tool", ["asana", "monday"])
@pytest.mark.parametrize(
    "wrong", [{"code_verifier": "w" * 64}, {"code_verifier": None}, {"redirect_uri": f"{BACK}/x"}, {"client_secret": "x"}, {"grant_type": "password"}]
)
def test_a_stolen_code_is_of_no_use(sandbox: Sandbox, tool: str, wrong: dict[str, str | None]) -> None:
    assert trade(sandbox, tool, code=code(sandbox, tool), **wrong).status_code in (400, 401)


@pytest.mark.parametrize("tool", ["asana", "monday"])
def test_a_verifier_without_a_challenge_is_refused(sandbox: Sandbox, tool: str) -> None:
    got = code(sandbox, tool, code_challenge=None, code_challenge_method=None)
    assert trade(sandbox, tool, code=got).status_code == 400


@pytest.mark.parametrize("tool", PAGE)
def test_a_code_ends(sandbox: Sandbox, tool: str) -> None:
    got = code(sandbox, tool)
    sandbox.knobs.later = 61.0
    assert trade(sandbox, tool, code=got).status_code == 400


@pytest.mark.parametrize("tool", PAGE)
def test_a_no_comes_back_with_the_state(sandbox: Sandbox, tool: str) -> None:
    sandbox.knobs.denied = {tool}
    back = parse_qs(urlsplit(page(sandbox, tool).headers["location"]).query)
    assert (back["error"], back["state"]) == (["access_denied"], ["s"])


@pytest.mark.parametrize(("tool", "life", "rotates"), [("asana", 3600, False), ("monday", 1800, True)])
def test_an_access_ends_and_a_refresh_token_stays_or_works_once(sandbox: Sandbox, tool: str, life: int, rotates: bool) -> None:
    got = trade(sandbox, tool, code=code(sandbox, tool)).json()
    sandbox.knobs.later = life - 5.0
    assert is_known(sandbox, tool, got["access_token"])
    sandbox.knobs.later = life + 5.0
    assert not is_known(sandbox, tool, got["access_token"])
    new = renew(sandbox, tool, got["refresh_token"]).json()
    assert is_known(sandbox, tool, new["access_token"])
    assert ("refresh_token" in new) == rotates
    assert renew(sandbox, tool, got["refresh_token"]).status_code == (400 if rotates else 200)


@pytest.mark.parametrize("tool", REVOKE)
def test_what_is_given_back_is_gone(sandbox: Sandbox, tool: str) -> None:
    got = trade(sandbox, tool, code=code(sandbox, tool)).json()
    form = {"client_id": "id", "client_secret": "secret", "token": got["refresh_token"]}
    assert httpx.post(sandbox.origin + REVOKE[tool], data=form | {"token": got["access_token"]}).status_code == 400
    assert httpx.post(sandbox.origin + REVOKE[tool], data=form | {"client_secret": "x"}).status_code == 401
    assert is_known(sandbox, tool, got["access_token"])
    assert httpx.post(sandbox.origin + REVOKE[tool], data=form).status_code == 200
    assert not is_known(sandbox, tool, got["access_token"])
    assert renew(sandbox, tool, got["refresh_token"]).status_code == 400


def test_the_two_ages_of_monday_do_not_mix(sandbox: Sandbox) -> None:
    form = {"client_id": "id", "client_secret": "secret", "redirect_uri": BACK}
    old = {"code_challenge": None, "code_challenge_method": None, "response_type": None}
    assert httpx.post(f"{sandbox.origin}/monday/oauth2/token", data=form | {"code": code(sandbox, "monday", **old)}).status_code == 400
    sandbox.knobs.apps["monday"]["flow"] = "legacy"
    got = httpx.post(f"{sandbox.origin}/monday/oauth2/token", data=form | {"code": code(sandbox, "monday", **old)}).json()
    assert "refresh_token" not in got
    sandbox.knobs.later = 10.0**8
    assert is_known(sandbox, "monday", got["access_token"])
    assert trade(sandbox, "monday", code=code(sandbox, "monday")).status_code == 400


@pytest.mark.parametrize("tool", ["asana", "monday"])
def test_json_is_not_a_form(sandbox: Sandbox, tool: str) -> None:
    assert httpx.post(sandbox.origin + EXCHANGE[tool], json={"code": "x"}).status_code == 400


def test_a_clickup_grant_goes_with_bearer_and_a_personal_token_without(sandbox: Sandbox) -> None:
    got = trade(sandbox, "clickup", code=code(sandbox, "clickup")).json()
    assert got.keys() == {"access_token"}
    bare = httpx.get(f"{sandbox.origin}{PROBE['clickup']}", headers={"Authorization": got["access_token"]})
    assert bare.status_code == 401
    assert not is_known(sandbox, "clickup", sandbox.world.tokens["clickup"])
