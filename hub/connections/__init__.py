"""A configured account at a vendor: add, check, change, open. The only room that opens a connection's secret. ``tokens``: access that does not
last, ``consents``: how a person grants it.

The realm, the namespace of all ids, is fixed at the first check: tool, base URL and, where a tool has it, the account. A workspace that another
connection already covers is refused by name, because the same task would be counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import anyio
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from connectors import registry
from connectors.base import Check as Check
from connectors.base import Connector, Credential, Scope
from connectors.http import Client, build_client, check_base_url
from hub import events, models
from hub.connections.tokens import OAUTH, Keeper, Renewing, Tokens, keep, lasts, stored, without
from hub.events import Draft, EventType
from hub.models import Connection
from hub.settings import Settings
from hub.vault import Vault

SYNCED = (
    models.Identity,
    models.Team,
    models.Container,
    models.Project,
    models.Section,
    models.Status,
    models.StatusMapping,
    models.Field,
    models.Task,
    models.Raw,
)
HEARSAY = (models.Hook, models.Inbound, models.Mark, models.Incident)
"""Of no use to another connection: the address of a webhook names its own, and where feeds stand depends on what it was told to read."""
BOOKKEEPING = (models.SyncRun, models.Missing, models.Coverage, models.Change, models.Event)

PERSONAL = "personal_token"
ROOT = UUID("6f1c8f0e-3c1b-5d0c-9a0e-0d7a5c2b9e11")
"""The namespace of realms; arbitrary, fixed for ever."""


def realm_of(tool: str, base_url: str, account: str) -> UUID:
    return uuid5(ROOT, "|".join((tool, base_url.rstrip("/"), account)))


class ConnectionProblem(Exception):
    """What was asked of a connection cannot be done; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything that a run needs of a connection, secret included; lives as long as the run."""

    id: UUID
    name: str
    tool: str
    base_url: str
    credential: Credential
    realm: UUID | None
    scope: Scope
    options: dict[str, Any]
    tokens: Tokens | None = field(default=None, repr=False)

    def connect(self, client: Client, now: Any, keeper: Keeper | None = None) -> Connector:
        """A live connector. ``keeper``: where renewed tokens are kept; without one the token at hand is all there is."""
        renewal = None
        if self.tokens is not None and keeper is not None:
            renewal = Renewing(keeper, self.id, self.tool, self.base_url, self.tokens, client)
        return registry.build(self.tool, self.credential, base_url=self.base_url, options=self.options, client=client, now=now, renewal=renewal)


def tools() -> tuple[str, ...]:
    """The tools that can be connected."""
    return registry.names()


def address_of(tool: str, base_url: str | None) -> str:
    """The base URL that a connection will use, the tool's own where none is given. Raises ConnectionProblem."""
    try:
        return check_base_url(base_url or registry.connector_class(tool).default_base_url)
    except ValueError as error:
        raise ConnectionProblem(str(error)) from error


def look(account: Opened, settings: Settings, now: Any) -> Check:
    """Asks the tool, on a loop of its own, who a credential is that is not stored yet, and what it reaches. Raises ConnectorError; stores nothing."""

    async def ask() -> Check:
        client = build_client(proxy=settings.proxy, ca_bundle=settings.ca_bundle)
        try:
            return without(account.tokens, await account.connect(client, now).check())
        finally:
            await client.aclose()

    return anyio.run(ask)


def choose(connection: Connection, vault: Vault, settings: Settings, key: str, value: Any, now: Any) -> None:
    """Sets one of the connector's mapping options (None: takes it back); in force from the next sync.
    Raises ConnectionProblem where it makes no sense."""
    known = registry.connector_class(connection.tool).choices
    if key not in known:
        raise ConnectionProblem(
            f"{key} is no option of {connection.tool}; there are: " + "; ".join(f"{name}: {what}" for name, what in known.items())
        )
    options = {name: held for name, held in connection.options.items() if name != key} | ({} if value is None else {key: value})
    account = replace(opened(connection, vault), options=options)

    async def build() -> None:
        client = build_client(proxy=settings.proxy, ca_bundle=settings.ca_bundle)
        try:
            account.connect(client, now)
        finally:
            await client.aclose()

    try:
        anyio.run(build)
    except ValueError as error:
        raise ConnectionProblem(str(error)) from error
    connection.options, connection.next_sync_at = options, None


