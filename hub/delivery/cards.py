"""How endpoints, attempts and parked events are shown: the same to programs and on the command line. Secrets and the values of headers never are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import events
from hub.delivery import endpoints
from hub.delivery.endpoints import Figures
from hub.delivery.pull import Cursor
from hub.models import Attempt, Endpoint, Parked
from hub.vault import Vault

Card = dict[str, Any]
SHOWN = (
    *("id", "name", "url", "state", "types", "filter", "thin", "ordering", "owner_key_id", "created_at", "paused_at", "disabled_reason"),
    *("failing_since", "next_try_at", "last_success_at", "last_error", "delivered", "attempted"),
)
ATTEMPT = ("id", "event_id", "sequence", "type", "kind", "at", "status", "error", "duration_ms", "answer")
PARKED = ("sequence", "event_id", "entity", "entity_id", "state", "attempts", "parked_at", "next_at", "last_status", "last_error")


def owned(session: Session, owner: UUID | None) -> Sequence[Endpoint]:
    """Endpoints by name. ``owner``: only those that this key made; None: all."""
    wanted = select(Endpoint).order_by(Endpoint.name)
    return session.scalars(wanted if owner is None else wanted.where(Endpoint.owner_key_id == owner)).all()


def cards(session: Session, vault: Vault, shown: Sequence[Endpoint], now: datetime) -> list[Card]:
    """``cursor``: an endpoint's position as a feed's, so that its reader may pull from there. Raises VaultError."""
    figures, epoch = endpoints.figures(session, now), events.epoch(session)
    return [_card(vault, each, figures[each.id], epoch, now) for each in shown]


def _card(vault: Vault, endpoint: Endpoint, figures: Figures, epoch: int, now: datetime) -> Card:
    overlap = endpoint.previous_until
    return {name: getattr(endpoint, name) for name in SHOWN} | {
        "headers": sorted(endpoints.static_headers(vault, endpoint)),
        "cursor": str(Cursor(epoch, endpoint.position)),
        "backlog": figures.backlog,
        "lag_seconds": None if figures.lag is None else round(figures.lag.total_seconds(), 3),
        "parked": {"waiting": figures.waiting, "behind": figures.behind, "dead": figures.dead},
        "old_secret_until": overlap if overlap is not None and overlap > now else None,
    }


def attempt(row: Attempt) -> Card:
    return {name: getattr(row, name) for name in ATTEMPT}


def parked(row: Parked) -> Card:
    return {name: getattr(row, name) for name in PARKED}
