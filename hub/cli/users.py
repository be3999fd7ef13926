"""``hub user``, ``hub admin`` and ``hub audit``: people who log in, the first of them, and the record of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from hub.access import audit, grants, links, users
from hub.access.grants import GrantProblem, Subject, Target
from hub.access.keys import Role
from hub.access.users import UserProblem
from hub.cli import house, show
from hub.cli.failures import CannotGoOn, say
from hub.cli.house import House
from hub.cli.record import actor
from hub.models import User

app = typer.Typer(help="People who log in.", no_args_is_help=True)
admin = typer.Typer(help="The first admin.", no_args_is_help=True)
log = typer.Typer(help="What was done and refused.", no_args_is_help=True)
SHOWN = ("email", "name", "role", "created_at", "last_login_at", "disabled_at")
OPENED = "for 7 days the provider's log-in with this verified address is joined to this person, once; then their groups there decide"
HERE = "http://127.0.0.1:8000"
Email = Annotated[str, typer.Argument(help="the person's e-mail address")]


@app.command("add")
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="as it is shown")],
    role: Annotated[Role, typer.Option(help="what they may do")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Add a person and print the link with which they choose a password, or, without local log-in, open them for the provider's."""
    with house.opened() as hub, hub.database.writing() as session:
        try:
            made = users.add(session, email, name, role, house.now())
        except UserProblem as error:
            raise CannotGoOn(str(error)) from error
        audit.add(session, actor(), "user.created", f"user:{made.id}", house.now(), after={"role": made.role})
        link = _link(hub, session, made) if hub.settings.local_login else None
        if link is None:
            _open(session, made)
    if link is not None:
        _print(link, as_json, "choose a password", "a day")
        return
    if as_json:
        show.json({"link": None})
    say(f"hub: added; {OPENED}")


@app.command("reset")
def reset(email: Email, as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Print a link with which a person chooses a new password. The old one holds until then."""
    with house.opened() as hub, hub.database.writing() as session:
        user = _named(session, email)
        if not hub.settings.local_login or users.is_vouched_for(session, user):
            raise CannotGoOn("this person logs in by the log-in provider, not with a password: hub user link joins their log-in there anew")
        audit.add(session, actor(), "password.link_made", f"user:{user.id}", house.now())
        link = _link(hub, session, user)
    _print(link, as_json, "choose a password", "a day")


@app.command("link")
def link_user(email: Email) -> None:
    """Let the log-in provider's person with this address take over this one; from then on their groups decide, and their password is gone."""
    with house.opened() as hub, hub.database.writing() as session:
        if hub.settings.oidc_missing:
            raise CannotGoOn(f"no log-in provider is set up: {', '.join(hub.settings.oidc_missing)}")
        _open(session, _named(session, email))
    say(f"hub: {OPENED}")


def _open(session: Session, user: User) -> None:
    users.open_for_provider(user, house.now())
    audit.add(session, actor(), "user.opened_for_provider", f"user:{user.id}", house.now())


@app.command("list")
def list_users(as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False) -> None:
    """Show all people."""
    with house.opened() as hub, hub.database.reading() as session:
        rows = users.listed(session)
    if as_json:
        for row in rows:
            show.json({each: getattr(row, each) for each in SHOWN})
        return
    states = [users.state(row) for row in rows]
    shown = [(row.email, row.name, row.role, row.last_login_at, state) for row, state in zip(rows, states, strict=True)]
    show.columns(("EMAIL", "NAME", "ROLE", "LAST LOG-IN", "STATE"), shown)


@app.command("disable")
def disable(email: Email) -> None:
    """Shut a person out: sessions end, keys they own are refused, endpoints made with those keys hold events back."""
    with house.opened() as hub, hub.database.writing() as session:
        user = _named(session, email)
        try:
            keys, endpoints = users.disable(session, user, house.now())
        except UserProblem as error:
            raise CannotGoOn(str(error)) from error
        _changed(session, user, {"disabled": False}, {"disabled": True})
    say(f"hub: shut out; {keys} keys are refused and {endpoints} endpoints paused")


@app.command("enable")
def enable(email: Email) -> None:
    """Let a person in again, and their keys; their endpoints stay paused until somebody resumes them."""
    with house.opened() as hub, hub.database.writing() as session:
        user = _named(session, email)
        users.enable(user)
        _changed(session, user, {"disabled": True}, {"disabled": False})
    say("hub: let in again; endpoints that were paused stay so: hub endpoint resume NAME")


@app.command("set-role")
def set_role(email: Email, role: Annotated[Role, typer.Argument(help="what they may do from now on")]) -> None:
    """Give a person another role; they have to log in again."""
    with house.opened() as hub, hub.database.writing() as session:
        user = _named(session, email)
        before = {"role": user.role}
        try:
            users.set_role(session, user, role, house.now())
        except UserProblem as error:
            raise CannotGoOn(str(error)) from error
        _changed(session, user, before, {"role": user.role})
    say(f"hub: {email} is {role.value} now")


@app.command("grant")
def grant(
    email: Email,
    scope: Annotated[list[str] | None, typer.Option(help=f"{grants.CHOICES}; repeatable; replaces what was granted; without it: show it")] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="take back all that was granted")] = False,
) -> None:
    """Say what a person may see, or show what was granted to them."""
    with house.opened() as hub, hub.database.writing() as session:
        user = _named(session, email)
        subject = Subject("user", user.id)
        before = [str(each) for each in grants.listed(session, subject)]
        try:
            if scope or nothing:
                targets = [] if nothing else [Target.parse(each) for each in scope or ()]
                grants.replace(session, subject, targets, house.now(), actor().id)
        except GrantProblem as error:
            raise CannotGoOn(str(error)) from error
        granted = [str(each) for each in grants.listed(session, subject)]
        if granted != before:
            audit.add(session, actor(), "grants.changed", str(subject), house.now(), before={"grants": before}, after={"grants": granted})
    for each in granted:
        show.line(each)
    if not granted:
        say("hub: nothing is granted to this person; viewers and consumers then see nothing")


