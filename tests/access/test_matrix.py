"""Every route times every role. A new route must say who may use it: by a dependency made with ``allowed`` (API) or ``only`` (pages), or by a name in
one of the lists below, which somebody then has read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from hub.access import keys
from hub.access.keys import Role
from hub.api.door import known_key
from hub.db import Database
from hub.settings import Settings
from hub.web.login import csrf, signed_in
from tests.access.conftest import Browser, person
from tests.api.builders import NOW
from tests.api.conftest import Caller

EVERY = frozenset(Role)
NOTHING = str(UUID(int=0))
FOR_ALL = {
    ("GET", "/healthz"): "says only that the process lives",
    ("GET", "/readyz"): "says only whether it may be sent work",
    ("GET", "/metrics"): "its own rule: this machine or an admin's key (tests/api/test_metrics.py)",
    ("GET", "/openapi.json"): "the same for every hub of this version",
    ("GET", "/docs"): "the same for every hub of this version",
    ("GET", "/login"): "the way in",
    ("POST", "/login"): "the way in, throttled",
    ("GET", "/login/oidc"): "the way in, throttled",
    ("GET", "/login/oidc/callback"): "the way in: the state, the cookie and the provider's word are the permission (tests/access/oidc)",
    ("GET", "/setup/{token}"): "the token is the permission",
    ("POST", "/setup/{token}"): "the token is the permission",
    ("POST", "/receivers/{connection}/{token}"): "the token and the signature are the permission (tests/hub/receivers)",
    ("GET", "/static"): "style sheets and pictures",
}
ANY_KEY = set(
    """read_portfolio list_projects read_project list_containers list_people list_tasks list_milestones read_task read_timeline list_dependencies
    list_connections read_connection list_sync_runs read_sync_run list_coverage list_status_mappings list_figures read_board read_workload read_flow
    read_person read_aging list_changes summarise_changes read_task_history read_policy list_portfolios
    read_portfolio_node read_portfolio_policy read_burn_up list_saved_views read_saved_view save_view change_saved_view delete_saved_view""".split()  # noqa: SIM905  one list of words
)
ONE_S_OWN = {
    *(("POST", "/logout"), ("GET", "/account"), ("POST", "/account/password"), ("POST", "/account/sessions")),
    *(("POST", "/views"), ("POST", "/views/{view_id}"), ("POST", "/views/{view_id}/delete")),
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database; what does is tested on both beside them."""
    return sqlite_url


def methods_of(route: Any) -> list[str]:
    return sorted((route.methods or {"GET"}) - {"HEAD", "OPTIONS"})


def calls(dependant: Any) -> Iterator[Callable[..., Any]]:
    yield dependant.call
    for below in dependant.dependencies:
        yield from calls(below)


def declared(route: Any) -> frozenset[Role] | None:
    """The roles that the route says may use it: all where it only asks who it is, None where it asks nothing."""
    asked = list(calls(route.dependant)) if hasattr(route, "dependant") else []
    named = [frozenset(call.roles) for call in asked if hasattr(call, "roles")]
    if named:
        return frozenset.intersection(*named)
    return EVERY if known_key in asked or signed_in in asked else None


def routes(app: FastAPI) -> list[tuple[str, str, Any]]:
    found = [(method, str(route.path), route) for route in iter_route_contexts(app.routes) for method in methods_of(route)]
    assert len(found) > 80, "the routes were not found: has the framework changed?"
    return found


@pytest.fixture
def settings() -> Settings:
    return Settings(public_url="https://hub.test")


def test_every_route_says_who_may_use_it(app: FastAPI) -> None:
    for method, path, route in routes(app):
        roles, name = declared(route), f"{method} {path}"
        if roles is None:
            assert (method, path) in FOR_ALL, f"{name} asks nobody who they are: add a dependency, or a reason to FOR_ALL"
        elif path.startswith("/api/"):
            assert roles != EVERY or route.name in ANY_KEY, f"{name} is open to every key: use allowed(...), or add {route.name} to ANY_KEY"
        elif path.startswith("/admin") or (method != "GET" and (method, path) not in ONE_S_OWN):
            assert roles != EVERY, f"{name} is open to everybody who is signed in: use only(...)"