def prepare(
    session: Session,
    vault: Vault,
    *,
    tool: str,
    name: str,
    token: str = "",
    tokens: Tokens | None = None,
    base_url: str | None,
    workspaces: Sequence[str],
    excluded: Sequence[str],
    now: datetime,
) -> Connection:
    """A new connection, not yet checked and not yet in the session, with ``token``, or what a person granted. Raises ConnectionProblem."""
    require_name(session, name)
    if tokens is None and not token.strip():
        raise ConnectionProblem("no token given: pipe it in with --token-stdin or name a variable with --token-env")
    made = Connection(
        id=uuid4(), name=name, tool=tool, base_url=address_of(tool, base_url), created_at=now, state="active", auth_kind="personal_token", options={}
    )
    made.scope = {"workspaces": list(workspaces), "excluded": list(excluded)}
    if tokens is None:
        give_token(made, vault, token)
    else:
        keep(made, vault, tokens)
    return made


def require_name(session: Session, name: str) -> None:
    """Raises ConnectionProblem where a new connection cannot be called so."""
    if not name.strip() or len(name) > 100:
        raise ConnectionProblem("a connection needs a name of 1 to 100 characters: --name")
    if session.scalar(select(Connection.id).where(Connection.name == name)):
        raise ConnectionProblem(f"there is a connection named {name!r} already: choose another name, or: hub connection rotate {name}")


def granted(consent: models.Consent, tokens: Tokens) -> Opened:
    """The account behind tokens that are not stored yet."""
    credential = Credential(token=tokens.access, kind=OAUTH)
    return Opened(uuid4(), consent.name, consent.tool, consent.base_url, credential, None, Scope(), {}, tokens)


def give_token(connection: Connection, vault: Vault, token: str) -> None:
    """Puts a personal token in the place of whatever credential was there."""
    connection.secret, connection.auth_kind = vault.seal(token.strip(), bound_to=secret_of(connection.id)), PERSONAL


def secret_of(connection_id: UUID) -> str:
    return f"connection:{connection_id}:secret"


def signing_secret_of(connection_id: UUID) -> str:
    return f"connection:{connection_id}:signing_secret"


def keep_signing_secret(connection: Connection, vault: Vault, text: str) -> None:
    """Keeps, sealed, what the tool signs the calls of an app's webhooks with. Raises ConnectionProblem where there is none."""
    if not text.strip():
        raise ConnectionProblem("no signing secret given: pipe it in with --signing-secret-stdin")
    connection.signing_secret = vault.seal(text.strip(), bound_to=signing_secret_of(connection.id))


def opened(connection: Connection, vault: Vault) -> Opened:
    """Raises VaultError where the secret's key is not at hand."""
    if connection.secret is None:
        raise ConnectionProblem(f"{connection.name} has no credential: hub connection rotate {connection.name}")
    tokens = stored(connection, vault)
    if tokens is None:
        credential = Credential(token=vault.open(connection.secret, bound_to=secret_of(connection.id)), kind=connection.auth_kind)
    else:
        credential = Credential(token=tokens.access, kind=OAUTH, budget=str(connection.id))
    return Opened(
        id=connection.id,
        name=connection.name,
        tool=connection.tool,
        base_url=connection.base_url,
        credential=credential,
        realm=connection.realm,
        scope=Scope(frozenset(connection.scope.get("workspaces", ())), frozenset(connection.scope.get("excluded", ()))),
        options=connection.options,
        tokens=tokens,
    )


def accept(session: Session, connection: Connection, check: Check, now: datetime, tokens: Tokens | None = None) -> None:
    """Keeps what a successful check found; ``tokens``: of the account that was checked. Raises ConnectionProblem where the credential belongs to
    another account, or reaches what another connection covers."""
    realm = realm_of(connection.tool, connection.base_url, check.account)
    if connection.realm not in (None, realm):
        raise ConnectionProblem(f"this credential belongs to another account than {connection.name} was made with: add it as a connection of its own")
    wanted = set(connection.scope.get("workspaces", ()))
    reached = {workspace.external_id: workspace.name for workspace in check.workspaces}
    if unknown := wanted - reached.keys():
        open_to_it = ", ".join(f"{key} ({name})" for key, name in sorted(reached.items()))
        raise ConnectionProblem(f"the credential does not reach workspace {', '.join(sorted(unknown))}; it reaches: {open_to_it}")
    covered = wanted or reached.keys()
    for other in session.scalars(select(Connection).where(Connection.realm == realm, Connection.id != connection.id, Connection.state != "detached")):
        theirs = set(other.scope.get("workspaces", ())) or {workspace["external_id"] for workspace in (other.checked or {}).get("workspaces", ())}
        if shared := covered & theirs:
            names = ", ".join(reached[key] for key in sorted(shared))
            raise ConnectionProblem(
                f"{names} is already read by the connection {other.name!r}: choose other workspaces with --workspace, or remove that connection"
            )
    connection.realm = realm
    connection.checked = asdict(check) | {"at": now.isoformat(), "lasts": lasts(tokens)}
    connection.last_error = None
    if connection.state == "broken":
        connection.state = "active"
        tell(session, connection, EventType.CONNECTION_RECOVERED, now)