def _changed(session: Session, user: User, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    audit.add(session, actor(), "user.changed", f"user:{user.id}", house.now(), before=before, after=after)


def _named(session: Session, email: str) -> User:
    found = users.by_email(session, email)
    if found is None:
        raise CannotGoOn("there is nobody with this e-mail address: hub user list shows who there is")
    return found


def _link(hub: House, session: Session, user: User | None) -> str:
    token = links.make(session, house.now(), user_id=user.id if user else None)
    return f"{hub.settings.public_url or HERE}/setup/{token}"


def _print(link: str, as_json: bool, purpose: str, holds: str) -> None:
    if as_json:
        show.json({"link": link})
        return
    show.line(link)
    say(f"hub: whoever opens this link may {purpose}, once, within {holds}; hand it on where nobody else reads it")


# -- the first admin ----------------------------------------------------------------------------------------------------------------


@admin.command("link")
def admin_link(as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Print a link that makes whoever opens it an admin, once, within an hour."""
    with house.opened() as hub, hub.database.writing() as session:
        audit.add(session, actor(), "admin.link_made", None, house.now())
        link = _link(hub, session, None)
    _print(link, as_json, "become an admin", "an hour")


def first_admin_link(hub: House, address: str) -> str | None:
    """A link for the first admin at the address served; none where there is an admin."""
    with hub.database.writing() as session:
        if users.has_admin(session):
            return None
        audit.add(session, actor(), "admin.link_made", None, house.now())
        return f"{hub.settings.public_url or address}/setup/{links.make(session, house.now())}"


# -- the audit log ------------------------------------------------------------------------------------------------------------------


@log.command("list")
def list_audit(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    after: Annotated[int, typer.Option(min=0, help="only rows with a greater id, to go on where a collector has stopped")] = 0,
) -> None:
    """Show what was done, oldest first."""
    with house.opened() as hub, hub.database.reading() as session:
        rows = audit.walk(session, after=after)
        if as_json:
            for row in rows:
                show.json(audit.shape(row))
            return
        shown = [(row.id, row.at, row.actor_kind, row.actor_id, row.address, row.action, row.target) for row in rows]
    show.columns(("ID", "AT", "WHO", "ID", "FROM", "WHAT", "TO WHAT"), shown)


@log.command("verify")
def verify_audit(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
    head: Annotated[str | None, typer.Option(help="the newest hash that an earlier verify told: it must still be in the log")] = None,
) -> None:
    """Compute every hash anew: was a row changed, taken out or slipped in?"""
    with house.opened() as hub, hub.database.reading() as session:
        verdict = audit.verify(session, head)
    if as_json:
        show.json(asdict(verdict))
    if verdict.broken is not None:
        raise CannotGoOn(f"the audit log is not as it was written, from row {verdict.broken} on: compare with the log collector's copy")
    if verdict.lacks_head:
        raise CannotGoOn("the log does not hold that hash: its newest rows were cut off, or it was written anew")
    if not as_json:
        show.line(f"{verdict.rows} rows, all as they were written; the newest hash is {verdict.head}")
