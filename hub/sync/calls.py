"""Inbound calls of vendors' webhooks: whose door was knocked at, is the caller the vendor, and what did it touch. No HTTP in here.

The last part of an address is 256 random bits of which only the SHA-256 is kept, as with API keys. A genuine call is still no more than a hint:
what it touched is put down, and a run reads the truth.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from connectors import calls as theirs
from connectors import registry
from hub.connections import signing_secret_of
from hub.models import Connection, Hook
from hub.sync import inbox
from hub.vault import Vault

PATH = "/receivers"
OPENING, ACTIVE, SUSPENDED, LOST = "opening", "active", "suspended", "lost"
NOTED_EVERY = timedelta(minutes=1)
READING = ("active", "broken", "paused")
"""States of a connection in which hints are worth keeping."""


@dataclass(frozen=True, slots=True)
class Door:
    """A webhook that may be called. ``open``: its registration is under way, so a handshake is expected. ``reads``: its connection is being read."""

    hook_id: UUID
    connection_id: UUID
    tool: str
    key: str
    hook: theirs.Hook
    open: bool
    reads: bool
    signing_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to answer, and what is to be kept of the call. ``reason``: why it was refused, for the log; null for a genuine one."""

    door: Door
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    touched: tuple[str, ...] = ()
    delivery: str | None = None
    secret: str | None = field(default=None, repr=False)
    reason: str | None = None


def new_address(public_url: str, connection_id: UUID) -> tuple[str, bytes]:
    """A fresh address for a vendor to call, and the ``door`` to keep of it."""
    token = secrets.token_urlsafe(32)
    return f"{prefix(public_url, connection_id)}{token}", door_of(token)


def prefix(public_url: str, connection_id: UUID | str) -> str:
    """How the addresses of a connection's webhooks begin."""
    return f"{public_url}{PATH}/{connection_id}/"


def door_of(token: str) -> bytes:
    """A plain SHA-256 will do: nobody can guess 256 random bits, however fast the hash is."""
    return sha256(token.encode()).digest()


def secret_of(hook_id: UUID) -> str:
    return f"hook:{hook_id}:secret"


def find(session: Session, vault: Vault, connection: str, token: str, now: datetime) -> Door | None:
    """The door behind an address; null where there is none. The same question is asked of the database either way. Raises VaultError."""
    wanted = door_of(token)
    row = session.execute(select(Hook, Connection).join(Connection, Connection.id == Hook.connection_id).where(Hook.door == wanted)).first()
    if row is None or not compare_digest(row.Hook.door, wanted) or str(row.Hook.connection_id) != connection:
        return None
    hook, account = row.Hook, row.Connection
    is_open = hook.state == OPENING and hook.opened_until is not None and hook.opened_until > now
    if hook.state == LOST or (hook.external_id is None and not is_open):
        return None
    return Door(
        hook_id=hook.id,
        connection_id=account.id,
        tool=account.tool,
        key=hook.key,
        hook=theirs.Hook(
            key=hook.key,
            args=hook.args,
            external_id=hook.external_id,
            secret=None if hook.secret is None else vault.open(hook.secret, bound_to=secret_of(hook.id)),
            healthy=hook.state != SUSPENDED,
        ),
        open=is_open,
        reads=account.state in READING,
        signing_secret=None if account.signing_secret is None else vault.open(account.signing_secret, bound_to=signing_secret_of(account.id)),
    )


def judge(door: Door, headers: Mapping[str, str], body: bytes, url: str, now: datetime) -> Verdict:
    """Asks the connector, which verifies the raw bytes. ``headers`` in lower case; ``url``: what the vendor was given. Raises UnknownTool."""
    call = theirs.Call(headers, body, url)
    try:
        received = _received(door, call, now)
    except theirs.Forged as error:
        return Verdict(door, error.status, reason=str(error))
    if received.secret is not None and not door.open:
        return Verdict(door, 403, reason="a handshake that nobody asked for")
    return Verdict(
        door,
        received.status,
        received.headers,
        received.body,
        touched=received.touched if door.reads else (),
        # Ids of calls are unique to the webhook that they belong to, as far as anybody promises.
        delivery=None if received.delivery is None or not door.reads else f"{door.hook_id.hex}:{received.delivery}",
        secret=received.secret,
    )


def _received(door: Door, call: theirs.Call, now: datetime) -> theirs.Received:
    """While a registration is open two kinds of calls are genuine: those signed with the secret that is there already, and a handshake, which a
    connector takes only for a webhook that has neither id nor secret."""
    kind = registry.connector_class(door.tool)
    try:
        return kind.receive(call, door.hook, signing_secret=door.signing_secret, now=now)
    except theirs.Forged:
        if not door.open or door.hook.secret is None:
            raise
        return kind.receive(call, replace(door.hook, external_id=None, secret=None), signing_secret=door.signing_secret, now=now)


def shake(session: Session, vault: Vault, verdict: Verdict, now: datetime) -> bool:
    """Keeps the secret of a handshake. False: the registration is no longer open, or has got another secret already: nobody may replace it."""
    if verdict.secret is None:
        return False
    hook = session.get(Hook, verdict.door.hook_id, with_for_update=True)
    if hook is None or hook.state != OPENING or hook.opened_until is None or hook.opened_until <= now:
        return False
    if hook.shook_at is not None:
        known = "" if hook.secret is None else vault.open(hook.secret, bound_to=secret_of(hook.id))
        return compare_digest(known.encode(), verdict.secret.encode())
    hook.secret, hook.shook_at = vault.seal(verdict.secret, bound_to=secret_of(hook.id)), now
    return True


def keep(session: Session, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Puts calls down, genuine and forged, in a number of statements that does not depend on theirs."""
    genuine = [verdict for verdict in verdicts if verdict.reason is None]
    if lines := [inbox.Line(each.door.connection_id, each.delivery, each.touched) for each in genuine if each.touched or each.delivery]:
        inbox.add_all(session, lines, now)
    quiet = or_(Hook.last_call_at.is_(None), Hook.last_call_at < now - NOTED_EVERY)
    called = sorted({verdict.door.hook_id for verdict in genuine})
    for start in range(0, len(called), inbox.CHUNK):
        session.execute(update(Hook).where(Hook.id.in_(called[start : start + inbox.CHUNK]), quiet).values(last_call_at=now))
    forged: dict[UUID, int] = {}
    for verdict in verdicts:
        if verdict.reason is not None:
            forged[verdict.door.hook_id] = forged.get(verdict.door.hook_id, 0) + 1
    for hook_id, times in forged.items():
        session.execute(update(Hook).where(Hook.id == hook_id).values(forged=Hook.forged + times))