def test_the_lists_name_nothing_that_is_gone(app: FastAPI) -> None:
    there = {(method, path) for method, path, _ in routes(app)}
    assert FOR_ALL.keys() | ONE_S_OWN <= there
    assert {route.name for _, path, route in routes(app) if path.startswith("/api/")} >= ANY_KEY


def test_only_admins_reach_credentials_people_keys_and_the_audit_log(app: FastAPI) -> None:
    """Said once more from the other side: a slip in a route's declaration is no slip in this list."""
    private = re.compile(r"/api/v1/(users|keys|audit|connections/.*/)|/admin/(connections|people|keys|audit)")
    guarded = [(method, path, declared(route)) for method, path, route in routes(app) if private.match(path)]
    assert len(guarded) > 15
    assert {roles for _, _, roles in guarded} == {frozenset({Role.ADMIN})}


def test_every_form_s_post_is_proof_against_forgery(app: FastAPI) -> None:
    posts = [(path, route) for method, path, route in routes(app) if method != "GET" and not path.startswith(("/api/", "/receivers/"))]
    assert posts
    for path, route in posts:
        assert csrf in calls(route.dependant), f"POST {path} takes forms from other sites: depend on csrf"


def address(path: str) -> str:
    return re.sub(r"\{\w+\}", NOTHING, path)


@pytest.mark.parametrize("role", list(Role))
def test_every_api_route_keeps_its_word_to_a_key(app: FastAPI, database: Database, role: Role) -> None:
    with database.writing() as session:
        caller = Caller(app, keys.create(session, "k", role.value, NOW))
    for method, path, route in routes(app):
        if not path.startswith("/api/"):
            continue
        answer = caller(method, address(path), json={} if method != "GET" else None)
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        assert answer.status_code != 401, f"{method} {path}"
        assert (answer.status_code == 403) == (role not in (declared(route) or ())), (
            f"{method} {path} answers {answer.status_code} to a key that is {role}"
        )


def test_no_api_route_answers_without_a_key(app: FastAPI) -> None:
    stranger = Caller(app, "")
    for method, path, _ in routes(app):
        if path.startswith("/api/"):
            assert stranger(method, address(path), headers={}).status_code == 401, f"{method} {path}"


@pytest.mark.parametrize("role", list(Role))
def test_every_page_keeps_its_word_to_a_person(app: FastAPI, database: Database, role: Role) -> None:
    person(database, role)
    visitor = Browser(app, "https://hub.test")
    visitor.log_in()
    token = visitor.token("/account")
    for method, path, route in routes(app):
        roles = declared(route)
        if path.startswith("/api/") or roles is None or (method, path) in ONE_S_OWN:
            continue
        answer = visitor(method, address(path), data={"csrf": token} if method == "POST" else None, headers={"Origin": visitor.origin})
        assert answer.status_code < 500, f"{method} {path}"
        assert answer.headers.get("location") != "/login", f"{method} {path}"
        assert ("Your role does not let you" in answer.text) == (role not in roles), f"{method} {path} answers {answer.status_code} to {role}"
        assert (answer.status_code == 403) == (role not in roles), f"{method} {path} answers {answer.status_code} to {role}"


def test_no_page_shows_itself_to_a_stranger(app: FastAPI) -> None:
    stranger = Browser(app, "https://hub.test")
    for method, path, route in routes(app):
        if not path.startswith("/api/") and declared(route) is not None:
            answer = stranger(method, address(path), data={} if method == "POST" else None)
            assert (answer.status_code, answer.headers.get("location", "")[:6]) == (303, "/login"), f"{method} {path} answers {answer.status_code}"
