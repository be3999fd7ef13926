"""Log-in, log-out, the one-time link, and one's own account."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from hub.access import audit, entrance, links, passwords, sessions, users
from hub.access.audit import Actor
from hub.access.entrance import Caller, Let, Wait
from hub.access.keys import Role
from hub.access.passwords import SHORTEST, WeakPassword
from hub.access.users import UserProblem
from hub.access.who import Who
from hub.models import AdminLink, User
from hub.web.desk import frame
from hub.web.login import WHO, Fields, cookie_name, csrf, drop_cookie, front, given, known, safe_next, set_cookie, signed_in, told

RECORDED = "hub.recorded"
Form = Annotated[Fields, Depends(csrf)]
SignedIn = Annotated[Who, Depends(signed_in)]


def router() -> APIRouter:
    made = APIRouter(include_in_schema=False, dependencies=[Depends(_records_itself)])
    made.add_api_route("/login", login_page, methods=["GET"], response_class=HTMLResponse)
    made.add_api_route("/login", log_in, methods=["POST"], response_class=HTMLResponse)
    made.add_api_route("/logout", log_out, methods=["POST"], response_class=HTMLResponse)
    made.add_api_route("/setup/{token}", setup_page, methods=["GET"], response_class=HTMLResponse)
    made.add_api_route("/setup/{token}", set_up, methods=["POST"], response_class=HTMLResponse)
    made.add_api_route("/account", account_page, methods=["GET"], response_class=HTMLResponse)
    made.add_api_route("/account/password", change_password, methods=["POST"], response_class=HTMLResponse)
    made.add_api_route("/account/sessions", end_session, methods=["POST"], response_class=HTMLResponse)
    return made


def _records_itself(request: Request) -> None:
    """What is done here is in the audit log with its own words; refusals are noted at the door."""
    request.scope[RECORDED] = request.method == "POST"


def _page(request: Request, template: str, status: int = 200, *, headers: dict[str, str] | None = None, **values: Any) -> HTMLResponse:
    head = frame(request) if known(request) is not None else {}
    return HTMLResponse(front(request).templates.get_template(template).render(**head, **given(request), **values), status, headers=headers)


def _caller(request: Request) -> Caller:
    return Caller(request.client.host if request.client else "", request.headers.get("user-agent"), request.cookies.get(cookie_name(request)))


# -- in and out ---------------------------------------------------------------------------------------------------------------------


def login_page(request: Request) -> Response:
    wanted = safe_next(request.query_params.get("next"))
    if known(request) is not None:
        return RedirectResponse(wanted, 303)
    return _login(request, wanted)


def _login(request: Request, wanted: str, status: int = 200, *, wait: int = 0, problem: str | None = None, email: str = "") -> Response:
    door, headers = front(request), {"Retry-After": str(wait)} if wait else None
    ways = {"local": door.settings.local_login, "elsewhere": f"/login/oidc?{urlencode({'next': wanted})}" if door.provider else None}
    return _page(request, "login.html", status, headers=headers, next=wanted, problem=problem, email=email, **ways)


def log_in(request: Request, fields: Form) -> Response:
    if not front(request).settings.local_login:
        return _elsewhere(request)
    door, wanted, email = front(request), safe_next(fields.get("next")), fields.get("email", "")[:320]
    found = entrance.log_in(door.database, email, fields.get("password", ""), _caller(request), door.now(), door.limits)
    if isinstance(found, Let):
        return _let_in(request, found.token, wanted)
    if isinstance(found, Wait):
        words = f"There were too many attempts. Try again in {-(-found.seconds // 60)} min."
        return _login(request, wanted, 429, wait=found.seconds, problem=words, email=email)
    return _login(request, wanted, 401, problem="E-mail address or password is wrong.", email=email)


def _elsewhere(request: Request) -> Response:
    return told(request, 404, "No passwords here", "People log in to this hub by their organisation's log-in provider.")


def _let_in(request: Request, token: str, wanted: str) -> Response:
    answer = RedirectResponse(wanted, 303)
    set_cookie(request, answer, token)
    return answer


def log_out(request: Request, who: SignedIn, _fields: Form) -> Response:
    door = front(request)
    if who.user_id is not None and who.session_id is not None:
        with door.database.writing() as session:
            sessions.revoke(session, who.user_id, who.session_id, door.now())
            audit.add(session, audit.actor(who, _caller(request).address), "logout", f"user:{who.user_id}", door.now())
    answer = RedirectResponse("/login", 303)
    drop_cookie(request, answer)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


# -- the one-time link --------------------------------------------------------------------------------------------------------------


def setup_page(request: Request, token: str) -> Response:
    door = front(request)
    with door.database.reading() as session:
        link = _link(request, session, token)
        if link is None:
            return _spent(request)
        user = session.get(User, link.user_id) if link.user_id else None
    return _setup(request, user)


def _link(request: Request, session: Session, token: str) -> AdminLink | None:
    """The link, if it can be used. Where the provider decides, for all or for this person, only an admin's can: the way back in."""
    door = front(request)
    link = links.find(session, token, door.now())
    if link is None or link.user_id is None:
        return link
    return link if door.settings.local_login and not users.is_vouched_for(session, session.get_one(User, link.user_id)) else None


