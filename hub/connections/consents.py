"""A person lets the hub into a tool, in the tool itself: out with a state, back with a code, the code traded for tokens, the tokens checked and kept.

The state is 256 random bits of which only the hash is stored. It belongs to the session that began (or, where an API key did, to its owner), holds
ten minutes and goes with its first use, whatever comes of that use: whoever brings a state from elsewhere burns it. Asked for are the scopes that
reading needs, and those of webhooks where the hub can be called; none that writes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from uuid import UUID

import anyio
from sqlalchemy import delete
from sqlalchemy.orm import Session

from connectors import registry
from connectors.base import Check
from connectors.errors import AuthFailed, ConnectorError
from connectors.http import Client, build_client
from connectors.oauth import Exchange, OAuth, authorize_address
from hub import connections, log, sealed
from hub.access import audit
from hub.access.audit import Actor
from hub.connections import ConnectionProblem
from hub.connections.tokens import Keeper, Tokens, app_of, flow_of, give_back, keep, without
from hub.models import Connection, Consent
from hub.settings import Settings
from hub.vault import Vault

LIFE = timedelta(minutes=10)
CALLBACK = "/connections/oauth/callback"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who begins, and who comes back. ``session_id`` null: no session, but an API key of the person. Both null: the demo's guest."""

    user_id: UUID | None
    session_id: str | None
    actor: Actor


@dataclass(frozen=True, slots=True)
class Begun:
    """``address``: where the person has to go now; holds the state, so it is for that person alone."""

    address: str = field(repr=False)
    tool: str
    scopes: tuple[str, ...]
    expires_at: datetime


def offered(settings: Settings) -> tuple[str, ...]:
    """The tools where this hub is registered as an app; whether that is enough is found out when somebody begins."""
    return tuple(tool for tool in registry.names() if tool in settings.oauth and registry.oauth(tool, None))


def _way(settings: Settings, tool: str) -> tuple[str, str, OAuth] | None:
    """Base URL, name and description of the way into a tool that the settings name. Raises ConnectionProblem where they name none that exists."""
    app = settings.oauth.get(tool)
    if app is None or tool not in registry.names():
        return None
    base_url = connections.address_of(tool, app.base_url)
    found = flow_of(tool, base_url, app.flow)
    if found is None:
        known = ", ".join(registry.oauth(tool, base_url)) or "none"
        raise ConnectionProblem(f"HUB_OAUTH_{tool.upper()}_FLOW is {app.flow or 'not set'}; for {tool} there are: {known}")
    return base_url, *found


def begin(
    session: Session,
    vault: Vault,
    settings: Settings,
    asker: Asker,
    now: datetime,
    *,
    origin: str,
    tool: str = "",
    name: str = "",
    connection: Connection | None = None,
) -> Begun:
    """Where to send the person. ``origin``: under which the hub is called; ``connection``: whose credential is to be replaced, else ``tool`` and
    ``name`` of a new one. Raises ConnectionProblem."""
    tool = tool if connection is None else connection.tool
    way, app = _way(settings, tool), app_of(settings, tool)
    if way is None or app is None:
        names = f"HUB_OAUTH_{tool.upper() or 'TOOL'}_CLIENT_ID and HUB_OAUTH_{tool.upper() or 'TOOL'}_CLIENT_SECRET"
        raise ConnectionProblem(f"this hub is not registered as an app of {tool or 'that tool'}: set {names}, or use a personal token")
    base_url, flow_name, flow = way
    if connection is None:
        connections.require_name(session, name)
    elif connection.base_url != base_url:
        raise ConnectionProblem(f"{connection.name} reads {connection.base_url}, but this hub is registered at {base_url}: use a personal token")
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    scopes = flow.read + (flow.hooks if settings.public_url else ())
    made = Consent(id=_hashed(state), tool=tool, name=name.strip() if connection is None else connection.name, base_url=base_url, flow=flow_name)
    made.redirect_uri, made.scopes, made.connection_id = f"{origin}{CALLBACK}", list(scopes), None if connection is None else connection.id
    made.verifier = vault.seal(verifier, bound_to=sealed.bound_to(Consent.verifier, made.id))
    made.user_id, made.session_id, made.created_at, made.expires_at = asker.user_id, asker.session_id, now, now + LIFE
    session.execute(delete(Consent).where(Consent.expires_at < now))
    session.add(made)
    address = authorize_address(flow, app.client_id, redirect_uri=made.redirect_uri, state=state, scopes=scopes, verifier=verifier)
    return Begun(address, tool, scopes, made.expires_at)


def _hashed(state: str) -> str:
    return sha256(state.encode()).hexdigest()


def finish(keeper: Keeper, said: Mapping[str, str], asker: Asker) -> UUID:
    """What the person's browser brought back from the tool becomes a connection, or its new credential; returns the connection's id. A new one is
    paused until its scope is chosen. Raises ConnectionProblem, ConnectorError, VaultError; then nothing is stored, and the state is spent."""
    consent = _claimed(keeper, said.get("state", ""), asker)
    if said.get("error"):
        reason = said.get("error_description") or said["error"]
        raise ConnectionProblem(f"{consent.tool} says that access was not granted ({log.without_secrets(reason[:200])})")
    if not said.get("code"):
        raise ConnectionProblem(f"{consent.tool} sent no code: begin again")
    found = anyio.run(partial(_traded, keeper, consent, said["code"]))
    try:
        return _kept(keeper, consent, *found, asker)
    except ConnectionProblem:
        anyio.run(partial(_returned, keeper, consent, found[0]))
        raise


