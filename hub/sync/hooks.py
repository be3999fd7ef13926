"""Keeps a connection's webhooks as they should be: compares what is wanted with what the vendor has and with our rows, and mends the difference.

A registration is written down, and committed, before the vendor is asked: its handshake may arrive while the question is still open, in another
process. One that died half-way is found by its open row. The vendor's list is asked for first and our rows are read after it, so that what another
process registers meanwhile is never taken for a stray.

What the vendor had suspended or dropped told nothing meanwhile: once it is restored, a full run is asked for. Until then polls and walks find it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from connectors.base import Connector, Known
from connectors.calls import Hook
from connectors.errors import AuthFailed, ConnectorError, RateLimited
from connectors.http import Client, build_client
from hub import log, models
from hub.connections import ConnectionProblem, Opened, opened
from hub.models import Connection
from hub.sync import inbox, marks, runs
from hub.sync.calls import ACTIVE, LOST, OPENING, SUSPENDED, new_address, secret_of
from hub.sync.contact import Contact, refused
from hub.sync.hook_plan import Action, Deed, Situation, plan
from hub.sync.reader import first
from hub.vault import VaultError

AT_ONCE = 4
TRUSTED = timedelta(hours=1)
OPEN_FOR = timedelta(minutes=5)
"""How long a registration may take, waits for the vendor's limit included."""
RESTORED = "webhook restored"

Watch = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """What an upkeep did. ``said``: why nothing was to be done. ``errors``: sentences. ``retry_after``: seconds, where the vendor's limit put it off.
    ``run_id``: the run that closes the gap that a restored one leaves."""

    wanted: int = 0
    active: int = 0
    made: int = 0
    restored: int = 0
    removed: int = 0
    said: str | None = None
    errors: list[str] = field(default_factory=list)
    retry_after: float | None = None
    run_id: UUID | None = None

    @property
    def fine(self) -> bool:
        return not self.errors


def upkeep(
    contact: Contact, connection_id: UUID, *, sparing: bool = False, client: Client | None = None, watch: Watch = lambda _done, _of: None
) -> Report:
    """Brings the webhooks of a connection into order, on a loop of its own; what fails is in the report and tried again the next time. ``sparing``:
    the vendor is not asked within ``TRUSTED`` of the last time while all that is wanted is written down as active."""
    report = Report()
    try:
        with contact.database.writing() as session:
            connection = session.get_one(Connection, connection_id)
            before, now = connection.hooks_checked_at, contact.now()
            inbox.forget(session, connection_id, now)
            state = connection.state
            if state not in ("active", "paused"):
                report.said = f"{connection.name} is {state}"
                return report
            trusted = sparing and before is not None and before > now - TRUSTED
            if not trusted:
                connection.hooks_checked_at = now
        if state == "paused":  # nobody reads what they would tell; once it goes on they are made again
            report.said = f"{connection.name} is paused"
            report.errors += withdraw(contact, connection_id, client=client)
            return report
        account = opened(connection, contact.vault)
        anyio.run(partial(_with_client, contact, account, client, lambda mending: mending.all(report, watch, trusted=trusted)))
    except AuthFailed as error:
        refused(contact, connection_id, error, paused_too=False)
        note(report, error)
    except (ConnectorError, ConnectionProblem, VaultError) as error:
        note(report, error)
    return report


def withdraw(contact: Contact, connection_id: UUID, *, client: Client | None = None) -> list[str]:
    """Takes all webhooks of a connection down at the vendor, as far as it lets us, and forgets them; gives what went wrong, in sentences."""
    report = Report()
    with contact.database.reading() as session:
        rows = rows_of(session, connection_id)
        connection = session.get_one(Connection, connection_id)
    if rows:
        try:
            account = opened(connection, contact.vault)
            anyio.run(partial(_with_client, contact, account, client, lambda mending: mending.take_down(report, rows)))
        except (ConnectorError, ConnectionProblem, VaultError) as error:
            note(report, error)
    with contact.database.writing() as session:
        session.execute(delete(models.Hook).where(models.Hook.connection_id == connection_id))
    return report.errors


async def _with_client(contact: Contact, account: Opened, given: Client | None, act: Callable[[_Mending], Awaitable[None]]) -> None:
    client = given or build_client(proxy=contact.settings.proxy, ca_bundle=contact.settings.ca_bundle)
    try:
        await act(_Mending(contact, account, account.connect(client, contact.now, contact)))
    finally:
        if given is None:
            await client.aclose()


