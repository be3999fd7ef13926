"""Endpoints as people change them. Each change raises ``revision``, so that whoever drains the endpoint ends what is under way and begins anew.

URLs are vetted before the transaction, because a name may take seconds to look up: ``create(session, ..., vet(url, rules), ...)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NewType
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from hub import events
from hub.delivery import address, retention, signing
from hub.delivery.address import Rules
from hub.delivery.filter import Filter
from hub.events import EventType
from hub.models import Endpoint, Event, Parked
from hub.vault import Vault

OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
ORDERINGS = ("entity", "none")
MOST_HEADERS, MOST_HEADER_BYTES = 20, 8192
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OURS = {"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "user-agent", "accept-encoding", "date"}
OUR_PREFIXES = ("webhook-", "content-", "proxy-", "sec-")

Vetted = NewType("Vetted", str)
"""A URL that the address guard has let pass."""


class EndpointProblem(ValueError):
    """The endpoint cannot be made or changed so; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an endpoint gets. ``types``: empty for all. ``filter``: as ``delivery.filter`` reads it. ``headers``: sent with every delivery, kept
    sealed."""

    types: Sequence[str] = ()
    filter: Mapping[str, Any] = field(default_factory=dict)
    thin: bool = False
    ordering: str = "entity"
    headers: Mapping[str, str] = field(default_factory=dict)
    owner_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How an endpoint stands. ``backlog``: events of the log not looked at yet, those that its filter will keep away included. ``lag``: how long
    ago the first of them was recorded; None without any."""

    backlog: int
    lag: timedelta | None
    waiting: int
    behind: int
    dead: int


def vet(url: str, rules: Rules) -> Vetted:
    """Judges a URL; looks its name up, so not inside a transaction. Raises TargetRefused."""
    address.check(url, rules)
    return Vetted(url)


def create(
    session: Session, vault: Vault, name: str, url: Vetted, terms: Terms, now: datetime, *, endpoint_id: UUID | None = None
) -> tuple[Endpoint, str]:
    """A new endpoint, which gets what is recorded from now on, and its secret in plain text, this once. ``endpoint_id``: by which the same request,
    sent again, finds it. Raises EndpointProblem."""
    made = Endpoint(id=endpoint_id or uuid4(), name=_name(session, name), url=url, created_at=now, owner_key_id=terms.owner_key_id)
    secret = signing.new_secret()
    made.secret = vault.seal(secret, bound_to=_bound(made.id, "secret"))
    _apply(vault, made, terms)
    made.position = events.head(session)
    session.add(made)
    session.flush()
    return made, secret


def change(
    session: Session, vault: Vault, endpoint: Endpoint, *, name: str | None = None, url: Vetted | None = None, terms: Terms | None = None
) -> None:
    """Changes what is given. An order put on the entities applies to what is parked too."""
    if name is not None and name.strip() != endpoint.name:
        endpoint.name = _name(session, name)
    if url is not None:
        endpoint.url = url
    if terms is not None:
        former = endpoint.ordering
        _apply(vault, endpoint, terms)
        if former == "none" and endpoint.ordering == "entity":
            line_up(session, endpoint.id)
        if former == "entity" and endpoint.ordering == "none":
            session.execute(update(Parked).where(Parked.endpoint_id == endpoint.id, Parked.state == "behind").values(state="waiting", next_at=None))
    revise(endpoint)


def pause(endpoint: Endpoint, now: datetime) -> None:
    """Stops deliveries within a second or so; the events are kept. What is under way ends. A disabled endpoint stays so."""
    if endpoint.state == "active":
        endpoint.state, endpoint.paused_at = "paused", now
        revise(endpoint)


def resume(session: Session, endpoint: Endpoint) -> int:
    """Goes on from where it stood, at the bounded pace; also for an endpoint that the hub disabled. Returns how many events it can no
    longer get, because the log does not hold them any more."""
    if endpoint.state == "active" and endpoint.failing_since is None:
        return 0
    first, end = retention.dropped(session), events.head(session)
    lost = max(0, first - endpoint.position)
    endpoint.position = max(endpoint.position, first)
    endpoint.state, endpoint.paused_at, endpoint.disabled_reason = "active", None, None
    endpoint.failing_since, endpoint.next_try_at, endpoint.failures = None, None, 0
    endpoint.catch_up_until = end if end > endpoint.position else None
    revise(endpoint)
    return lost


def remove(session: Session, endpoint: Endpoint) -> None:
    """Ends it, with all that is parked for it and all its attempts."""
    session.execute(delete(Endpoint).where(Endpoint.id == endpoint.id))


