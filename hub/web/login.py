"""Who looks at a page. ``signed_in`` and ``only`` are what a page depends on, ``csrf`` what a form's POST depends on, ``given`` what a template gets.

    @made.get("/projects")
    def projects(request: Request, who: Annotated[Who, Depends(signed_in)]) -> HTMLResponse:
        return HTMLResponse(template.render(**given(request), ...))             # {{ who.name }}, {{ csrf_token }}

    @made.post("/mapping", dependencies=[Depends(only(Role.ADMIN, Role.PMO))])
    def save(fields: Annotated[Fields, Depends(csrf)]) -> RedirectResponse:     # <input type="hidden" name="csrf" value="{{ csrf_token }}">

A form's token is made from a cookie that other sites can neither read nor set, so nothing has to be stored for it; beside it the browser's own word
on where the form came from (Origin) must be this hub.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

import anyio
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect

from hub.access import sessions
from hub.access.keys import Role
from hub.access.oidc.provider import Provider
from hub.access.sessions import Limits
from hub.access.who import GUEST, Who
from hub.db import Database
from hub.settings import Settings

Fields = ImmutableMultiDict[str, str]
FORM_SECONDS = 10.0
FORM_FIELDS = 5_000
LONGEST_NEXT = 2_000
WHO, SEEN, NEW_BINDING = "hub.who", "hub.session_seen", "hub.new_form_cookie"
"""Keys of the request's scope: who it is, whether the session's use is due to be noted, and a cookie that is to go with the answer."""


@dataclass(frozen=True, slots=True)
class Front:
    """What log-in works with. ``open_home``: the demo, where everybody at this machine is a guest with all rights. ``provider``: who else vouches for
    people, if anybody."""

    database: Database
    settings: Settings
    now: Callable[[], datetime]
    templates: Environment
    open_home: bool = False
    provider: Provider | None = None

    @property
    def limits(self) -> Limits:
        return Limits(self.settings.session_idle, self.settings.session_longest)


class SignInFirst(Exception):
    """Nobody is signed in: on to the log-in page, and back to where they wanted to go."""


class MayNot(Exception):
    """Somebody is signed in who may not see or do this."""


class Forged(Exception):
    """A form that did not come from this hub's own page, or from one that was open too long."""


class TooMuch(Exception):
    """A form that no page of ours sends."""


def front(request: Request) -> Front:
    return cast(Front, request.app.state.front)


def signed_in(request: Request) -> Who:
    """Who looks; raises SignInFirst where nobody is signed in."""
    who = known(request)
    if who is None:
        raise SignInFirst
    return who


def known(request: Request) -> Who | None:
    """Who looks, if anybody is signed in. The session's use is noted after the answer (by ``safety``), so that a busy database delays no reader."""
    if WHO in request.scope:
        return cast("Who | None", request.scope[WHO])
    door, token = front(request), request.cookies.get(cookie_name(request))
    who = GUEST if door.open_home and _is_here(request) else None
    if who is None and token:
        with door.database.reading() as session:
            found = sessions.find(session, token, door.now(), door.limits)
        if found is not None:
            who, request.scope[SEEN] = found
    request.scope[WHO] = who
    return who


def _is_here(request: Request) -> bool:
    """Whether the caller sits at this machine."""
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def only(*roles: Role) -> Callable[[Who], Who]:
    """A dependency that lets only these roles in; the others get a page that says so."""

    def check(who: Annotated[Who, Depends(signed_in)]) -> Who:
        if not who.may(*roles):
            raise MayNot
        return who

    check.roles = roles  # type: ignore[attr-defined]  # the test of all permissions reads them
    return check


# -- forms --------------------------------------------------------------------------------------------------------------------------


def given(request: Request) -> dict[str, Any]:
    """What every template gets: ``who`` (None before log-in) and ``csrf_token``."""
    return {"who": request.scope.get(WHO), "csrf_token": csrf_token(request)}


def csrf_token(request: Request) -> str:
    """The token for this browser's forms. Where it has no cookie yet, the safety middleware gives it one with the answer."""
    binding = _binding(request)
    if binding is None:
        binding = request.scope[NEW_BINDING] = secrets.token_urlsafe(32)
    return _token(binding)


def _binding(request: Request) -> str | None:
    """The session's cookie, else the one that a browser without a session gets with its first form."""
    return request.cookies.get(cookie_name(request)) or request.cookies.get(form_cookie_name(request)) or request.scope.get(NEW_BINDING)


def _token(binding: str) -> str:
    return sha256(f"form:{binding}".encode()).hexdigest()


