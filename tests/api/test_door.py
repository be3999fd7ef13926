"""Who may come in, what goes round every answer, and how refusals look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.api.problems import ProblemShape
from hub.db import Database
from hub.models import ApiKey
from tests.api import builders as make
from tests.api.conftest import Caller, Clock

Roles = Callable[[str], Caller]


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    ProblemShape.model_validate(body)
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize("header", [None, "Basic aaaa", "Bearer", "Bearer ", "Bearer wrong", "Bearer hub_aaaaaaaa_" + "a" * 43])
def test_without_a_valid_key_nothing_is_shown(app: FastAPI, header: str | None) -> None:
    answer = Caller(app, "")("GET", "/api/v1/tasks", headers={"Authorization": header} if header else {})
    assert problem(answer)["status"] == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_stranger_learns_nothing_about_parameters(app: FastAPI) -> None:
    assert Caller(app, "")("GET", "/api/v1/tasks?nonsense=1", headers={}).status_code == 401


@pytest.mark.parametrize("role", ["admin", "pmo", "viewer", "consumer"])
def test_every_role_may_read(as_role: Roles, role: str) -> None:
    assert as_role(role).get("portfolio").status_code == 200


@pytest.mark.parametrize(("role", "status"), [("admin", 404), ("pmo", 403), ("viewer", 403), ("consumer", 403)])
def test_only_an_admin_may_sync_or_check(as_role: Roles, role: str, status: int) -> None:
    caller = as_role(role)
    for action in ("check", "sync"):
        assert problem(caller("POST", f"/api/v1/connections/{uuid4()}/{action}"))["status"] == status


@pytest.mark.parametrize(("role", "status"), [("admin", 404), ("pmo", 404), ("viewer", 403), ("consumer", 403)])
def test_admins_and_the_pmo_may_say_what_a_status_counts_as(as_role: Roles, role: str, status: int) -> None:
    answer = as_role(role)("PUT", f"/api/v1/status-mappings/{uuid4()}", json={"category": "done"})
    assert problem(answer)["status"] == status


def test_a_use_is_written_once_a_minute(call: Caller, database: Database, clock: Clock) -> None:
    def used() -> Any:
        with database.reading() as session:
            return session.scalars(select(ApiKey.last_used_at)).one()

    call.get("portfolio")
    first = used()
    clock.advance(timedelta(seconds=30))
    call.get("portfolio")
    assert used() == first == make.NOW
    clock.advance(timedelta(seconds=30))
    call.get("portfolio")
    assert used() == make.NOW + timedelta(minutes=1)


@pytest.mark.parametrize("path", ["/api/v1/portfolio", "/docs", "/nowhere", "/api/v1/tasks?x=1", "/static/hub.css", "/healthz"])
def test_every_answer_carries_the_security_headers(call: Caller, path: str) -> None:
    headers = call.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"], headers["referrer-policy"]) == ("nosniff", "DENY", "same-origin")
    assert headers["x-request-id"]


def test_a_request_id_is_echoed_if_it_is_harmless(call: Caller) -> None:
    assert call("GET", "/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert call("GET", "/healthz", headers={"X-Request-Id": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_unknown_paths_and_methods_are_problems(call: Caller) -> None:
    assert problem(call.get("nowhere"))["code"] == "not_found"
    answer = call("DELETE", "/api/v1/tasks")
    assert problem(answer)["code"] == "method_not_allowed"
    assert "GET" in answer.headers["allow"]


def test_an_id_that_is_none_names_nothing(call: Caller) -> None:
    assert problem(call.get("tasks/1"))["status"] == 404
    assert problem(call.get(f"tasks/{uuid4()}"))["status"] == 404


def test_an_unexpected_fault_tells_nothing_of_the_inside(app: FastAPI, call: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    @app.get("/boom")
    def boom() -> None:
        raise RuntimeError("the secret inside")

    answer = call.get("/boom")
    assert problem(answer)["code"] == "internal_error"
    assert "secret inside" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.json()["request_id"] in capsys.readouterr().out


def test_a_body_over_the_limit_is_refused(as_role: Roles) -> None:
    caller = as_role("admin")
    answer = caller("PUT", f"/api/v1/status-mappings/{uuid4()}", content=b"[" + b" " * 1_000_001)
    assert problem(answer)["status"] == 413


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 422), (b'{"category": "great"}', 422), (b"{}", 422), (b'{"category":null,"x":1}', 422)]
)
def test_a_body_that_does_not_fit_is_refused(as_role: Roles, body: bytes, status: int) -> None:
    caller = as_role("admin")
    headers = {"Authorization": f"Bearer {caller.key}", "Content-Type": "application/json"}
    answer = caller("PUT", f"/api/v1/status-mappings/{uuid4()}", content=body, headers=headers)
    assert problem(answer)["status"] == status
    assert answer.json()["errors"]