def rotate_secret(vault: Vault, endpoint: Endpoint, now: datetime, *, overlap: timedelta = OVERLAP) -> str:
    """A new secret, returned this once; deliveries carry both signatures until ``overlap`` is over. A zero overlap ends the old one at once."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise EndpointProblem(f"an overlap lasts from 0 to {LONGEST_OVERLAP.days} days")
    former = vault.open(endpoint.secret, bound_to=_bound(endpoint.id, "secret"))
    secret = signing.new_secret()
    endpoint.secret = vault.seal(secret, bound_to=_bound(endpoint.id, "secret"))
    endpoint.previous_secret = vault.seal(former, bound_to=_bound(endpoint.id, "previous_secret")) if overlap else None
    endpoint.previous_until = now + overlap if overlap else None
    revise(endpoint)
    return secret


def keys(vault: Vault, endpoint: Endpoint, now: datetime) -> list[bytes]:
    """What deliveries are signed with now, the newest first. Raises VaultError."""
    found = [vault.open(endpoint.secret, bound_to=_bound(endpoint.id, "secret"))]
    if endpoint.previous_secret is not None and endpoint.previous_until is not None and now < endpoint.previous_until:
        found.append(vault.open(endpoint.previous_secret, bound_to=_bound(endpoint.id, "previous_secret")))
    return [signing.key(secret) for secret in found]


def secret_of(vault: Vault, endpoint: Endpoint) -> str:
    """The secret in plain text, for the one who has just been given it and asks again. Raises VaultError."""
    return vault.open(endpoint.secret, bound_to=_bound(endpoint.id, "secret"))


def static_headers(vault: Vault, endpoint: Endpoint) -> dict[str, str]:
    """The headers that the endpoint's owner set. Raises VaultError."""
    if endpoint.headers is None:
        return {}
    return dict(orjson.loads(vault.open(endpoint.headers, bound_to=_bound(endpoint.id, "headers"))))


def terms_of(vault: Vault, endpoint: Endpoint) -> Terms:
    """As the endpoint has them now. Raises VaultError."""
    headers = static_headers(vault, endpoint)
    return Terms(endpoint.types, endpoint.filter, endpoint.thin, endpoint.ordering, headers, endpoint.owner_key_id)


def figures(session: Session, now: datetime) -> dict[UUID, Figures]:
    """How all endpoints stand, in a fixed number of statements but for one small one per endpoint that lags."""
    end = events.head(session)
    counted = select(Parked.endpoint_id, Parked.state, func.count()).group_by(Parked.endpoint_id, Parked.state)
    parked: dict[tuple[UUID, str], int] = {(row[0], row[1]): row[2] for row in session.execute(counted)}
    found = {}
    for endpoint_id, position in session.execute(select(Endpoint.id, Endpoint.position)).all():
        oldest = None
        if position < end:
            oldest = session.scalar(select(Event.recorded_at).where(Event.sequence > position).order_by(Event.sequence).limit(1))
        counts = {state: parked.get((endpoint_id, state), 0) for state in ("waiting", "behind", "dead")}
        found[endpoint_id] = Figures(max(0, end - position), None if oldest is None else now - oldest, **counts)
    return found


def line_up(session: Session, endpoint_id: UUID) -> None:
    """Of each entity only the earliest parked event waits for its own retry; the others are behind it."""
    first = select(func.min(Parked.sequence)).where(Parked.endpoint_id == endpoint_id, Parked.state != "dead").group_by(Parked.entity_id)
    session.execute(
        update(Parked)
        .where(Parked.endpoint_id == endpoint_id, Parked.state == "waiting", Parked.sequence.not_in(first))
        .values(state="behind", next_at=None)
    )


def _apply(vault: Vault, endpoint: Endpoint, terms: Terms) -> None:
    if terms.ordering not in ORDERINGS:
        raise EndpointProblem(f"ordering is one of {', '.join(ORDERINGS)}")
    _check_wishes(terms)
    _check_headers(terms.headers)
    endpoint.types, endpoint.filter, endpoint.thin, endpoint.ordering = list(terms.types), dict(terms.filter), terms.thin, terms.ordering
    sealed = orjson.dumps(dict(terms.headers)).decode()
    endpoint.headers = vault.seal(sealed, bound_to=_bound(endpoint.id, "headers")) if terms.headers else None


def _check_wishes(terms: Terms) -> None:
    known = {kind.value for kind in EventType} | {f"{kind.value.partition('.')[0]}.*" for kind in EventType}
    if unknown := sorted(set(terms.types) - known):
        raise EndpointProblem(f"there is no event type {unknown[0]}: /api/v1/event-types lists them")
    try:
        Filter.of(terms.filter)
    except (ValueError, TypeError) as error:
        raise EndpointProblem(f"the filter: {error}") from error


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not TOKEN.fullmatch(name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            raise EndpointProblem(f"the header {name!r} has a name or a value that HTTP does not allow")
        if name.lower() in OURS or name.lower().startswith(OUR_PREFIXES):
            raise EndpointProblem(f"the header {name} is the hub's own: choose another name")
    if len({name.lower() for name in headers}) != len(headers):
        raise EndpointProblem("a header is given twice")
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers.items()) > MOST_HEADER_BYTES:
        raise EndpointProblem(f"at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together")


def _name(session: Session, text: str) -> str:
    name = text.strip()
    if not name:
        raise EndpointProblem("an endpoint needs a name")
    if session.scalar(select(Endpoint.id).where(Endpoint.name == name)) is not None:
        raise EndpointProblem(f"there is an endpoint named {name} already: choose another name")
    return name


def _bound(endpoint_id: UUID, what: str) -> str:
    return f"endpoint:{endpoint_id}:{what}"


def revise(endpoint: Endpoint) -> None:
    """Whoever drains the endpoint ends what is under way and begins anew with what the row says then."""
    endpoint.revision = (endpoint.revision or 0) + 1