def way_out(name: str, kind: str) -> str:
    """What a person does about a refused credential."""
    if kind == OAUTH:
        return f"connect it again on its page, or give it a token: hub connection rotate {name}"
    return f"give it a new one: hub connection rotate {name}"


def break_off(session: Session, connection: Connection, problem: str, now: datetime) -> None:
    """The credential is no good: nothing is asked with it again until a person has changed it."""
    if connection.state != "broken":
        connection.state = "broken"
        tell(session, connection, EventType.CONNECTION_BROKEN, now, errors=[problem])
    connection.last_error, connection.next_sync_at = problem, None


def tell(session: Session, connection: Connection, kind: EventType, now: datetime, **after: Any) -> None:
    """One event about the connection itself."""
    draft = Draft(kind, "connection", connection.id, {"changed": [], "before": {}, "after": after})
    events.append(session, [draft], connection_id=connection.id, change_set=uuid4(), now=now)


def adopt(session: Session, connection: Connection) -> None:
    """Takes over the rows of a detached connection of the same realm, so that a removed and re-added account keeps its history."""
    former = session.scalars(
        select(Connection).where(Connection.realm == connection.realm, Connection.state == "detached", Connection.id != connection.id)
    ).all()
    for old in former:
        for table in (*SYNCED, *BOOKKEEPING, models.SyncPass):
            session.execute(update(table).where(table.connection_id == old.id).values(connection_id=connection.id))
        open_passes = update(models.SyncPass).where(models.SyncPass.connection_id == connection.id, models.SyncPass.state == "open")
        session.execute(open_passes.values(state="abandoned"))  # begun for another scope
        for hearsay in HEARSAY:
            session.execute(delete(hearsay).where(hearsay.connection_id == old.id))
        connection.history_from = connection.history_from or old.history_from
        connection.last_synced_at = connection.last_synced_at or old.last_synced_at
        session.delete(old)


def by_name(session: Session, name: str) -> Connection:
    """Raises ConnectionProblem naming those that exist."""
    found = session.scalars(select(Connection).where(Connection.name == name, Connection.state != "detached")).first()
    if found is None:
        known = session.scalars(select(Connection.name).where(Connection.state != "detached").order_by(Connection.name)).all()
        raise ConnectionProblem(f"no connection is named {name!r}; there are: {', '.join(known) or 'none yet (hub connection add)'}")
    return found


def detach(connection: Connection, now: datetime) -> None:
    """Forgets the credential and keeps the rows; the name becomes free."""
    connection.state, connection.secret = "detached", None
    connection.name = f"{connection.name} (removed {now:%Y-%m-%d %H:%M:%S})"


def purge(session: Session, connection: Connection) -> None:
    """Deletes a connection and every row that came through it."""
    tasks = select(models.Task.id).where(models.Task.connection_id == connection.id)
    session.execute(delete(models.TaskProject).where(models.TaskProject.task_id.in_(tasks)))
    session.execute(delete(models.Assignment).where(models.Assignment.task_id.in_(tasks)))
    session.execute(delete(models.Dependency).where(models.Dependency.successor_id.in_(tasks)))
    by_hand = (models.Dependency.origin == "hub", models.Dependency.predecessor_id.in_(tasks))  # a tool would have forgotten its own
    session.execute(delete(models.Dependency).where(*by_hand))
    passes = select(models.SyncPass.id).where(models.SyncPass.connection_id == connection.id)
    session.execute(delete(models.Seen).where(models.Seen.pass_id.in_(passes)))
    session.execute(delete(models.FamiliarPage).where(models.FamiliarPage.pass_id.in_(passes)))
    session.execute(delete(models.SyncSlice).where(models.SyncSlice.pass_id.in_(passes)))
    for table in (*SYNCED, *BOOKKEEPING, *HEARSAY, models.SyncPass):
        session.execute(delete(table).where(table.connection_id == connection.id))
    session.delete(connection)