async def csrf(request: Request) -> Fields:
    """The form's fields, if it came from a page of this hub in this very browser."""
    if not same_origin(request):
        raise Forged
    fields = await _fields(request)
    binding = request.cookies.get(cookie_name(request)) or request.cookies.get(form_cookie_name(request))
    if binding is None or not compare_digest(_token(binding).encode(), fields.get("csrf", "").encode()):
        raise Forged
    return fields


async def _fields(request: Request) -> Fields:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Forged
    try:
        with anyio.fail_after(FORM_SECONDS):
            body = await request.body()
        found = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS, errors="strict")
    except (TimeoutError, ValueError, ClientDisconnect) as error:  # too slow, not a form, or gone
        raise TooMuch from error
    if any("\x00" in text for pair in found for text in pair):  # no browser sends it, and PostgreSQL keeps it in no text
        raise TooMuch
    return ImmutableMultiDict(found)


def same_origin(request: Request) -> bool:
    """What the browser says of where a form came from; one that says nothing is not believed."""
    said = request.headers.get("origin")
    if said is None and (referer := request.headers.get("referer")):
        parts = urlsplit(referer)
        said = f"{parts.scheme}://{parts.netloc}"
    return said is not None and said.lower() == f"{'https' if secure(request) else request.url.scheme}://{request.headers.get('host', '')}".lower()


# -- cookies ------------------------------------------------------------------------------------------------------------------------


def secure(request: Request) -> bool:
    """Whether the browser speaks TLS: to us, to a trusted proxy that says so, or to the public address that the settings name."""
    public = urlsplit(front(request).settings.public_url or "")
    return request.url.scheme == "https" or (public.scheme == "https" and public.netloc.lower() == request.headers.get("host", "").lower())


def cookie_name(request: Request) -> str:
    """Over TLS with the prefix that keeps other hosts of the same domain from setting it."""
    return "__Host-hub_session" if secure(request) else "hub_session"


def form_cookie_name(request: Request) -> str:
    return "__Host-hub_form" if secure(request) else "hub_form"


def set_cookie(request: Request, answer: Response, token: str) -> None:
    """No longer than the browser's own session; the hub ends it earlier by its own clock."""
    answer.set_cookie(cookie_name(request), token, path="/", secure=secure(request), httponly=True, samesite="lax")


def drop_cookie(request: Request, answer: Response) -> None:
    answer.delete_cookie(cookie_name(request), path="/", secure=secure(request), httponly=True, samesite="lax")


# -- ways out -----------------------------------------------------------------------------------------------------------------------


def safe_next(text: str | None) -> str:
    """A path of this hub to go on to, else the home page: nobody is sent to another site from here."""
    if text is None or not text.isascii() or not text.isprintable() or len(text) > LONGEST_NEXT:
        return "/"
    elsewhere = not text.startswith("/") or text.startswith("//") or "\\" in text or urlsplit(text).netloc
    return "/" if elsewhere or urlsplit(text).path in ("/login", "/logout") or text.startswith("/login/") else text


def install(app: FastAPI, door: Front) -> None:
    """The app's ways of saying no to a person."""
    app.state.front = door
    app.add_exception_handler(SignInFirst, _sign_in)
    app.add_exception_handler(MayNot, _may_not)
    app.add_exception_handler(Forged, _forged)
    app.add_exception_handler(TooMuch, _too_much)


def _sign_in(request: Request, _error: Exception) -> Response:
    """A form that was sent when the session had ended is lost; the page that it was on is where to go back to."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = quote(safe_next(wanted), safe="") if request.method == "GET" else "%2F"
    return RedirectResponse(f"/login?next={back}" if back != "%2F" else "/login", 303)


def _may_not(request: Request, _error: Exception) -> Response:
    return told(request, 403, "Not for you", "Your role does not let you see or do this. Ask an admin of this hub if you need it.")


def _forged(request: Request, _error: Exception) -> Response:
    words = "This form was open for too long, or did not come from this hub. Go back, load the page again and send it."
    return told(request, 403, "Send it again", words)


def _too_much(request: Request, _error: Exception) -> Response:
    return told(request, 400, "Not a form of this hub", "What was sent cannot be read as a form of this page.")


def told(request: Request, status: int, title: str, words: str, headers: dict[str, str] | None = None) -> HTMLResponse:
    """A page with one message."""
    page = front(request).templates.get_template("told.html")
    return HTMLResponse(page.render(**given(request), title=title, words=words), status, headers=headers)