def _claimed(keeper: Keeper, state: str, asker: Asker) -> Consent:
    with keeper.database.writing() as session:
        consent = session.get(Consent, _hashed(state), with_for_update=True)
        if consent is not None:
            session.delete(consent)
    if consent is None:
        raise ConnectionProblem("this way back was used already, or nobody set out on it: begin again")
    if consent.expires_at <= keeper.now():
        raise ConnectionProblem("it took longer than ten minutes: begin again")
    if consent.user_id != asker.user_id or (consent.session_id is not None and consent.session_id != asker.session_id):
        log.get("oauth").warning("somebody came back from a tool with another person's state", tool=consent.tool)
        raise ConnectionProblem("somebody else set out on this way, or your log-in ended meanwhile: begin again")
    return consent


async def _traded(keeper: Keeper, consent: Consent, code: str) -> tuple[Tokens, Check]:
    """Tokens for the code, and who they are. Tokens that turn out to be no good are given back."""
    app, found = app_of(keeper.settings, consent.tool), flow_of(consent.tool, consent.base_url, consent.flow)
    if app is None or found is None:
        raise ConnectionProblem(f"this hub is no longer registered as an app of {consent.tool}")
    verifier = keeper.vault.open(consent.verifier, bound_to=sealed.bound_to(Consent.verifier, consent.id))
    client = build_client(proxy=keeper.settings.proxy, ca_bundle=keeper.settings.ca_bundle)
    try:
        exchange = Exchange(client, found[1], app, keeper.now)
        try:
            grant = await exchange.code(code, redirect_uri=consent.redirect_uri, verifier=verifier)
        except AuthFailed as error:
            raise ConnectionProblem(_refusal(consent.tool, found[1], error)) from error
        lacks = () if grant.scopes is None else tuple(sorted(set(consent.scopes) - set(grant.scopes)))
        tokens = Tokens.of(grant, consent.flow, keeper.now(), lacks)
        account = connections.granted(consent, tokens)
        try:
            return tokens, without(tokens, await account.connect(client, keeper.now).check())
        except ConnectorError:
            await _give_back(keeper, consent, tokens, client)
            raise
    finally:
        await client.aclose()


def _refusal(tool: str, flow: OAuth, error: AuthFailed) -> str:
    if error.code in flow.unknown_app:
        return f"{tool} does not know this hub ({error}): correct HUB_OAUTH_{tool.upper()}_CLIENT_ID and HUB_OAUTH_{tool.upper()}_CLIENT_SECRET"
    return f"{tool} did not take the code ({error}): begin again"


def _kept(keeper: Keeper, consent: Consent, tokens: Tokens, check: Check, asker: Asker) -> UUID:
    now = keeper.now()
    with keeper.database.writing() as session:
        if consent.connection_id is None:
            made = connections.prepare(
                session,
                keeper.vault,
                tool=consent.tool,
                name=consent.name,
                tokens=tokens,
                base_url=consent.base_url,
                workspaces=[],
                excluded=[],
                now=now,
            )
            connections.accept(session, made, check, now, tokens)
            made.state = "paused"
            session.add(made)
            session.flush()
            connections.adopt(session, made)
        else:
            found = session.get(Connection, consent.connection_id, with_for_update=True)
            if found is None or found.state == "detached":
                raise ConnectionProblem(f"{consent.name} was removed meanwhile")
            made = found
            connections.accept(session, made, check, now, tokens)
            keep(made, keeper.vault, tokens)
            made.next_sync_at = made.hooks_checked_at = None
        action = "connection.added" if consent.connection_id is None else "connection.rotated"
        audit.add(session, asker.actor, action, f"connection:{made.id}", now, after={"tool": made.tool, "name": made.name, "granted": consent.scopes})
        return made.id


async def _returned(keeper: Keeper, consent: Consent, tokens: Tokens) -> None:
    client = build_client(proxy=keeper.settings.proxy, ca_bundle=keeper.settings.ca_bundle)
    try:
        await _give_back(keeper, consent, tokens, client)
    finally:
        await client.aclose()


async def _give_back(keeper: Keeper, consent: Consent, tokens: Tokens, client: Client) -> None:
    """What is not kept is not left lying about; if the tool does not take it back, the log says so."""
    try:
        await give_back(keeper, consent.tool, consent.base_url, tokens, client)
    except ConnectorError as error:
        log.get("oauth").warning("access that was not used could not be given back", tool=consent.tool, error=str(error))


def revoke(keeper: Keeper, account: connections.Opened) -> str | None:
    """Gives a removed connection's access back to its tool; returns what a person has to do, where that did not go. None: nothing is left to do."""
    tokens = account.tokens
    if tokens is None:
        return None

    async def give() -> bool:
        client = build_client(proxy=keeper.settings.proxy, ca_bundle=keeper.settings.ca_bundle)
        try:
            return await give_back(keeper, account.tool, account.base_url, tokens, client)
        finally:
            await client.aclose()

    try:
        given = anyio.run(give)
    except ConnectorError as error:
        return f"the tool did not take its access back ({error}): revoke it in the tool's own settings"
    return None if given else "the hub has forgotten its access; end it in the tool's own settings, too, under the apps that are connected there"
