"""ClickUp's OAuth: the page at the API's root, and an exchange in JSON whose token lasts. No scopes, no refresh, no revocation address."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hub.sandbox.clickup import errors
from hub.sandbox.consent import Denied, Office

CODES = {"invalid_client": (401, "Client not found", "OAUTH_010"), "invalid_redirect_uri": (400, "Redirect URI mismatch", "OAUTH_007")}
"""The vendor documents the codes, not their statuses, and none for a spent code."""


def routes(office: Office) -> list[Route]:
    async def authorize(request: Request) -> Response:
        asked = request.query_params
        try:
            back = office.known_app(asked.get("client_id"), asked.get("redirect_uri"))
        except Denied as denied:
            return Response(errors.page(400, denied.words), 400, media_type=errors.HTML)
        return RedirectResponse(office.consent(back, asked.get("state"), (), None), 302)

    async def token(request: Request) -> Response:
        try:
            form = _read(request.headers.get("content-type", "").partition(";")[0], await request.body())
            office.authenticate(form)
            office.spend(form, with_redirect=False)
        except Denied as denied:
            status, words, code = CODES.get(denied.error, (400, denied.words, "SANDBOX_400"))
            error = errors.VendorError(status, words, code)
            return Response(error.body, error.status, media_type=errors.JSON)
        access = f"{secrets.randbelow(10**8):08d}_{secrets.token_hex(32)}"
        office.grant((), access, None, None)
        return Response(orjson.dumps({"access_token": access}), media_type=errors.JSON)

    return [Route("/", authorize, methods=["GET"]), Route("/v2/oauth/token", token, methods=["POST"])]


def _read(kind: str, body: bytes) -> dict[str, Any]:
    """The specification lists both forms."""
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode()))
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if kind != "application/json" or not isinstance(found, dict) or not {"client_id", "client_secret", "code"} <= found.keys():
        raise Denied("invalid_request", "client_id, client_secret and code are required")
    return found
