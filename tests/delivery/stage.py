"""A log with events, endpoints beside it, and a sender between them and real receivers on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from hub import events
from hub.db import Database
from hub.delivery import endpoints
from hub.delivery.address import Rules
from hub.delivery.endpoints import Terms
from hub.delivery.sender import Sender
from hub.events import Draft, EventType
from hub.models import Attempt, Endpoint, Event, Parked
from hub.settings import Settings
from hub.vault import Vault

KEY = b"k" * 32
HERE = Settings(webhook_allow=("127.0.0.0/8",))


def now() -> datetime:
    return datetime.now(UTC)


def draft(entity_id: UUID, number: int = 0, kind: EventType = EventType.TASK_STATUS_CHANGED) -> Draft:
    return Draft(kind, "task", entity_id, {"changed": ["status"], "before": {"status": str(number)}, "after": {"status": str(number + 1)}})


@dataclass(slots=True)
class Stage:
    database: Database
    settings: Settings = HERE
    vault: Vault = field(default_factory=lambda: Vault([KEY]))
    secrets: dict[UUID, str] = field(default_factory=dict)

    def endpoint(self, url: str, **terms: Any) -> UUID:
        vetted = endpoints.vet(url, Rules.of(self.settings))
        with self.database.writing() as session:
            made, secret = endpoints.create(session, self.vault, f"endpoint {len(self.secrets)}", vetted, Terms(**terms), now())
        self.secrets[made.id] = secret
        return made.id

    def happen(self, entities: Sequence[UUID], kind: EventType = EventType.TASK_STATUS_CHANGED) -> list[str]:
        """One event for each, in this order and in one transaction; their ids."""
        with self.database.writing() as session:
            first = events.head(session)
            drafts = [draft(entity, place, kind) for place, entity in enumerate(entities)]
            events.append(session, drafts, connection_id=None, change_set=uuid4(), now=now())
            return [str(each) for each in session.scalars(select(Event.id).where(Event.sequence > first).order_by(Event.sequence))]

    def sender(self, **how: Any) -> Sender:
        return Sender(self.database, self.vault, self.settings, how.pop("now", now), **{"tick": 0.05} | how)

    @contextmanager
    def sending(self, **how: Any) -> Iterator[Sender]:
        made = self.sender(**how)
        made.start()
        try:
            yield made
        finally:
            made.stop()

    def row(self, endpoint_id: UUID) -> Endpoint:
        with self.database.reading() as session:
            return session.get_one(Endpoint, endpoint_id)

    def change(self, endpoint_id: UUID, act: Callable[..., Any]) -> Any:
        """``act(session, endpoint)`` in a transaction."""
        with self.database.writing() as session:
            return act(session, session.get_one(Endpoint, endpoint_id))

    def parked(self, endpoint_id: UUID) -> list[Parked]:
        with self.database.reading() as session:
            return list(session.scalars(select(Parked).where(Parked.endpoint_id == endpoint_id).order_by(Parked.sequence)))

    def attempts(self, endpoint_id: UUID) -> list[Attempt]:
        with self.database.reading() as session:
            return list(session.scalars(select(Attempt).where(Attempt.endpoint_id == endpoint_id).order_by(Attempt.id)))

    def head(self) -> int:
        with self.database.reading() as session:
            return events.head(session)

    def settled(self, endpoint_id: UUID) -> bool:
        """All is delivered, and nothing is parked but what was given up."""
        waits = select(func.count()).select_from(Parked).where(Parked.endpoint_id == endpoint_id, Parked.state != "dead")
        with self.database.reading() as session:
            return session.get_one(Endpoint, endpoint_id).position == events.head(session) and session.scalar(waits) == 0


def until(condition: Callable[[], bool], patience: float = 30.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
