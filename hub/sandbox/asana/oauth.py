"""Asana's OAuth as its specification and fact sheet have it: code with optional PKCE (S256 only), form-encoded exchange, an hour's access, a refresh
token that stays."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hub.sandbox.consent import Denied, Office
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

LIFE = 3600
READ = """attachments custom_fields goals jobs ooo_entries portfolios project_portfolio_settings project_sections project_templates projects
roles stories tags task_custom_types task_templates tasks team_memberships teams time_tracking_categories time_tracking_entries
timesheet_approval_statuses users webhooks workspaces"""
WRITE = """attachments custom_fields ooo_entries portfolios project_portfolio_settings projects roles stories tags tasks time_tracking_categories
timesheet_approval_statuses webhooks"""
DELETE = "attachments ooo_entries projects roles tasks time_tracking_categories webhooks"
IDENTITY = {"openid", "email", "profile"}
GRANULAR = {f"{name}:{right}" for right, names in (("read", READ), ("write", WRITE), ("delete", DELETE)) for name in names.split()}
"""The scopes of the specification, and ``project_sections:read``, which only its texts name."""


def door(world: World, knobs: Knobs, office: Office) -> Starlette:
    """The three addresses beside the API. An app is registered for granular scopes unless the knob ``apps`` says ``"mode": "default"``."""
    desk = _Desk(world, knobs, office)
    return Starlette(
        routes=[
            Route("/-/oauth_authorize", desk.authorize, methods=["GET"]),
            Route("/-/oauth_token", _answering(desk.token), methods=["POST"]),
            Route("/-/oauth_revoke", _answering(desk.revoke), methods=["POST"]),
        ]
    )


class _Desk:
    def __init__(self, world: World, knobs: Knobs, office: Office) -> None:
        self._world, self._knobs, self._office = world, knobs, office

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        try:
            back = self._office.known_app(asked.get("client_id"), asked.get("redirect_uri"))
            if asked.get("response_type") != "code":
                raise Denied("unsupported_response_type", "response_type must be code")
            if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
                raise Denied("invalid_request", "code_challenge_method must be S256")
            scopes = self._scopes(asked.get("scope", "default"))
        except Denied as denied:
            return _json({"error": denied.error, "error_description": denied.words}, 400)
        return RedirectResponse(self._office.consent(back, asked.get("state"), scopes, asked.get("code_challenge")), 302)

    def _scopes(self, text: str) -> tuple[str, ...]:
        """An app has one kind of scopes, and asking for the other fails."""
        wanted = set(text.split()) - IDENTITY
        if wanted - GRANULAR - {"default"}:
            raise Denied("invalid_scope", f"unknown: {' '.join(sorted(wanted - GRANULAR))}")
        mode = self._knobs.apps.get("asana", {}).get("mode", "scopes")
        if ("default" in wanted) != (mode == "default") or ("default" in wanted and len(wanted) > 1):
            raise Denied("forbidden_scopes", "The app is not registered for these scopes")
        return tuple(sorted(wanted))

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        self._office.authenticate(form)
        life = self._office.life(LIFE)
        me, access = self._world.me["asana"], _token()
        said: dict[str, Any] = {"access_token": access, "token_type": "bearer", "expires_in": life}
        if form.get("grant_type") == "refresh_token":
            self._office.extend(self._office.refreshed(form.get("refresh_token")), access, life)
            return said  # without a refresh token: the old one stays in force
        if form.get("grant_type") != "authorization_code":
            raise Denied("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
        code = self._office.spend(form)
        given = self._office.grant(code.scopes, access, life, _token())
        return said | {"refresh_token": given.refresh, "data": {"id": me, "gid": str(me)}}

    def revoke(self, form: dict[str, str]) -> dict[str, Any]:
        self._office.authenticate(form)
        self._office.revoke(self._office.refreshed(form.get("token")))
        return {}


def _token() -> str:
    return f"2/{secrets.randbelow(10**12):012d}/{secrets.randbelow(10**12):012d}:{secrets.token_hex(16)}"


def _answering(act: Callable[[dict[str, str]], dict[str, Any]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return _json({"error": "invalid_request", "error_description": "The body must be form-encoded"}, 400)
        try:
            return _json(act(dict(parse_qsl((await request.body()).decode()))))
        except Denied as denied:
            return _json({"error": denied.error, "error_description": denied.words}, denied.status)

    return endpoint


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
