"""``hub connection hooks``: the webhooks by which a tool tells the hub of changes at once; and what other commands have to do with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import select

from hub import connections, models
from hub.cli import failures, house, show
from hub.cli.failures import WrongUsage, say
from hub.cli.house import House
from hub.models import Connection
from hub.sync import hooks as upkeep
from hub.sync.contact import Contact
from hub.sync.hooks import Report, Watch

COLUMNS = ("key", "state", "last_call_at", "last_checked_at", "forged", "error")


def hooks(
    name: Annotated[str, typer.Argument(help="the connection's name, as hub connection list shows it")],
    repair: Annotated[bool, typer.Option("--repair", help="compare with what the tool has, and mend it, now")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a webhook")] = False,
) -> None:
    """Show the webhooks by which the tool tells of changes: their state, last call and last check."""
    with house.opened() as hub:
        with hub.database.reading() as session:
            connection = connections.by_name(session, name)
        report = _repair(hub, connection) if repair else None
        with hub.database.reading() as session:
            rows = [{each: getattr(row, each) for each in COLUMNS} for row in upkeep.rows_of(session, connection.id)]
    _list(hub, connection, rows, as_json=as_json)
    if report is not None:
        _tell(connection, report)
    if report is not None and not report.fine:
        raise typer.Exit(failures.FAILED)


def _repair(hub: House, connection: Connection) -> Report:
    with _progress(connection.name) as watch:
        return upkeep.upkeep(contact_of(hub), connection.id, watch=watch)


def _list(hub: House, connection: Connection, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            show.json(row)
    elif rows:
        show.columns([each.upper().replace("_", " ") for each in COLUMNS], [[row[each] for each in COLUMNS] for row in rows])
    elif hub.settings.public_url is None:
        say(f"hub: {connection.name} has no webhooks: HUB_PUBLIC_URL is not set, so the tool has no address to call")
    else:
        say(f"hub: {connection.name} has no webhooks yet; make them with: hub connection hooks {show.word(connection.name)} --repair")


def _tell(connection: Connection, report: Report) -> None:
    if report.said is not None:
        say(f"hub: {connection.name}: {report.said}")
    else:
        say(
            f"hub: {connection.name}: {report.active} of {report.wanted} webhooks work; "
            f"{report.made} made, {report.restored} restored, {report.removed} removed"
        )
    if report.run_id is not None:
        say(f"hub: what was not told meanwhile is read by the next sync: hub sync {show.word(connection.name)}")
    for error in report.errors:
        say(f"hub: {connection.name}: {error}")


def take_down(hub: House, connection: Connection) -> None:
    """Takes a connection's webhooks down at the tool, as far as it lets us, and says what is left for a person to do."""
    with hub.database.reading() as session:
        if session.scalar(select(models.Hook.id).where(models.Hook.connection_id == connection.id).limit(1)) is None:
            return
    for problem in upkeep.withdraw(contact_of(hub), connection.id):
        say(f"hub: not all webhooks of {connection.name} could be taken down ({problem}): delete them in the tool; the hub answers them no longer")


def keep_signing_secret(name: str) -> None:
    """Stores, from stdin, what the tool signs the calls of an app's webhooks with."""
    if sys.stdin.isatty():
        raise WrongUsage("pipe the secret in, such as: hub connection set NAME --signing-secret-stdin < secret-file")
    text = sys.stdin.read()
    with house.opened() as hub, hub.database.writing() as session:
        connections.keep_signing_secret(connections.by_name(session, name), hub.vault, text)
    say(f"hub: the signing secret of {name} is stored")


def contact_of(hub: House) -> Contact:
    return Contact(hub.database, hub.vault, hub.settings, house.now)


@contextmanager
def _progress(name: str) -> Iterator[Watch]:
    """A bar on a terminal, silence elsewhere: the end says it all."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bars:
        row = bars.add_task(f"{name}: webhooks", total=None)
        yield lambda done, of: bars.update(row, completed=done, total=of)
