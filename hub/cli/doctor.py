"""``hub doctor``: is everything as it should be, and what is to be done where it is not. Exit code 1 if a person must act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from connectors.errors import ConnectorError
from connectors.records import StatusCategory
from hub import connections, migrate, sealed
from hub.access import users
from hub.cli import failures, house, show
from hub.cli.house import House
from hub.connections import ConnectionProblem
from hub.models import (
    Assignment,
    Connection,
    Coverage,
    Dependency,
    Identity,
    Project,
    Section,
    Status,
    StatusMapping,
    SyncPass,
    Task,
    TaskProject,
    Team,
)
from hub.sync import contact, incidents, pace
from hub.vault import VaultError

CADENCES = {"poll": "edits", "structure": "projects and moves", "full": "everything"}
OK, NOTE, ACT = "ok", "note", "act"


@dataclass(frozen=True, slots=True)
class Finding:
    """level: ok, note (worth knowing), act (a person must do something). ``count`` where something was counted."""

    level: str
    about: str
    words: str
    count: int | None = None


def doctor(
    network: Annotated[bool, typer.Option("--network", help="ask every tool, too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a finding")] = False,
) -> None:
    """Look the hub over: settings, database, keys, connections, completeness."""
    with house.opened() as hub:
        findings = list(look(hub, network=network))
    for each in findings:
        if as_json:
            show.json({"level": each.level, "about": each.about, "words": each.words, "count": each.count})
        else:
            show.line(f"{each.level:5} {each.about}: {each.words}")
    if any(each.level == ACT for each in findings):
        raise typer.Exit(failures.FAILED)


def look(hub: House, *, network: bool) -> Iterator[Finding]:
    """All findings, in the order in which a person would look."""
    yield Finding(OK, "settings", f"database {_where(hub)}, time zone {hub.settings.timezone}, polls every {hub.settings.sync_interval} at the most")
    yield _key(hub)
    yield Finding(OK, "database", f"version {migrate.newest()}, {hub.database.dialect}")
    yield from _login(hub, network=network)
    with hub.database.reading() as session:
        rows = session.scalars(select(Connection).where(Connection.state != "detached").order_by(Connection.name)).all()
        for connection in rows:
            yield _connection(connection, hub)
            yield from _coverage(session, connection)
            yield from _pace(session, connection, hub)
            yield from _incidents(session, connection)
            yield from _statuses(session, connection)
        yield from _dangling(session)
    if not rows:
        yield Finding(NOTE, "connections", "none yet: hub connection add TOOL --name NAME --token-stdin")
    if network:
        yield from (_reach(connection, hub) for connection in rows if connection.secret is not None)


def _where(hub: House) -> str:
    return str((hub.settings.sqlite_path and hub.settings.sqlite_path.absolute()) or hub.database.engine.url.render_as_string(hide_password=True))


def _key(hub: House) -> Finding:
    try:
        _ = hub.vault
    except VaultError as error:
        return Finding(ACT, "key", str(error))
    with hub.database.reading() as session:
        counts = sealed.count(session, hub.vault).values()
    if unreadable := sum(each.unreadable for each in counts):
        return Finding(
            ACT, "key", f"{unreadable} stored secrets were sealed with a key that is not at hand: put it back into HUB_SECRET_KEYS", unreadable
        )
    if former := sum(each.former for each in counts):
        return Finding(NOTE, "key", f"{former} stored secrets are still sealed with a former key: hub rotate-keys", former)
    return Finding(OK, "key", "the key that opens the stored tokens is at hand")


def _login(hub: House, *, network: bool) -> Iterator[Finding]:
    """How people get in, and whether anybody can let others in."""
    chosen, missing = hub.settings, hub.settings.oidc_missing
    secret = chosen.oidc_client_secret is not None
    if missing and (len(missing) < 3 or secret):
        yield Finding(
            ACT, "log-in", f"the log-in provider is half set up, so nobody is offered it: set {', '.join(missing)} too, or none of HUB_OIDC_*"
        )
    if not missing:
        also = " and by password" if chosen.local_login else ", by it only"
        yield Finding(OK, "log-in", f"by the provider {chosen.oidc_issuer}{also}; {len(chosen.oidc_roles)} rules say the role")
        if not secret:
            yield Finding(NOTE, "log-in", "without HUB_OIDC_CLIENT_SECRET only a provider that takes public clients lets the hub ask")
        if chosen.public_url is None:
            yield Finding(NOTE, "log-in", "without HUB_PUBLIC_URL the provider's log-in works from this machine only")
        if network:
            yield _provider(hub)
    with hub.database.reading() as session:
        if not users.has_admin(session):
            yield Finding(NOTE, "log-in", "nobody who is an admin can log in: hub admin link makes the first")


def _provider(hub: House) -> Finding:
    from hub.access.oidc.provider import Provider  # here: it brings the network along
    from hub.access.oidc.refusal import Refused

    try:
        found = Provider(hub.settings, house.now)
        found.keys()
    except Refused as refused:
        return Finding(ACT, "network log-in", f"{refused.detail}: check HUB_OIDC_ISSUER, HUB_PROXY, HUB_CA_BUNDLE and the network")
    return Finding(OK, "network log-in", f"{found.issuer} answers")


def _connection(connection: Connection, hub: House) -> Finding:
    about = f"connection {connection.name}"
    if connection.state == "broken":
        return Finding(ACT, about, f"broken: {connection.last_error}; hub connection rotate {show.word(connection.name)}")
    try:
        connections.opened(connection, hub.vault)
    except (ConnectionProblem, VaultError) as error:
        return Finding(ACT, about, str(error))
    if connection.state == "paused":
        return Finding(NOTE, about, f"paused; hub connection resume {show.word(connection.name)}")
    if connection.last_synced_at is None:
        return Finding(NOTE, about, f"never synced; hub sync {show.word(connection.name)}")
    if connection.last_error:
        return Finding(NOTE, about, f"last error: {connection.last_error}")
    return Finding(OK, about, f"last synced {connection.last_synced_at:%Y-%m-%d %H:%M:%S} UTC")


def _coverage(session: Session, connection: Connection) -> Iterator[Finding]:
    """Coverage in words: how many projects were read whole, which were refused."""
    about = f"completeness {connection.name}"
    rows = session.execute(
        select(Coverage.proof, Coverage.refused, Project.name)
        .join(Project, Project.id == Coverage.container_id)
        .where(Coverage.connection_id == connection.id, Project.deleted_at.is_(None))
    ).all()
    refused = [row for row in rows if row.refused]
    unproved = [row for row in rows if not row.refused and row.proof == "none"]
    if rows and not refused and not unproved:
        yield Finding(OK, about, f"all {len(rows)} projects were read whole")
    for row in refused:
        yield Finding(NOTE, about, f"{row.name!r} cannot be read: {row.refused}")
    if unproved:
        yield Finding(NOTE, about, f"{len(unproved)} of {len(rows)} projects were never read whole; the next complete sync does that", len(unproved))
    open_since = session.scalar(select(SyncPass.started_at).where(SyncPass.connection_id == connection.id, SyncPass.state == "open"))
    if open_since is not None:
        yield Finding(NOTE, about, f"a reading begun at {open_since:%Y-%m-%d %H:%M:%S} UTC is not finished; the next sync goes on with it")


def _pace(session: Session, connection: Connection, hub: House) -> Iterator[Finding]:
    """How fresh it can be, and what that costs."""
    if connection.last_synced_at is None:
        return
    told = pace.told(session, connection, house.now(), hub.settings)
    often = ", ".join(f"{words} every {timedelta(seconds=told[kind]['every_seconds'])}" for kind, words in CADENCES.items())
    of = f" of the {told['allowed_a_day']} that may be used" if told["allowed_a_day"] is not None else ", the plan's limits are not known"
    yield Finding(OK, f"pace {connection.name}", f"{often}; about {told['calls_a_day']} calls a day{of}")


def _incidents(session: Session, connection: Connection) -> Iterator[Finding]:
    for incident in incidents.standing(session, connection.id):
        name = session.scalar(select(Project.name).where(Project.id == incident.container_id))
        words = f"{name!r} since {incident.opened_at:%Y-%m-%d %H:%M} UTC: {incident.detail}; the next full reading looks again"
        yield Finding(NOTE, f"missing data {connection.name}", words)


def _statuses(session: Session, connection: Connection) -> Iterator[Finding]:
    """Statuses in use that count as unknown, or only as a name suggests."""
    used = (
        select(Status.name, func.count(Task.id))
        .join(Task, Task.status_id == Status.id)
        .outerjoin(StatusMapping, StatusMapping.status_id == Status.id)
        .where(Status.connection_id == connection.id, Task.deleted_at.is_(None), Task.status_category == StatusCategory.UNKNOWN.value)
        .group_by(Status.name)
    )
    unknown = session.execute(used).all()
    if unknown:
        names = ", ".join(sorted(f"{name or 'no status'} ({count})" for name, count in unknown))
        yield Finding(
            NOTE,
            f"statuses {connection.name}",
            f"not counted as anything yet: {names}; see GET /api/v1/status-mappings?category=unknown, set with PUT",
            len(unknown),
        )


def _dangling(session: Session) -> Iterator[Finding]:
    """References that point at nothing the hub holds. Some are natural: what the token may not see is referred to by what it may."""
    parent, held = aliased(Task), Task.deleted_at.is_(None)
    kinds: dict[str, Any] = {
        "a task's parent": select(Task.id).where(held, Task.parent_id.is_not(None), ~_exists(parent, Task.parent_id)),
        "a task's project": select(Task.id).where(held, Task.project_id.is_not(None), ~_exists(Project, Task.project_id)),
        "a task's section": select(Task.id).where(held, Task.section_id.is_not(None), ~_exists(Section, Task.section_id)),
        "a task's status": select(Task.id).where(held, Task.status_id.is_not(None), ~_exists(Status, Task.status_id)),
        "a membership's project": select(TaskProject.task_id).where(~_exists(Project, TaskProject.project_id)),
        "an assigned person": select(Assignment.task_id).where(Assignment.kind == "identity", ~_exists(Identity, Assignment.assignee_id)),
        "an assigned team": select(Assignment.task_id).where(Assignment.kind == "team", ~_exists(Team, Assignment.assignee_id)),
        "a dependency's predecessor": select(Dependency.successor_id).where(~_exists(Task, Dependency.predecessor_id)),
        "a dependency's successor": select(Dependency.successor_id).where(~_exists(Task, Dependency.successor_id)),
    }
    counts = {kind: session.scalar(select(func.count()).select_from(wanted.subquery())) or 0 for kind, wanted in kinds.items()}
    for kind, count in counts.items():
        if count:
            yield Finding(NOTE, "references", f"{kind} is not held in {count} cases: the tool names it but does not show it", count)
    if not any(counts.values()):
        yield Finding(OK, "references", "every reference points at something that is held", 0)


def _exists(table: Any, reference: Any) -> Any:
    return select(table.id).where(table.id == reference).exists()


def _reach(connection: Connection, hub: House) -> Finding:
    about = f"network {connection.name}"
    try:
        found = contact.asked(contact.Contact(hub.database, hub.vault, hub.settings, house.now), connection.id)
    except ConnectorError as error:
        return Finding(ACT, about, f"{connection.base_url}: {failures.connector(error)}")
    except (ConnectionProblem, VaultError) as error:
        return Finding(ACT, about, str(error))
    missing = f"; missing: {'; '.join(found.missing)}" if found.missing else ""
    return Finding(OK, about, f"{connection.base_url} answers; {len(found.workspaces)} workspaces{missing}")
