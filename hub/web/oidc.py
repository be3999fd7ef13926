"""There and back again: the two addresses of a log-in by the provider. Both are links, not forms: ``form-action 'self'`` would stop a form that leads
to another site, and nothing is changed by them but with a state and a cookie that fit each other."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from hub.access.entrance import Caller, Wait
from hub.access.oidc import flow
from hub.access.oidc.flow import Back
from hub.access.oidc.pending import LASTS
from hub.access.oidc.refusal import Reason, Refused
from hub.settings import is_loopback
from hub.web.login import cookie_name, front, safe_next, secure, set_cookie, told

CALLBACK = "/login/oidc/callback"
OURS = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
"""A cookie as we make it; whatever else is there was planted, and may be known to somebody."""
LONGEST = {"state": 200, "code": 4_000, "error": 100, "iss": 2_000}
AGAIN = "Go back to the log-in page and try again; if it stays so, tell an admin of this hub, who finds the reason in the hub's log."
WORDS: dict[Reason, tuple[int, str, str]] = {
    Reason.STATE: (400, "Begin again", "This log-in was used already, took too long, or began in another browser. Go back to the log-in page."),
    Reason.CANCELLED: (403, "You were not logged in", "The log-in was cancelled at the provider, or it does not let you use this hub. Ask an admin."),
    Reason.EMAIL: (403, "Your e-mail address is missing", "The provider does not vouch for your address. Have it verified there, then try again."),
    Reason.ROLE: (403, "Not for you yet", "None of your groups may use this hub. Ask an admin of this hub which group you need."),
    Reason.TAKEN: (403, "This address is taken", "Somebody has your e-mail address here. If it is you, an admin can join the two: hub user link"),
    Reason.DISABLED: (403, "You are shut out", "Your account here is disabled. Ask an admin of this hub."),
    Reason.UNREACHABLE: (502, "The log-in provider does not answer", f"Nothing is wrong with your account. {AGAIN}"),
}
ELSE = (502, "The log-in did not work", f"The provider's answer could not be accepted. {AGAIN}")


def router() -> APIRouter:
    made = APIRouter(include_in_schema=False)
    made.add_api_route("/login/oidc", set_out, methods=["GET"], response_class=HTMLResponse)
    made.add_api_route(CALLBACK, come_back, methods=["GET"], response_class=HTMLResponse)
    return made


def set_out(request: Request) -> Response:
    door, provider = front(request), front(request).provider
    if provider is None:
        return _not_here(request)
    back_to = _callback(request)
    if back_to is None:
        return _wrong_address(request)
    wanted = safe_next(request.query_params.get("next"))
    try:
        found = flow.begin(door.database, provider, wanted, _caller(request), _browser(request), back_to, door.now())
    except Refused as refused:
        return _refused(request, refused)
    if isinstance(found, Wait):
        return _too_often(request, found)
    answer = RedirectResponse(found.url, 303, headers={"Cache-Control": "no-store"})
    seconds = int(LASTS.total_seconds())
    answer.set_cookie(_cookie(request), found.browser, max_age=seconds, path="/", secure=secure(request), httponly=True, samesite="lax")
    return answer


def come_back(request: Request) -> Response:
    door, provider, back_to = front(request), front(request).provider, _callback(request)
    if provider is None:
        return _not_here(request)
    if back_to is None:
        return _wrong_address(request)
    try:
        found = flow.finish(door.database, provider, _back(request), _caller(request), back_to, door.now(), door.limits)
    except Refused as refused:
        return _refused(request, refused)
    if isinstance(found, Wait):
        return _too_often(request, found)
    answer = RedirectResponse(found.wanted, 303, headers={"Cache-Control": "no-store"})
    set_cookie(request, answer, found.token)
    answer.delete_cookie(_cookie(request), path="/", secure=secure(request), httponly=True, samesite="lax")
    return answer


def _back(request: Request) -> Back:
    """What is given twice, or is longer than anything we sent or would take, counts as not given."""
    given = {name: request.query_params.getlist(name) for name in LONGEST}
    one = {name: found[0] for name, found in given.items() if len(found) == 1 and len(found[0]) <= LONGEST[name]}
    issuer = "" if len(given["iss"]) > 1 else one.get("iss")
    return Back(_browser(request) or "", one.get("state", ""), one.get("code", ""), one.get("error", ""), issuer)


def _callback(request: Request) -> str | None:
    """Where the provider sends browsers back to: the public address, else this machine. None where the browser came by another address, whose
    cookies would not come back."""
    public, host = front(request).settings.public_url, request.headers.get("host", "")
    if public is not None:
        return f"{public}{CALLBACK}" if urlsplit(public).netloc.lower() == host.lower() else None
    try:
        here = is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return None
    return f"{request.url.scheme}://{host}{CALLBACK}" if here else None


def _cookie(request: Request) -> str:
    return "__Host-hub_oidc" if secure(request) else "hub_oidc"


def _browser(request: Request) -> str | None:
    found = request.cookies.get(_cookie(request))
    return found if found and OURS.fullmatch(found) else None


def _caller(request: Request) -> Caller:
    return Caller(request.client.host if request.client else "", request.headers.get("user-agent"), request.cookies.get(cookie_name(request)))


def _refused(request: Request, refused: Refused) -> Response:
    status, title, words = WORDS.get(refused.reason, ELSE)
    return told(request, status, title, words, {"Cache-Control": "no-store"})


def _too_often(request: Request, wait: Wait) -> Response:
    words = f"There were too many attempts. Try again in {-(-wait.seconds // 60)} min."
    return told(request, 429, "Wait a little", words, {"Retry-After": str(wait.seconds)})


def _not_here(request: Request) -> Response:
    return told(request, 404, "There is no such log-in here", "People log in to this hub with a password.")


def _wrong_address(request: Request) -> Response:
    public = front(request).settings.public_url
    if public is None:
        words = "Log-in by the provider works from this machine only, until an admin sets HUB_PUBLIC_URL."
    else:
        words = f"Open this hub by its own address to log in: {public}"
    return told(request, 400, "Log in at the hub's own address", words)
