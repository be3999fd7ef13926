"""monday's OAuth in both ages: ``/oauth2/token`` gives a token that lasts, ``/oauth_ms/oauth/token`` a JWT that ends and a refresh token that works
once. Which of the two an app may use is part of its registration (knob ``apps``: ``"flow": "legacy"``); the page for the person is the same."""

from __future__ import annotations

import base64
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

LIFE = 1800
"""How long an access token of 2.1 lives is not known; it says itself when it ends."""
SCOPES = set(
    """me:read account:read workspaces:read workspaces:write boards:read boards:write users:read users:write teams:read teams:write tags:read
    updates:read updates:write docs:read docs:write webhooks:read webhooks:write assets:read notifications:write""".split()  # noqa: SIM905  one list of words
)


def door(world: World, knobs: Knobs, office: Office) -> Starlette:
    """The addresses of ``auth.monday.com``, here beside ``/v2``."""
    desk = _Desk(world, knobs, office)
    return Starlette(
        routes=[
            Route("/oauth2/authorize", desk.authorize, methods=["GET"]),
            Route("/oauth2/token", _answering(desk.legacy), methods=["POST"]),
            Route("/oauth_ms/oauth/token", _answering(desk.token), methods=["POST"]),
            Route("/oauth_ms/oauth/revoke", _answering(desk.revoke), methods=["POST"]),
        ]
    )


class _Desk:
    def __init__(self, world: World, knobs: Knobs, office: Office) -> None:
        self._world, self._knobs, self._office = world, knobs, office

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        try:
            back = self._office.known_app(asked.get("client_id"), asked.get("redirect_uri"))
            if unknown := set(asked.get("scope", "").split()) - SCOPES:
                raise Denied("invalid_scope", f"unknown: {' '.join(sorted(unknown))}")
            if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
                raise Denied("invalid_request", "code_challenge_method must be S256")
        except Denied as denied:
            return _json({"error": denied.error, "error_description": denied.words}, 400)
        scopes = tuple(asked.get("scope", "").split())
        return RedirectResponse(self._office.consent(back, asked.get("state"), scopes, asked.get("code_challenge")), 302)

    def legacy(self, form: dict[str, Any]) -> dict[str, Any]:
        self._flow("legacy")
        self._office.authenticate(form)
        code = self._office.spend(form)
        access = _jwt({"uid": self._world.me["monday"], "jti": secrets.token_hex(8)})
        self._office.grant(code.scopes, access, None, None)
        return {"access_token": access, "token_type": "Bearer", "scope": " ".join(code.scopes)}

    def token(self, form: dict[str, Any]) -> dict[str, Any]:
        self._flow("2.1")
        self._office.authenticate(form)
        life = self._office.life(LIFE) or LIFE
        claims = {"uid": self._world.me["monday"], "exp": int(self._office.now() + life), "jti": secrets.token_hex(8)}
        access, refresh = _jwt(claims), secrets.token_urlsafe(40)
        if form.get("grant_type") == "refresh_token":
            given = self._office.refreshed(form.get("refresh_token"))
            given.refresh = refresh
            self._office.extend(given, access, life)
        elif form.get("grant_type") == "authorization_code":
            given = self._office.grant(self._office.spend(form).scopes, access, life, refresh)
        else:
            raise Denied("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
        return {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "scope": " ".join(given.scopes)}

    def revoke(self, form: dict[str, Any]) -> dict[str, Any]:
        self._office.authenticate(form)
        self._office.revoke(self._office.refreshed(form.get("token")))
        return {}

    def _flow(self, wanted: str) -> None:
        if self._knobs.apps.get("monday", {}).get("flow", "2.1") != wanted:
            raise Denied("unauthorized_client", "The app's version does not use this flow")


def _jwt(claims: dict[str, Any]) -> str:
    """Has the form of a JWT; nobody here checks the signature, and clients cannot."""
    parts = (orjson.dumps({"alg": "HS256", "typ": "JWT"}), orjson.dumps(claims), secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _answering(act: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
    """The fact sheet does not say in which form the exchange comes; the standard's (form-encoded) is served."""

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
