"""``hub key create | list | revoke``: keys with which programs ask the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import settings
from hub.access import audit, grants, keys, users
from hub.access.grants import GrantProblem, Subject
from hub.cli import house, show
from hub.cli.failures import CannotGoOn, WrongUsage, say
from hub.cli.record import actor
from hub.models import ApiKey, User
from hub.settings import SettingsError

app = typer.Typer(help="Keys with which programs ask the API.", no_args_is_help=True)
SHOWN = ("name", "role", "scope", "prefix", "owner_user_id", "created_at", "last_used_at", "expires_at", "revoked_at")


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="whose key it is, for the list")],
    role: Annotated[keys.Role, typer.Option(help="what it may do")],
    read_only: Annotated[bool, typer.Option("--read-only", help="nothing that changes anything, whatever the role")] = False,
    expires: Annotated[str | None, typer.Option(help="how long it holds, such as 90d; else until it is revoked")] = None,
    owner: Annotated[str | None, typer.Option(help="the e-mail address of the person whose key it is; it ends with them")] = None,
    scope: Annotated[list[str] | None, typer.Option(help=f"what a viewer's or consumer's key may see: {grants.CHOICES}; repeatable")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Make a key and print it, this once."""
    if not name.strip():
        raise WrongUsage("a key needs a name: --name")
    methods, until = keys.Scope.READ if read_only else keys.Scope.FULL, _until(expires)
    with house.opened() as hub, hub.database.writing() as session:
        person = users.by_email(session, owner) if owner else None
        if owner and person is None:
            raise CannotGoOn("there is nobody with the owner's e-mail address: hub user list shows who there is")
        try:
            key = keys.create(session, name, role.value, house.now(), expires_at=until, scope=methods, owner=person)
            _grant(session, key, scope or [], role, person)
        except ValueError as error:
            raise CannotGoOn(str(error)) from error
        after = {
            "role": role.value,
            "scope": methods.value,
            "expires_at": until,
            "owner_user_id": person.id if person else None,
            "grants": scope or [],
        }
        audit.add(session, actor(), "key.created", f"key:{keys.prefix_of(key)}", house.now(), after=after)
    if as_json:
        show.json({"name": name, "role": role.value, "key": key})
        return
    show.line(key)
    say("hub: keep it now; only its fingerprint is stored, so it cannot be shown again")


def _grant(session: Session, key: str, texts: list[str], role: keys.Role, owner: User | None) -> None:
    try:
        targets = grants.parsed(texts, role, owner_role=owner.role if owner else None)
    except GrantProblem as error:
        raise WrongUsage(f"{error} (--scope, as often as needed)") from error
    row = session.scalars(select(ApiKey).where(ApiKey.prefix == keys.prefix_of(key))).one()
    grants.replace(session, Subject("key", row.id), targets, house.now(), actor().id)


def _until(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    try:
        return house.now() + settings.duration("--expires", expires)
    except SettingsError as error:
        raise WrongUsage(str(error)) from error


@app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False) -> None:
    """Show all keys by their first characters."""
    with house.opened() as hub, hub.database.reading() as session:
        rows = keys.listed(session)
    if as_json:
        for row in rows:
            show.json({each: getattr(row, each) for each in SHOWN})
        return
    shown = [(f"hub_{row.prefix}", row.name, row.role, row.created_at, row.last_used_at, "revoked" if row.revoked_at else "active") for row in rows]
    show.columns(("KEY", "NAME", "ROLE", "MADE", "LAST USED", "STATE"), shown)


@app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(help="its first characters, as hub key list shows them")]) -> None:
    """End a key at once."""
    with house.opened() as hub, hub.database.writing() as session:
        prefix = key.removeprefix("hub_").partition("_")[0]
        if not keys.revoke(session, prefix, house.now()):
            raise CannotGoOn("no active key begins like that: hub key list shows them")
        audit.add(session, actor(), "key.revoked", f"key:{prefix}", house.now())
    say("hub: the key is revoked")
