"""One log-in by the provider, there and back. What the provider is asked happens outside transactions; what is refused gets its row in the audit log,
and is counted as a wrong password is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.exc import IntegrityError

from hub import log
from hub.access import audit, entrance, throttle
from hub.access.audit import Actor
from hub.access.entrance import Caller, Wait
from hub.access.oidc import people, token
from hub.access.oidc.pending import Ticket, keep, take, ticket
from hub.access.oidc.people import Out, Person
from hub.access.oidc.provider import Provider
from hub.access.oidc.refusal import Reason, Refused
from hub.access.sessions import Limits
from hub.db import Database
from hub.models import PendingLogin


@dataclass(frozen=True, slots=True)
class Sent:
    """Where the browser goes, and the cookie that it keeps meanwhile."""

    url: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Back:
    """What the browser brings back: its cookie, and the provider's answer (RFC 6749, section 4.1.2; ``issuer``: RFC 9207)."""

    browser: str = field(repr=False)
    state: str = field(repr=False)
    code: str = field(default="", repr=False)
    error: str = ""
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """``token`` opens the new session; ``wanted``: the page they wanted to see."""

    token: str = field(repr=False)
    wanted: str


def begin(database: Database, provider: Provider, wanted: str, caller: Caller, browser: str | None, redirect_uri: str, now: datetime) -> Sent | Wait:
    """Somebody sets out for the provider. Raises Refused where it cannot be asked; nothing is counted then."""
    known, made = provider.metadata(), ticket(browser)
    with database.writing() as session:
        attempt = throttle.attempt(session, f"oidc {made.state}", caller.address, now)
        if isinstance(attempt, int):
            return Wait(attempt)
        keep(session, made, wanted, attempt, now)
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(known.scopes),
        "state": made.state,
        "nonce": made.nonce,
        "code_challenge": made.challenge,
        "code_challenge_method": "S256",
    }
    return Sent(f"{known.authorization}{'&' if '?' in known.authorization else '?'}{urlencode(asked)}", made.browser)


def finish(database: Database, provider: Provider, back: Back, caller: Caller, redirect_uri: str, now: datetime, limits: Limits) -> Entered | Wait:
    """A session of the person whom the provider vouches for. Raises Refused."""
    mine = Ticket(back.browser, back.state)
    with database.writing() as session:
        row = take(session, mine, now)
    if row is None:
        return _strange(database, caller, now)
    try:
        person = _vouched(provider, back, mine, redirect_uri, now)
    except Refused as refused:
        _note(database, Out(refused.reason, refused.detail), caller, now)
        raise
    try:
        found = _let_in(database, provider, person, row, caller, now, limits)
    except IntegrityError:  # the same person came in by another window in this very moment: now they are known
        found = _let_in(database, provider, person, row, caller, now, limits)
    if isinstance(found, Out):
        _note(database, found, caller, now)
        raise Refused(found.reason, found.detail)
    return found


def _strange(database: Database, caller: Caller, now: datetime) -> Wait:
    """Nobody is on the way with that. Anybody can make such calls, so they are throttled before they fill the audit log."""
    with database.writing() as session:
        attempt = throttle.attempt(session, f"oidc back {caller.address}", caller.address, now)
    if isinstance(attempt, int):
        return Wait(attempt)
    _note(database, Out(Reason.STATE, "unknown, late, back already, or of another browser"), caller, now)
    raise Refused(Reason.STATE, "unknown, late, back already, or of another browser")


def _vouched(provider: Provider, back: Back, mine: Ticket, redirect_uri: str, now: datetime) -> Person:
    known = provider.metadata()
    if (back.issuer is not None or known.names_issuer) and back.issuer != provider.issuer:
        raise Refused(Reason.ANSWER, "the answer came from another issuer")
    if back.error:
        reason = Reason.CANCELLED if back.error == "access_denied" else Reason.PROVIDER_ERROR
        raise Refused(reason, "the provider sent the browser back with an error")
    if not back.code:
        raise Refused(Reason.ANSWER, "the provider sent the browser back without a code")
    tokens = provider.exchange(back.code, mine.verifier, redirect_uri)
    expected = token.Expected(provider.issuer, provider.client_id, known.algorithms, mine.nonce)
    found = token.claims(tokens.identity, provider.keys, expected, now)
    settings = provider.settings
    more: Mapping[str, Any] = {}
    if tokens.access is not None and not {"email", "email_verified", "name", settings.oidc_groups_claim} <= found.keys():
        more = provider.claims_of(tokens.access, found["sub"])
    address = found if "email_verified" in found or "email" not in more else more  # that it is verified is said of the address beside it, of no other
    both = {**more, **found, "email": address.get("email"), "email_verified": address.get("email_verified")}
    return people.told(both, provider.issuer, settings.oidc_groups_claim, trust_email=settings.oidc_trust_email)


def _let_in(
    database: Database, provider: Provider, person: Person, row: PendingLogin, caller: Caller, now: datetime, limits: Limits
) -> Entered | Out:
    role = people.role_of(person.groups, provider.settings.oidc_roles)
    with database.writing() as session:
        found = people.admit(session, person, role, now, caller.address)
        if isinstance(found, Out):
            return found
        throttle.succeeded(session, row.attempt_id)
        return Entered(entrance.enter(session, found, caller, now, limits, by="provider"), row.wanted)


def _note(database: Database, out: Out, caller: Caller, now: datetime) -> None:
    log.get("oidc").warning("a log-in by the provider was refused", reason=out.reason.value, detail=out.detail)
    with database.writing() as session:
        user = out.user
        after = {"by": "provider", "reason": out.reason.value, "detail": out.detail}
        audit.add(session, Actor("nobody", None, caller.address), "login.refused", f"user:{user.id}" if user else None, now, after=after)
