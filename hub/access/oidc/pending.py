"""Log-ins on their way: somebody was sent to the provider and should come back, in the same browser, once, and soon.

The cookie holds 256 random bits, the address that leads back (``state``) as many. The row holds hashes of both. What must not be guessed on the way,
the nonce and PKCE's verifier, is made from the two together, so neither the row nor the address is of use without the browser.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.access.sessions import hashed
from hub.models import PendingLogin

LASTS = timedelta(minutes=10)
"""Time to log in at the provider, with a second factor at hand."""


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """One log-in's secrets. ``browser``: the cookie's value; ``state``: what the provider sends back."""

    browser: str
    state: str

    @property
    def nonce(self) -> str:
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        return self._made("verifier")

    @property
    def challenge(self) -> str:
        """PKCE's S256 (RFC 7636, section 4.2)."""
        return _text(sha256(self.verifier.encode()).digest())

    def _made(self, purpose: str) -> str:
        return _text(hmac.digest(self.browser.encode(), f"{purpose} {self.state}".encode(), "sha256"))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def ticket(browser: str | None) -> Ticket:
    """For a new log-in; a browser that has a cookie keeps it, for it may have several pages open."""
    return Ticket(browser or secrets.token_urlsafe(32), secrets.token_urlsafe(32))


def keep(session: Session, made: Ticket, wanted: str, attempt_id: UUID, now: datetime) -> None:
    """Notes that it is on its way; what never came back is forgotten."""
    session.execute(delete(PendingLogin).where(PendingLogin.expires_at <= now))
    row = PendingLogin(state=hashed(made.state), browser=hashed(made.browser), wanted=wanted, attempt_id=attempt_id, expires_at=now + LASTS)
    session.add(row)
    session.flush()


def take(session: Session, back: Ticket, now: datetime) -> PendingLogin | None:
    """The log-in that comes back, this once; None for one that is unknown, late, back already, or of another browser (which does not spend it)."""
    mine = (PendingLogin.state == hashed(back.state), PendingLogin.browser == hashed(back.browser), PendingLogin.expires_at > now)
    found = session.scalars(select(PendingLogin).where(*mine)).one_or_none()
    gone = session.execute(delete(PendingLogin).where(*mine)) if found else None
    return found if gone is not None and gone.rowcount else None  # type: ignore[attr-defined]  # a DELETE's result has it