def _spent(request: Request) -> Response:
    words = "Links work once and for a limited time. Ask for a new one, or make one with: hub admin link"
    return told(request, 404, "This link does not work (any more)", words)


def _setup(request: Request, user: User | None, status: int = 200, problem: str | None = None, **typed: str) -> Response:
    values: dict[str, Any] = {"email": user.email if user else "", "name": user.name if user else "", **typed}
    return _page(request, "setup.html", status, person=user, problem=problem, shortest=SHORTEST, **values)


def set_up(request: Request, token: str, fields: Form) -> Response:
    """Makes the first admin, or sets a person's password, and lets them in. The link is spent by success alone."""
    door, password = front(request), fields.get("password", "")
    with door.database.reading() as session:
        link = _link(request, session, token)
        user = session.get(User, link.user_id) if link and link.user_id else None
    if link is None:
        return _spent(request)
    typed = {"email": user.email, "name": user.name} if user else {"email": fields.get("email", "")[:320], "name": fields.get("name", "")[:200]}
    if password != fields.get("again", ""):
        return _setup(request, user, 422, "The two passwords are not the same.", **typed)
    try:
        entered = _use(request, token, link, password, typed)
    except (WeakPassword, UserProblem) as error:
        return _setup(request, user, 422, str(error), **typed)
    return _spent(request) if entered is None else _let_in(request, entered, "/")


def _use(request: Request, token: str, link: AdminLink, password: str, typed: dict[str, str]) -> str | None:
    door, caller = front(request), _caller(request)
    now = door.now()
    made = passwords.made(password, typed["email"], typed["name"])
    with door.database.writing() as session:
        by = Actor("link", None, caller.address)
        if not links.use(session, token, now):
            return None
        if link.user_id is None:
            user = users.add(session, typed["email"], typed["name"], Role.ADMIN, now, password_hash=made)
            audit.add(session, by, "user.created", f"user:{user.id}", now, after={"role": user.role})
        else:
            user = session.get_one(User, link.user_id)
            if user.disabled_at is not None:
                return None
            users.set_password(session, user, made, now)
            audit.add(session, by, "password.set", f"user:{user.id}", now)
        return entrance.enter(session, user, caller, now, door.limits)


# -- one's own account --------------------------------------------------------------------------------------------------------------


def account_page(request: Request, who: SignedIn) -> Response:
    return _account(request, who)


def _account(request: Request, who: Who, status: int = 200, problem: str | None = None, done: str | None = None, wait: int = 0) -> Response:
    door = front(request)
    with door.database.reading() as session:
        user = session.get(User, who.user_id) if who.user_id else None
        opened = sessions.listed(session, user.id, door.now(), door.limits) if user else ()
    zone, has_password = door.settings.zone, door.settings.local_login and user is not None and user.password_hash is not None
    values = {"user": user, "sessions": opened, "when": lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}", "shortest": SHORTEST}
    values["has_password"] = has_password
    return _page(request, "account.html", status, headers={"Retry-After": str(wait)} if wait else None, problem=problem, done=done, **values)


def change_password(request: Request, who: SignedIn, fields: Form) -> Response:
    door, new = front(request), fields.get("password", "")
    if not door.settings.local_login:
        return _elsewhere(request)
    if who.user_id is None:
        return _account(request, who, 409, "The demo's guest has no password.")
    if new != fields.get("again", ""):
        return _account(request, who, 422, "The two passwords are not the same.")
    try:
        found = entrance.change_password(door.database, who.user_id, fields.get("old", ""), new, _caller(request), door.now(), keep=who.session_id)
    except WeakPassword as error:
        return _account(request, who, 422, str(error))
    if isinstance(found, Wait):
        return _account(request, who, 429, f"There were too many attempts. Try again in {-(-found.seconds // 60)} min.", wait=found.seconds)
    if not found:
        return _account(request, who, 422, "The old password is not right.")
    return _account(request, who, done="Your password is changed, and you are logged out everywhere else.")


def end_session(request: Request, who: SignedIn, fields: Form) -> Response:
    """One's own session by its id, or ``others``: all but this one."""
    door, which = front(request), fields.get("session", "")
    if who.user_id is None:
        return _account(request, who, 409, "The demo's guest has no sessions.")
    with door.database.writing() as session:
        if which == "others":
            sessions.revoke_all(session, who.user_id, door.now(), but=who.session_id)
        else:
            sessions.revoke(session, who.user_id, which, door.now())
        by = audit.actor(who, _caller(request).address)
        audit.add(session, by, "session.ended", f"user:{who.user_id}", door.now(), after={"which": "others" if which == "others" else "one"})
    if which == who.session_id:
        request.scope[WHO] = None
        answer = RedirectResponse("/login", 303)
        drop_cookie(request, answer)
        return answer
    return _account(request, who, done="Logged out there.")
