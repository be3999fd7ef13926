"""``hub connection ...``: accounts at the tools. A credential is checked before anything is stored, and never shown."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.errors import AuthFailed
from hub import connections
from hub.cli import backfill, hooks, house, show
from hub.cli.failures import CannotGoOn, WrongUsage, say
from hub.cli.house import House
from hub.cli.record import recorded
from hub.connections import Check, ConnectionProblem, consents
from hub.connections.tokens import Keeper
from hub.models import Connection, Task
from hub.sync import contact
from hub.vault import VaultError

app = typer.Typer(help="Accounts at the tools.", no_args_is_help=True)
app.command("hooks")(hooks.hooks)
app.command("backfill")(backfill.backfill)

Name = Annotated[str, typer.Argument(help="the connection's name, as hub connection list shows it")]
Stdin = Annotated[bool, typer.Option("--token-stdin", help="read the token from stdin")]
Variable = Annotated[str | None, typer.Option("--token-env", metavar="VAR", help="read the token from this environment variable")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@app.command("add")
@recorded("connection.added")
def add(
    tool: Annotated[str, typer.Argument(help="asana, clickup or monday")],
    name: Annotated[str, typer.Option(help="how you call it; shown everywhere")],
    base_url: Annotated[str | None, typer.Option(help="another address than the tool's own")] = None,
    token_stdin: Stdin = False,
    token_env: Variable = None,
    workspace: Annotated[list[str] | None, typer.Option(metavar="ID", help="read this workspace only; may be repeated")] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="CONTAINER", help="leave out this container or project; may be repeated")] = None,
    as_json: Json = False,
) -> None:
    """Connect an account: checks the token, then stores it sealed."""
    if tool not in connections.tools():
        raise WrongUsage(f"no connector for {tool!r}; there are: {', '.join(connections.tools())}")
    try:
        connections.address_of(tool, base_url)
    except ConnectionProblem as error:
        raise WrongUsage(str(error)) from error
    with house.opened() as hub:
        token = read_token(token_stdin, token_env)
        made, check = store(hub, tool, name, token, base_url=base_url, workspaces=workspace or [], excluded=exclude or [])
    _report(made, check, as_json=as_json)
    say(f"hub: stored; next: hub sync {show.word(made.name)}")


def store(
    hub: House, tool: str, name: str, token: str, *, base_url: str | None = None, workspaces: list[str], excluded: list[str]
) -> tuple[Connection, Check]:
    """Checks a credential and stores it with what the check found; nothing is stored where it fails. Raises ConnectorError, ConnectionProblem."""

    def prepare(session: Session) -> Connection:
        return connections.prepare(
            session, hub.vault, tool=tool, name=name, token=token, base_url=base_url, workspaces=workspaces, excluded=excluded, now=house.now()
        )

    with hub.database.reading() as session:
        draft = prepare(session)
    check = connections.look(connections.opened(draft, hub.vault), hub.settings, house.now)
    with hub.database.writing() as session:
        made = prepare(session)
        connections.accept(session, made, check, house.now())
        session.add(made)
        session.flush()
        connections.adopt(session, made)
    return made, check


def read_token(from_stdin: bool, variable: str | None) -> str:
    """The token from where the caller said; typed unseen where a person sits at the terminal."""
    if from_stdin and variable is not None:
        raise WrongUsage("say --token-stdin or --token-env, not both")
    if variable is not None:
        if not (token := os.environ.get(variable, "").strip()):
            raise WrongUsage(f"the variable {variable} is not set or empty: put the token into it")
        return token
    if from_stdin:
        if not (token := sys.stdin.read().strip()):
            raise WrongUsage("stdin held no token: pipe it in, such as: hub connection add ... --token-stdin < token-file")
        return token
    if not sys.stdin.isatty():
        raise WrongUsage("no token given: pipe it in with --token-stdin or name a variable with --token-env")
    return str(typer.prompt("Token", hide_input=True, err=True)).strip()


@app.command("list")
def list_connections(as_json: Json = False) -> None:
    """Show all connections: state, last and next sync, tasks held, last error."""
    with house.opened() as hub, hub.database.reading() as session:
        rows = [
            overview(session, each) for each in session.scalars(select(Connection).where(Connection.state != "detached").order_by(Connection.name))
        ]
    if as_json:
        for row in rows:
            show.json(row)
    elif not rows:
        say("hub: no connection yet: hub connection add TOOL --name NAME --token-stdin")
    else:
        names = ("name", "tool", "state", "last_synced_at", "next_sync_at", "tasks", "last_error")
        show.columns(("NAME", "TOOL", "STATE", "LAST SYNCED", "NEXT SYNC", "TASKS", "LAST ERROR"), [[row[each] for each in names] for row in rows])


def overview(session: Session, connection: Connection) -> dict[str, Any]:
    names = ("id", "name", "tool", "base_url", "state", "last_synced_at", "next_sync_at", "last_error")
    count = select(func.count()).select_from(Task).where(Task.connection_id == connection.id, Task.deleted_at.is_(None))
    return {each: getattr(connection, each) for each in names} | {"tasks": session.scalar(count) or 0}


@app.command("check")
def check(name: Name, as_json: Json = False) -> None:
    """Ask the tool who the token is and what it reaches, now."""
    with house.opened() as hub:
        with hub.database.reading() as session:
            connection_id = connections.by_name(session, name).id
        try:
            found = contact.look(contact.Contact(hub.database, hub.vault, hub.settings, house.now), connection_id)
        except AuthFailed as error:
            with hub.database.reading() as session:
                raise CannotGoOn(connections.by_name(session, name).last_error or str(error)) from error
        with hub.database.reading() as session:
            connection = connections.by_name(session, name)
    _report(connection, found, as_json=as_json)


@app.command("pause")
@recorded("connection.paused")
def pause(name: Name) -> None:
    """Stop syncing a connection and take its webhooks down; what it holds stays."""
    with house.opened() as hub:
        with hub.database.writing() as session:
            connection = connections.by_name(session, name)
            connection.state = "paused"
        hooks.take_down(hub, connection)
    say(f"hub: {name} is paused; go on with: hub connection resume {show.word(name)}")


@app.command("resume")
@recorded("connection.resumed")
def resume(name: Name) -> None:
    """Sync a paused connection again."""
    with house.opened() as hub, hub.database.writing() as session:
        connection = connections.by_name(session, name)
        if connection.state == "broken":
            raise CannotGoOn(f"{name} is broken ({connection.last_error}): give it a new token: hub connection rotate {show.word(name)}")
        connection.state, connection.next_sync_at, connection.hooks_checked_at = "active", None, None
    say(f"hub: {name} is active")


@app.command("rotate")
@recorded("connection.rotated")
def rotate(name: Name, token_stdin: Stdin = False, token_env: Variable = None, as_json: Json = False) -> None:
    """Give a connection a new token for the same account."""
    with house.opened() as hub:
        with hub.database.reading() as session:
            connection = connections.by_name(session, name)
        token = read_token(token_stdin, token_env)
        connections.give_token(connection, hub.vault, token)
        found = connections.look(connections.opened(connection, hub.vault), hub.settings, house.now)
        with hub.database.writing() as session:
            kept = connections.by_name(session, name)
            connections.accept(session, kept, found, house.now())
            kept.secret, kept.auth_kind = connection.secret, connection.auth_kind
            kept.next_sync_at = kept.hooks_checked_at = None
    _report(kept, found, as_json=as_json)
    say("hub: the new token is stored; the old one is forgotten")


@app.command("set")
@recorded("connection.set")
def set_option(
    name: Name,
    choice: Annotated[str | None, typer.Argument(metavar="KEY=JSON", help="an option and its value; KEY= takes it back")] = None,
    signing_secret_stdin: Annotated[bool, typer.Option("--signing-secret-stdin", help="read the app's signing secret from stdin")] = False,
) -> None:
    """Say how a tool's fields are to be understood, such as which column is the status; in force from the next sync."""
    if signing_secret_stdin == (choice is not None):
        raise WrongUsage("say KEY=JSON or --signing-secret-stdin, one of them")
    if choice is None:
        hooks.keep_signing_secret(name)
        return
    key, equals, text = choice.partition("=")
    if not equals:
        raise WrongUsage("write KEY=JSON, for instance timezone='\"Europe/Berlin\"'")
    try:
        value = json.loads(text) if text.strip() else None
    except json.JSONDecodeError as error:
        raise WrongUsage(f"the value of {key} is not JSON ({error.msg}): put quotes round a word") from error
    with house.opened() as hub, hub.database.writing() as session:
        connections.choose(connections.by_name(session, name), hub.vault, hub.settings, key, value, house.now)
    say(f"hub: {key} is " + ("taken back" if value is None else "set") + f"; in force from the next sync: hub sync {show.word(name)}")


