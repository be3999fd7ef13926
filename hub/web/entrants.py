"""Keys & users: who may come in, with which role, to see what. Links and keys are shown once, in the answer to the form that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access import acts, grants, keys, users
from hub.access.grants import GrantProblem, Subject, Target
from hub.access.keys import Role, Scope
from hub.access.scope import BOUND
from hub.access.users import UserProblem
from hub.models import ApiKey, User
from hub.web.desk import Act, Desk, View, Wrong, nothing

HOME = "/admin/keys"
ROLES = {
    Role.ADMIN: "admin: everything, and these pages",
    Role.PMO: "pmo: all that is not private, mappings, portfolios",
    Role.VIEWER: "viewer: sees what is granted",
    Role.CONSUMER: "consumer: events of what is granted, own endpoints",
}
LASTS = {"": "no end", "30": "30 days", "90": "90 days", "365": "a year"}
AT_ONCE = 200


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, HOME, show, Role.ADMIN)
    desk.do(made, f"{HOME}/users", add_user, Role.ADMIN)
    desk.do(made, f"{HOME}/new", add_key, Role.ADMIN)
    desk.add(made, f"{HOME}/users/{{user_id}}", show_user, Role.ADMIN)
    desk.do(made, f"{HOME}/users/{{user_id}}/change", change_user, Role.ADMIN)
    desk.do(made, f"{HOME}/users/{{user_id}}/link", link, Role.ADMIN)
    desk.do(made, f"{HOME}/users/{{user_id}}/grants", grant_user, Role.ADMIN)
    desk.add(made, f"{HOME}/{{key_id}}", show_key, Role.ADMIN)
    desk.do(made, f"{HOME}/{{key_id}}/revoke", revoke, Role.ADMIN)
    desk.do(made, f"{HOME}/{{key_id}}/grants", grant_key, Role.ADMIN)


def show(view: View) -> Response:
    people, held = users.listed(view.session), keys.listed(view.session)
    now = view.day.now
    living = [each for each in held if each.revoked_at is None and (each.expires_at is None or each.expires_at > now)]
    ended = [each for each in held if each not in living]
    shown = living if not view.address.one("ended") else ended
    pages = view.pages(len(shown), AT_ONCE)
    return view.page(
        "keys.html",
        people=people,
        keys=shown[pages.offset : pages.offset + AT_ONCE],
        pages=pages,
        living=len(living),
        ended=len(ended),
        owners={each.id: each.name for each in people},
        roles=ROLES,
        lasts=LASTS,
        choices=grants.CHOICES,
    )


# -- people -------------------------------------------------------------------------------------------------------------------------


def add_user(act: Act) -> Response | str:
    role, local = _role(act), act.desk.settings.local_login
    try:
        with act.desk.database.writing() as session:
            made, token = acts.invite(session, act.fields.get("email", ""), act.fields.get("name", ""), role, act.desk.now(), act.by(), local=local)
            if texts := _texts(act):
                acts.set_grants(session, Subject("user", made.id), texts, act.desk.now(), act.by())
            named = made.name
    except (UserProblem, GrantProblem) as error:
        raise Wrong(422, "This person was not added", str(error)) from error
    return HOME if token is None else _link(act, named, token)


def link(act: Act) -> Response | str:
    with act.desk.database.writing() as session:
        user = _user(session, act)
        named, home = user.name, f"{HOME}/users/{user.id}"
        token = acts.new_link(session, user, act.desk.now(), act.by(), local=act.desk.settings.local_login)
    return home if token is None else _link(act, named, token)


def _link(act: Act, named: str, token: str) -> Response:
    origin = act.desk.settings.public_url or str(act.request.base_url).rstrip("/")
    said = f"With this link {named} chooses a password: once, within a day. Hand it on where nobody else reads it."
    return act.page("once.html", title="A link, shown this once", secret=f"{origin}/setup/{token}", said=said, back=HOME)


def show_user(view: View) -> Response:
    user = view.session.get(User, view.id("user_id", "person"))
    if user is None:
        raise nothing("person")
    return _entrant(view, Subject("user", user.id), Role(user.role), user=user, key=None)


def change_user(act: Act) -> str:
    asked = act.fields.get("do", "")
    role, disabled = (_role(act), None) if asked == "role" else (None, {"disable": True, "enable": False}.get(asked))
    try:
        with act.desk.database.writing() as session:
            user = _user(session, act)
            acts.change_user(session, user, act.desk.now(), act.by(), role=role, disabled=disabled)
            return f"{HOME}/users/{user.id}"
    except UserProblem as error:
        raise Wrong(409, "Not as things stand", str(error)) from error


def grant_user(act: Act) -> str:
    with act.desk.database.writing() as session:
        user = _user(session, act)
        _grant(session, act, Subject("user", user.id))
        return f"{HOME}/users/{user.id}"


# -- keys ---------------------------------------------------------------------------------------------------------------------------


def add_key(act: Act) -> Response:
    lasts, now = act.fields.get("lasts", ""), act.desk.now()
    if lasts not in LASTS:
        raise Wrong(422, "This choice does not exist", "Go back, choose again and send it.")
    ends = now + timedelta(days=int(lasts)) if lasts else None
    scope = Scope.READ if act.fields.get("read") else Scope.FULL
    try:
        with act.desk.database.writing() as session:
            name = act.fields.get("name", "")[:200]
            made, text = acts.issue_key(session, name, _role(act), now, act.by(), granted=_texts(act), scope=scope, expires_at=ends)
            said = f"The key {made.name}, role {made.role}. Programs send it as: Authorization: Bearer KEY. The hub keeps only its fingerprint."
    except ValueError as error:
        raise Wrong(422, "This key was not made", str(error)) from error
    return act.page("once.html", title="A key, shown this once", secret=text, said=said, back=HOME)


def show_key(view: View) -> Response:
    key = view.session.get(ApiKey, view.id("key_id", "key"))
    if key is None:
        raise nothing("key")
    return _entrant(view, Subject("key", key.id), Role(key.role), user=None, key=key)


def revoke(act: Act) -> str:
    with act.desk.database.writing() as session:
        acts.revoke_key(session, _key(session, act), act.desk.now(), act.by())
    return HOME


def grant_key(act: Act) -> str:
    with act.desk.database.writing() as session:
        key = _key(session, act)
        _grant(session, act, Subject("key", key.id))
        return f"{HOME}/{key.id}"


# -- what they may see --------------------------------------------------------------------------------------------------------------


def _entrant(view: View, subject: Subject, role: Role, **values: Any) -> Response:
    held = grants.listed(view.session, subject)
    named = _named(view.session, held)
    return view.page(
        "entrant.html",
        role=role,
        roles=ROLES,
        bound=role in BOUND,
        granted=[{"target": str(each), "name": named.get(str(each), "not there (any more)")} for each in held],
        choices=grants.CHOICES,
        **values,
    )


def _named(session: Session, targets: Sequence[Target]) -> dict[str, str]:
    """{target: what it is called}, a statement for each kind of thing."""
    found = {str(each): each.value or "whatever is not private" for each in targets if each.kind not in grants.ROWS}
    for kind, of in grants.ROWS.items():
        if ids := [UUID(each.value) for each in targets if each.kind == kind]:
            found |= {f"{kind}:{key}": name for key, name in session.execute(select(of.id, of.name).where(of.id.in_(ids)))}
    return found


def _texts(act: Act) -> Sequence[str]:
    """Grants as they are ticked and written, a line or space between them."""
    return list(dict.fromkeys([*act.fields.getlist("grant"), *act.fields.get("grants", "").split()]))


def _grant(session: Session, act: Act, subject: Subject) -> None:
    try:
        acts.set_grants(session, subject, _texts(act), act.desk.now(), act.by())
    except GrantProblem as error:
        raise Wrong(422, "This cannot be granted", f"{error}.") from error


def _role(act: Act) -> Role:
    try:
        return Role(act.fields.get("role", ""))
    except ValueError as error:
        raise Wrong(422, "Choose a role", "Go back, choose one and send it.") from error


def _user(session: Session, act: Act) -> User:
    found = session.get(User, act.id("user_id", "person"))
    if found is None:
        raise nothing("person")
    return found


def _key(session: Session, act: Act) -> ApiKey:
    found = session.get(ApiKey, act.id("key_id", "key"))
    if found is None:
        raise nothing("key")
    return found
