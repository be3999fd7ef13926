"""``hub connection backfill``: the time before the hub watched, out of the tool's own books; what it costs is said first."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from hub import connections
from hub.cli import failures, house, show
from hub.cli.failures import CannotGoOn, WrongUsage, say
from hub.cli.hooks import contact_of
from hub.cli.record import recorded
from hub.sync import backfill as past
from hub.sync.backfill import Cost


@recorded("connection.backfilled", unless="dry_run")
def backfill(
    name: Annotated[str, typer.Argument(help="the connection's name, as hub connection list shows it")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="how far back from today")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what it would cost")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Read the changes from before the first sync, where the tool keeps them; says first how many calls that takes."""
    with house.opened() as hub:
        with hub.database.reading() as session:
            connection = connections.by_name(session, name)
        contact, day = contact_of(hub), house.now().replace(hour=0, minute=0, second=0, microsecond=0)
        found = past.cost(contact, connection.id, day - timedelta(days=days))
        if found.what is None:
            raise CannotGoOn(f"{name}: the tool keeps no books of the past that the hub can read")
        _say(name, found)
        if dry_run:
            if as_json:
                show.json({"connection": name, "calls": found.calls, "left": found.left, "what": found.what, "since": found.since.isoformat()})
            return
        if not yes:
            if not sys.stdin.isatty():
                raise WrongUsage("it uses up calls of the tool: look with --dry-run, then say --yes")
            typer.confirm("Read it?", abort=True, err=True)
        run = past.fill(contact, connection.id, found.since)
        if run is None:
            raise CannotGoOn(f"{name} is being synced right now: try again when that is over")
        with hub.database.reading() as session:
            begins = connections.by_name(session, name).history_from
    if as_json:
        row = {"connection": name, "state": run.state, "changes": run.created, "requests": run.requests, "errors": run.errors}
        show.json(row | {"history_from": begins.isoformat() if begins else None})
    else:
        say(f"hub: {name}: {run.created} changes kept with {run.requests} calls; movement is known from {begins:%Y-%m-%d %H:%M} UTC on")
    for error in run.errors:
        say(f"hub: {name}: {error}")
    if run.state == "failed":
        raise typer.Exit(failures.FAILED)


def _say(name: str, found: Cost) -> None:
    left = "" if found.left is None else f"; {found.left} may still be used today"
    say(f"hub: {name}: at least {found.calls} calls{left}. It brings {found.what}, since {found.since:%Y-%m-%d}")