@app.command("remove")
@recorded("connection.removed")
def remove(
    name: Name,
    purge: Annotated[bool, typer.Option("--purge", help="delete everything that came through it, too")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Forget a connection's token; its tasks are kept, unless --purge."""
    with house.opened() as hub:
        with hub.database.reading() as session:
            tasks = overview(session, connections.by_name(session, name))["tasks"]
        if purge and not yes:
            if not sys.stdin.isatty():
                raise WrongUsage("--purge deletes for good: say --yes")
            typer.confirm(f"Delete {name} and its {tasks} tasks for good?", abort=True, err=True)
        with hub.database.reading() as session:
            connection = connections.by_name(session, name)
        _refuse_busy(connection, house.now())
        hooks.take_down(hub, connection)
        with hub.database.writing() as session:
            connection = connections.by_name(session, name)
            _refuse_busy(connection, house.now())
            account = _account(hub, connection)
            if purge:
                connections.purge(session, connection)
            else:
                connections.detach(connection, house.now())
        if account is not None and (left := consents.revoke(Keeper(hub.database, hub.vault, hub.settings, house.now), account)):
            say(f"hub: {name}: {left}")
    say(f"hub: {name} is removed" + (f" with its {tasks} tasks" if purge else f"; its {tasks} tasks are kept (--purge would delete them)"))


def _account(hub: House, connection: Connection) -> connections.Opened | None:
    """What is to be given back to the tool; None where nothing can be opened."""
    try:
        return connections.opened(connection, hub.vault)
    except (ConnectionProblem, VaultError):
        return None


def _refuse_busy(connection: Connection, now: datetime) -> None:
    if connection.lease_until is not None and connection.lease_until > now:
        raise CannotGoOn(
            f"{connection.name} is being synced right now: try again when that is over, or first: hub connection pause {connection.name}"
        )


def _report(connection: Connection, check: Check, *, as_json: bool) -> None:
    """What a check found."""
    reached = [{"id": each.external_id, "name": each.name, "kind": each.kind} for each in check.workspaces]
    account = {"id": check.user_external_id, "name": check.user_name, "email": check.user_email}
    if as_json:
        found = {"connection": connection.name, "tool": connection.tool, "user": account, "workspaces": reached}
        lasts = (connection.checked or {}).get("lasts")
        show.json(found | {"plan": check.plan, "limits": dict(check.limits), "missing": list(check.missing), "lasts": lasts})
        return
    show.line(f"{connection.name} ({connection.tool}) at {connection.base_url}")
    who = " ".join(filter(None, (check.user_name, f"<{check.user_email}>" if check.user_email else None))) or check.user_external_id
    limits = ", ".join(f"{name}: {value}" for name, value in check.limits.items())
    show.facts(
        {
            "signed in as": who,
            "workspaces": ", ".join(f"{each['name']} ({each['id']})" for each in reached),
            "plan": check.plan,
            "limits": limits,
            "the credential holds": (connection.checked or {}).get("lasts"),
        }
    )
    for each in check.missing:
        show.line(f"  missing: {each}")
