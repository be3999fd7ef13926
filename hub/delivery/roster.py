"""Which endpoints have work, and taking one over: its lease, its terms opened, its parked events put in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub import events
from hub.delivery import endpoints, ledger, reader
from hub.delivery.filter import Filter
from hub.delivery.lanes import Terms
from hub.delivery.sources import ReplaySource, SnapshotSource
from hub.models import Endpoint, Parked, Replay
from hub.vault import Vault, VaultError

UNREADABLE_FOR = timedelta(minutes=1)
"""Until an endpoint whose secret cannot be opened is looked at again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An endpoint at a glance. ``work``: there is something to send now."""

    id: UUID
    revision: int
    active: bool
    work: bool


def look(session: Session, now: datetime) -> tuple[int, list[Standing]]:
    """The head of the log, and all endpoints."""
    head = events.head(session)
    waits = select(Parked.endpoint_id, func.min(Parked.next_at), func.min(func.coalesce(Parked.held_until, now)))
    parked = {row[0]: (row[1], row[2]) for row in session.execute(waits.where(Parked.state == "waiting").group_by(Parked.endpoint_id))}
    replayed = set(session.scalars(select(Replay.endpoint_id).where(Replay.done_at.is_(None))))
    found = []
    for row in session.execute(
        select(Endpoint.id, Endpoint.revision, Endpoint.state, Endpoint.position, Endpoint.next_try_at, Endpoint.failing_since)
    ):
        next_at, held_until = parked.get(row.id, (None, None))
        due = (held_until if row.failing_since is not None else next_at) if row.id in parked else None
        work = row.position < head or row.id in replayed or (row.id in parked and (due is None or due <= now))
        active = row.state == "active"
        found.append(Standing(row.id, row.revision, active, active and work and (row.next_try_at is None or row.next_try_at <= now)))
    return head, found


@dataclass(frozen=True, slots=True)
class Taken:
    """An endpoint that is ours to drain. ``trials``: failed trials since its circuit opened; None while it is closed. ``tells``: it has dead letters
    that no delivery has told of."""

    url: str
    terms: Terms
    position: int
    catch_up_until: int
    trials: int | None
    parked: set[UUID]
    replays: list[ReplaySource]
    tells: bool


def take(session: Session, vault: Vault, wanted: Collection[UUID], who: str, now: datetime) -> list[Taken]:
    """Those of the wanted endpoints that are free, each with all that its drain must know. Part of one writing transaction."""
    found = []
    for endpoint in ledger.take(session, wanted, who, now):
        try:
            terms = _terms(vault, endpoint, now)
        except (VaultError, ValueError) as error:
            endpoint.failing_since, endpoint.next_try_at = endpoint.failing_since or now, now + UNREADABLE_FOR
            endpoint.last_error, endpoint.lease_owner = str(error), None
            continue
        ledger.promote_all(session, endpoint.id, now)
        untold = select(Parked.sequence).where(Parked.endpoint_id == endpoint.id, Parked.state == "dead", Parked.told.is_(False)).limit(1)
        found.append(
            Taken(
                url=endpoint.url,
                terms=terms,
                position=endpoint.position,
                catch_up_until=endpoint.catch_up_until or 0,
                trials=None if endpoint.failing_since is None else endpoint.failures,
                parked=reader.parked_entities(session, endpoint.id),
                replays=_replays(session, endpoint.id, now),
                tells=session.scalar(untold) is not None,
            )
        )
    return found


def _terms(vault: Vault, endpoint: Endpoint, now: datetime) -> Terms:
    headers = endpoints.static_headers(vault, endpoint)
    return Terms(
        id=endpoint.id,
        filter=Filter.of(endpoint.filter, endpoint.types),
        thin=endpoint.thin,
        ordered=endpoint.ordering == "entity",
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        hide=[value for value in headers.values() if len(value) >= 4],
        keys=keyring(vault, endpoint, now),
        revision=endpoint.revision,
        owner_key_id=endpoint.owner_key_id,
    )


def keyring(vault: Vault, endpoint: Endpoint, now: datetime) -> Callable[[datetime], list[bytes]]:
    """What to sign with at a moment: opened once, and the former secret no longer used when its time is over."""
    return partial(_keys_at, endpoints.keys(vault, endpoint, now), endpoint.previous_until)


def _keys_at(keys: list[bytes], until: datetime | None, at: datetime) -> list[bytes]:
    return keys if until is None or at < until else keys[:1]


def _replays(session: Session, endpoint_id: UUID, now: datetime) -> list[ReplaySource]:
    rows = session.scalars(select(Replay).where(Replay.endpoint_id == endpoint_id, Replay.done_at.is_(None)).order_by(Replay.created_at, Replay.id))
    return [_replay(row, now) for row in rows]


def _replay(row: Replay, now: datetime) -> ReplaySource:
    if row.snapshot:
        return SnapshotSource(row.position, row.until, id=row.id, now=now, begun=row.sent, cursor=row.cursor)
    return ReplaySource(row.position, row.until, id=row.id, now=now, entity_id=row.entity_id, types=frozenset(row.types), begun=row.sent)
