"""``hub key create | list | revoke``: keys with which programs ask the API."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.access import keys
from hub.cli import house, show
from hub.cli.failures import CannotGoOn, WrongUsage, say

app = typer.Typer(help="Keys with which programs ask the API.", no_args_is_help=True)
SHOWN = ("name", "role", "prefix", "created_at", "last_used_at", "expires_at", "revoked_at")


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="whose key it is, for the list")],
    role: Annotated[keys.Role, typer.Option(help="what it may do")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Make a key and print it, this once."""
    if not name.strip():
        raise WrongUsage("a key needs a name: --name")
    with house.opened() as hub, hub.database.writing() as session:
        key = keys.create(session, name, role.value, house.now())
    if as_json:
        show.json({"name": name, "role": role.value, "key": key})
        return
    show.line(key)
    say("hub: keep it now; only its fingerprint is stored, so it cannot be shown again")


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
        if not keys.revoke(session, key.removeprefix("hub_").partition("_")[0], house.now()):
            raise CannotGoOn("no active key begins like that: hub key list shows them")
    say("hub: the key is revoked")