@dataclass(slots=True)
class _Mending:
    """One connection's webhooks being put in order. ``stopped``: by an error after which the others need not be tried."""

    contact: Contact
    account: Opened
    connector: Connector
    report: Report = field(default_factory=Report)
    stopped: bool = False

    async def all(self, report: Report, watch: Watch, *, trusted: bool) -> None:
        self.report = report
        if not self.connector.capabilities.hooks:
            report.said = "this tool tells nothing by webhooks"
            return
        if self.contact.settings.public_url is None and not await run_sync(self._rows):
            report.said = "HUB_PUBLIC_URL is not set: the tool has no address to call"
            return
        self.connector.know(await run_sync(self._known))
        if trusted and await self._in_order():
            report.said = "all were in order when last checked"
            return
        await run_sync(self._checked)
        actions = await self._compare()
        report.wanted = sum(action.wanted is not None for action in actions)
        await self._each(actions, watch)
        await run_sync(self._conclude, actions)

    async def take_down(self, report: Report, rows: Sequence[models.Hook]) -> None:
        self.report = report
        await self._each([Action(Deed.REMOVE, row) for row in rows], lambda _done, _of: None)

    # -- comparing -----------------------------------------------------------------------------------------------------------

    def _known(self) -> Known:
        with self.contact.database.reading() as session:
            return marks.known(session, self.account.id)

    async def _in_order(self) -> bool:
        """By what the hub knows: the vendor is not asked."""
        wanted = {hook.key for hook in self.connector.hooks_wanted(self.account.scope)}
        return {row.key: row.state for row in await run_sync(self._rows)} == dict.fromkeys(wanted, ACTIVE)

    async def _compare(self) -> list[Action]:
        asked_at = self.contact.now()
        wanted, held = self.connector.hooks_wanted(self.account.scope), await self.connector.hooks_held()

        def read_ours() -> list[Action]:
            with self.contact.database.reading() as session:
                connections = {str(each) for each in session.scalars(select(Connection.id).where(Connection.state != "detached"))}
                situation = Situation(self.account.id, self.contact.settings.public_url, connections, asked_at, self.contact.now())
                return plan(situation, wanted, held, rows_of(session, self.account.id))

        return await run_sync(read_ours)

    def _checked(self) -> None:
        with self.contact.database.writing() as session:
            session.execute(update(Connection).where(Connection.id == self.account.id).values(hooks_checked_at=self.contact.now()))

    def _rows(self) -> Sequence[models.Hook]:
        with self.contact.database.reading() as session:
            return rows_of(session, self.account.id)

    # -- mending -------------------------------------------------------------------------------------------------------------

    async def _each(self, actions: Sequence[Action], watch: Watch) -> None:
        """Several at a time; how fast they go out is the connector's limiter's business."""
        todo = [action for action in actions if action.deed is not Deed.KEEP]
        room, done = anyio.Semaphore(AT_ONCE), 0

        async def one(action: Action) -> None:
            nonlocal done
            async with room:
                await self._try(action)
            done += 1
            watch(done, len(todo))

        try:
            async with anyio.create_task_group() as group:
                for action in todo:
                    group.start_soon(one, action)
        except BaseExceptionGroup as errors:
            raise first(errors) from errors

    async def _try(self, action: Action) -> None:
        if self.stopped:
            return
        try:
            await self._act(action)
        except (ConnectorError, VaultError) as error:
            self.stopped = self.stopped or isinstance(error, AuthFailed | RateLimited | VaultError)
            note(self.report, error)
            if isinstance(error, AuthFailed):
                await run_sync(partial(refused, self.contact, self.account.id, error, paused_too=False))

    async def _act(self, action: Action) -> None:
        if action.deed is Deed.REMOVE:
            await self._remove(action)
        elif action.deed is Deed.ADOPT:
            assert action.row is not None
            assert action.held is not None
            await run_sync(self._settle, action.row.id, action.held)
            self.report.restored += action.leaves_gap
        else:
            await self._register(action)

    async def _remove(self, action: Action) -> None:
        hook = self._hook(action.row) if action.row is not None and action.row.external_id is not None else action.held
        if hook is not None and hook.external_id is not None:
            await self.connector.unsubscribe(hook)
            self.report.removed += 1
        if action.row is not None:
            await run_sync(self._forget, action.row.id)

    async def _register(self, action: Action) -> None:
        """Makes or revives one. The row is open, in the database, while the vendor is asked."""
        if action.deed is Deed.REPLACE and action.held is not None:
            await self.connector.unsubscribe(action.held)
        target, door = self._address(action)
        hook_id = await run_sync(self._open, action, door)
        if hook_id is None:  # another process was first
            return
        try:
            if action.deed is Deed.REVIVE and action.row is not None:
                made = await self.connector.revive(self._hook(action.row), target)
            else:
                assert action.wanted is not None
                made = await self.connector.subscribe(action.wanted, target)
        except ConnectorError as error:
            await run_sync(self._fail, hook_id, SUSPENDED if action.deed is Deed.REVIVE else LOST, error)
            raise
        await run_sync(self._settle, hook_id, made)
        if action.leaves_gap:
            self.report.restored += 1
        else:
            self.report.made += 1

    def _address(self, action: Action) -> tuple[str, bytes]:
        """A suspended one keeps the address that the vendor says it has; the plan has found it to be ours."""
        assert self.contact.settings.public_url is not None
        if action.deed is Deed.REVIVE and action.held is not None and action.row is not None and (target := action.held.args.get("target")):
            return str(target), action.row.door
        return new_address(self.contact.settings.public_url, self.account.id)

    # -- our rows, away from the loop ----------------------------------------------------------------------------------------

    def _hook(self, row: models.Hook) -> Hook:
        secret = None if row.secret is None else self.contact.vault.open(row.secret, bound_to=secret_of(row.id))
        return Hook(row.key, row.args, row.external_id, secret, row.state != SUSPENDED)

    def _open(self, action: Action, door: bytes) -> UUID | None:
        """Writes down that a registration begins. Null: another process has just done so."""
        now = self.contact.now()
        opening = {"state": OPENING, "opened_until": now + OPEN_FOR, "shook_at": None, "door": door}
        with self.contact.database.writing() as session:
            if action.row is None:
                assert action.wanted is not None
                fresh = {"connection_id": self.account.id, "key": action.wanted.key, "args": dict(action.wanted.args), "forged": 0}
                hook_id = uuid4()
                insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
                made = session.execute(insert(models.Hook).values(id=hook_id, **fresh, **opening).on_conflict_do_nothing())
                return hook_id if made.rowcount else None  # type: ignore[attr-defined]  # an INSERT's result has it
            if action.deed is not Deed.REVIVE and action.wanted is not None:
                opening |= {"external_id": None, "secret": None, "args": dict(action.wanted.args)}
            free = or_(models.Hook.state != OPENING, models.Hook.opened_until.is_(None), models.Hook.opened_until <= now)
            taken = session.execute(update(models.Hook).where(models.Hook.id == action.row.id, free).values(opening))
            return action.row.id if taken.rowcount else None  # type: ignore[attr-defined]  # an UPDATE's result has it

    def _settle(self, hook_id: UUID, made: Hook) -> None:
        """It works. A secret that came by the handshake is in the row already."""
        now = self.contact.now()
        values: dict[str, Any] = {"state": ACTIVE, "external_id": made.external_id, "opened_until": None, "error": None}
        values |= {"active_since": now, "last_checked_at": now}
        if made.secret is not None:
            values["secret"] = self.contact.vault.seal(made.secret, bound_to=secret_of(hook_id))
        with self.contact.database.writing() as session:
            session.execute(update(models.Hook).where(models.Hook.id == hook_id).values(values))

    def _fail(self, hook_id: UUID, state: str, error: ConnectorError) -> None:
        with self.contact.database.writing() as session:
            now = self.contact.now()
            session.execute(
                update(models.Hook)
                .where(models.Hook.id == hook_id)
                .values(state=state, opened_until=None, error=words_of(error), last_checked_at=now)
            )

    def _forget(self, hook_id: UUID) -> None:
        with self.contact.database.writing() as session:
            session.execute(delete(models.Hook).where(models.Hook.id == hook_id))

    def _conclude(self, actions: Sequence[Action]) -> None:
        """Notes what was found in order, and asks for the run that closes the gap."""
        now = self.contact.now()
        kept = [action.row.id for action in actions if action.deed is Deed.KEEP and action.row is not None]
        with self.contact.database.writing() as session:
            for start in range(0, len(kept), inbox.CHUNK):
                part = models.Hook.id.in_(kept[start : start + inbox.CHUNK])
                session.execute(update(models.Hook).where(part).values(state=ACTIVE, opened_until=None, error=None, last_checked_at=now))
            active = select(func.count()).select_from(models.Hook).where(models.Hook.connection_id == self.account.id, models.Hook.state == ACTIVE)
            self.report.active = session.scalar(active) or 0
            if self.report.restored:
                self.report.run_id = runs.queue(session, self.account.id, RESTORED, now, kind=runs.FULL).id


def rows_of(session: Session, connection_id: UUID) -> Sequence[models.Hook]:
    """A connection's webhooks as written down, by key."""
    return session.scalars(select(models.Hook).where(models.Hook.connection_id == connection_id).order_by(models.Hook.key)).all()


def words_of(error: Exception) -> str:
    """An error without the addresses that a vendor may repeat in its own words."""
    return log.BEARER.sub(log.HIDDEN, str(error))


def note(report: Report, error: Exception) -> None:
    if (words := words_of(error)) not in report.errors:
        report.errors.append(words)
    if isinstance(error, RateLimited):
        report.retry_after = max(report.retry_after or 0.0, error.retry_after)
