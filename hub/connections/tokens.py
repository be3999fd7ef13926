"""Access that a person granted: its tokens, sealed as one, renewed by one process at a time, and kept before they are used.

Where a refresh token works once, two processes that use the same one lose the connection. So whoever renews first takes a lease in the connection's
row (the network is never waited for inside a transaction: on SQLite nobody else could write), the others wait and read what the first one got. The
new pair is stored in one transaction, under the row's lock, before a call is made with it, and neither a stop nor a lost reader interrupts between.

What that cannot hold: a process killed between the vendor's answer and the commit takes a rotating refresh token with it. The next renewal, once the
dead one's lease has ended, is refused, the connection is broken, and a person has to connect again. Where the refresh token stays (no rotation),
nothing is lost.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import anyio
import orjson
from anyio.to_thread import run_sync
from sqlalchemy.orm import Session

from connectors import registry
from connectors.base import Check
from connectors.errors import AuthFailed, ConnectorError, Transient
from connectors.http import Client
from connectors.oauth import App, Exchange, Grant, OAuth
from hub import sealed
from hub.db import Database
from hub.models import Connection
from hub.settings import Settings
from hub.vault import Vault, VaultError

OAUTH = "oauth"
"""The kind of credential, as ``connection.auth_kind`` has it."""
EARLY = timedelta(minutes=5)
"""How long before its end an access token is renewed; of one that lives shortly, a fifth of its life."""
LEASE = timedelta(seconds=240)
"""Longer than one call may take (180 s): while it holds, nobody else sends the same refresh token."""
LOOKS, PAUSE = 60, 0.5
"""How often, and after how many seconds, whoever waits looks whether the other has finished."""
AGAIN = timedelta(seconds=60)
"""A token that is refused so soon after it was given is not renewed again: something else is wrong."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """``refresh`` null: the access token cannot be renewed. ``expires_at`` null: it lasts until it is revoked. ``flow``: which of the tool's ways it
    came by. ``lacks``: scopes that were asked for and not granted."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    renew_at: datetime | None = None
    flow: str = ""
    lacks: tuple[str, ...] = ()

    @classmethod
    def of(cls, grant: Grant, flow: str, now: datetime, lacks: tuple[str, ...] = ()) -> Tokens:
        end = grant.expires_at
        renew_at = None if end is None else end - min(EARLY, max(end - now, timedelta(0)) / 5)
        return cls(grant.access, grant.refresh, end, renew_at, flow, lacks)

    @classmethod
    def load(cls, text: str) -> Tokens:
        said = orjson.loads(text)
        moments = {name: None if said[name] is None else datetime.fromisoformat(said[name]) for name in ("expires_at", "renew_at")}
        return cls(said["access"], said["refresh"], **moments, flow=said["flow"], lacks=tuple(said["lacks"]))

    def dump(self) -> str:
        names = ("access", "refresh", "expires_at", "renew_at", "flow", "lacks")
        return orjson.dumps({name: getattr(self, name) for name in names}).decode()

    def grant(self) -> Grant:
        return Grant(self.access, self.refresh, self.expires_at)

    def fresh(self, now: datetime) -> bool:
        return self.renew_at is None or now < self.renew_at

    def usable(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Keeper:
    """What it takes to keep tokens."""

    database: Database
    vault: Vault
    settings: Settings
    now: Callable[[], datetime]


def app_of(settings: Settings, tool: str) -> App | None:
    """What the tool knows this hub as; None where no admin has registered it."""
    found = settings.oauth.get(tool)
    return None if found is None else App(found.client_id, found.client_secret)


def flow_of(tool: str, base_url: str | None, name: str | None) -> tuple[str, OAuth] | None:
    """The named way into a tool, the usual one where none is named; None where there is none such. Raises ValueError for an address."""
    flows = registry.oauth(tool, base_url)
    wanted = name or next(iter(flows), "")
    return (wanted, flows[wanted]) if wanted in flows else None


def stored(connection: Connection, vault: Vault) -> Tokens | None:
    """The tokens that a connection has now; None where its credential is another. Raises VaultError."""
    if connection.secret is None or connection.auth_kind != OAUTH:
        return None
    return Tokens.load(vault.open(connection.secret, bound_to=sealed.bound_to(Connection.secret, connection.id)))


def keep(connection: Connection, vault: Vault, tokens: Tokens) -> None:
    """Puts tokens in the place of whatever credential was there."""
    connection.secret, connection.auth_kind = vault.seal(tokens.dump(), bound_to=sealed.bound_to(Connection.secret, connection.id)), OAUTH
    connection.renewal_owner = connection.renewal_until = None


class Renewing:
    """A connection's access while it is in use; the ``Renewal`` that connectors ask. Belongs to one event loop."""

    def __init__(
        self,
        keeper: Keeper,
        connection_id: UUID,
        tool: str,
        base_url: str,
        tokens: Tokens,
        client: Client,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._keeper, self._id, self._tool, self._base_url = keeper, connection_id, tool, base_url
        self._held, self._client, self._sleep = tokens, client, sleep
        self._me = f"{os.getpid()}:{uuid4().hex[:12]}"
        self._lock = anyio.Lock()
        self._got_at: datetime | None = None
        self._not_before: datetime | None = None

    async def current(self) -> str:
        """The token to use now. A renewal that fails for a while does no harm while the token at hand is good."""
        if self._rests():
            return self._held.access
        async with self._lock:
            if not self._rests():
                try:
                    await self._renew()
                except Transient:
                    now = self._keeper.now()
                    if not self._held.usable(now):
                        raise
                    self._not_before = now + AGAIN / 2
        return self._held.access

    def _rests(self) -> bool:
        now = self._keeper.now()
        waits = self._not_before is not None and now < self._not_before and self._held.usable(now)
        return self._held.refresh is None or self._held.fresh(now) or waits

    async def instead_of(self, refused: str) -> str | None:
        async with self._lock:
            if self._held.access == refused:
                just_got = self._got_at is not None and self._keeper.now() - self._got_at < AGAIN
                if self._held.refresh is not None and not just_got:
                    await self._renew()
                elif (found := await run_sync(self._now_stored)) is not None:
                    self._held = found
            return self._held.access if self._held.access != refused else None

    async def _renew(self) -> None:
        exchange = self._exchange()
        for _ in range(LOOKS):
            found = await run_sync(self._take)
            if found is True:
                break
            if isinstance(found, Tokens):
                self._held = found
                if found.fresh(self._keeper.now()):
                    return
                continue
            await self._sleep(PAUSE)
        else:
            raise Transient("another process is renewing the access to this tool and has not finished: try again in a few minutes")
        with anyio.CancelScope(shield=True):  # between the vendor's answer and the commit nothing may get lost
            try:
                grant = await exchange.renewed(self._held.refresh or "")
            except ConnectorError as error:
                await run_sync(self._give_back)
                await self._refused(error)
                return
            self._held = await run_sync(self._store, grant)
            self._got_at = self._keeper.now()

    def _exchange(self) -> Exchange:
        app, found = app_of(self._keeper.settings, self._tool), flow_of(self._tool, self._base_url, self._held.flow)
        if app is None or found is None:
            words = f"the access cannot be renewed without HUB_OAUTH_{self._tool.upper()}_CLIENT_ID and _CLIENT_SECRET: set them again"
            raise Transient(words) if self._held.usable(self._keeper.now()) else AuthFailed(words)
        return Exchange(self._client, found[1], app, self._keeper.now)

    async def _refused(self, error: ConnectorError) -> None:
        """A refusal counts only while nobody else has got other tokens."""
        if not isinstance(error, AuthFailed):
            raise error
        found = await run_sync(self._now_stored)
        if found is None:
            raise AuthFailed(f"the tool no longer renews this access ({error}): connect it again", code=error.code, status=error.status) from error
        self._held = found

    # -- in worker threads, each one transaction ------------------------------------------------------------------------------------

    def _take(self) -> Tokens | bool:
        """True: it is ours to renew. False: another is at it. Tokens: another has got these."""
        now = self._keeper.now()
        with self._keeper.database.writing() as session:
            row, found = self._row(session)
            if found.access != self._held.access:
                return found
            if row.renewal_until is not None and row.renewal_until > now and row.renewal_owner != self._me:
                return False
            row.renewal_owner, row.renewal_until = self._me, now + LEASE
            return True

    def _store(self, grant: Grant) -> Tokens:
        made = Tokens.of(grant, self._held.flow, self._keeper.now(), self._held.lacks)
        with self._keeper.database.writing() as session:
            row, found = self._row(session)
            if found.refresh != self._held.refresh:  # a person has connected anew meanwhile
                return found
            keep(row, self._keeper.vault, made)
        return made

    def _give_back(self) -> None:
        with self._keeper.database.writing() as session:
            row = session.get(Connection, self._id, with_for_update=True)
            if row is not None and row.renewal_owner == self._me:
                row.renewal_owner = row.renewal_until = None

    def _now_stored(self) -> Tokens | None:
        """Other tokens than ours, if there are any by now."""
        with self._keeper.database.reading() as session:
            _, found = self._row(session, lock=False)
        return found if found.access != self._held.access else None

    def _row(self, session: Session, *, lock: bool = True) -> tuple[Connection, Tokens]:
        row = session.get(Connection, self._id, with_for_update=lock)
        try:
            found = None if row is None else stored(row, self._keeper.vault)
        except VaultError as error:
            raise Transient(str(error)) from error
        if row is None or found is None:
            raise Transient("the connection was given another credential, or removed: the next contact uses what is there then")
        return row, found


async def give_back(keeper: Keeper, tool: str, base_url: str, tokens: Tokens, client: Client) -> bool:
    """Revokes tokens at the tool; False where it has no way for that, or the hub is no longer registered there. Raises ConnectorError."""
    app, found = app_of(keeper.settings, tool), flow_of(tool, base_url, tokens.flow)
    if app is None or found is None:
        return False
    return await Exchange(client, found[1], app, keeper.now).revoke(tokens.grant())


def without(tokens: Tokens | None, checked: Check) -> Check:
    """What a check found, and what the person did not grant of what was asked."""
    if tokens is None or not tokens.lacks:
        return checked
    return replace(checked, missing=(*checked.missing, f"The tool did not grant: {', '.join(tokens.lacks)}."))


def lasts(tokens: Tokens | None) -> str:
    """How long a credential holds, in words."""
    if tokens is None:
        return "until its owner revokes it in the tool, or an end that was set there; the tool does not tell it"
    if tokens.refresh is not None:
        return "renewed by itself, until somebody revokes it in the tool"
    return "until somebody revokes it in the tool" if tokens.expires_at is None else f"{tokens.expires_at:%Y-%m-%d %H:%M} UTC"
