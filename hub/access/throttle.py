"""How often somebody may try. Log-in attempts are counted in the database, for all processes together; API calls in memory, each process for itself:
with n processes a key gets up to n times its rate, which is the price of not writing at every read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from threading import Lock
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session

from hub.models import LoginAttempt

WINDOW = timedelta(minutes=15)
PER_PAIR, PER_ADDRESS, PER_ACCOUNT = 5, 30, 50
"""Failed attempts in the window: of one address for one account; of one address; for one account from wherever, so high that a stranger who wants to
lock somebody out has to come from many addresses."""
NAMES_KEPT = 20_000


def attempt(session: Session, account: str, address: str, now: datetime) -> UUID | int:
    """Counts an attempt before it is judged, so that a hundred at once are not all judged. The attempt's id, or how many seconds to wait."""
    hashed = sha256(account.encode()).hexdigest()
    session.execute(delete(LoginAttempt).where(LoginAttempt.at <= now - WINDOW))
    of_account, of_address = LoginAttempt.account == hashed, LoginAttempt.address == address
    waits = [
        _wait(session, and_(of_account, of_address), PER_PAIR, now),
        _wait(session, of_address, PER_ADDRESS, now),
        _wait(session, of_account, PER_ACCOUNT, now),
    ]
    if any(waits):
        return max(waits)
    made = LoginAttempt(id=uuid4(), at=now, account=hashed, address=address)
    session.add(made)
    session.flush()
    return made.id


def _wait(session: Session, which: ColumnElement[bool], limit: int, now: datetime) -> int:
    """Seconds until one of them is older than the window; 0 while there are fewer than the limit."""
    count, oldest = session.execute(select(func.count(), func.min(LoginAttempt.at)).where(which)).one()
    return max(1, ceil((oldest + WINDOW - now).total_seconds())) if count >= limit else 0


def succeeded(session: Session, attempt_id: UUID) -> None:
    """A good log-in does not count, nor does it forgive others: a thief with one password must not buy more attempts at a second account."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.id == attempt_id))


@dataclass(slots=True)
class Window:
    """At most ``limit`` calls a minute for each name, told from two counts: this minute's, and the share of the last one's that still lies within 60
    seconds. Its error is small and it remembers two numbers a name."""

    limit: int
    _counts: OrderedDict[str, tuple[int, int, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wait(self, name: str, now: datetime, *, count: bool = True) -> int:
        """Seconds to wait, or 0, and then the call is counted unless ``count`` says no."""
        minute, second = divmod(now.timestamp(), 60)
        with self._lock:
            held, last, this = self._counts.pop(name, (int(minute), 0, 0))
            if held != int(minute):
                last, this = (this if held == int(minute) - 1 else 0), 0
            full = last * (1 - second / 60) + this >= self.limit
            self._counts[name] = (int(minute), last, this + (count and not full))
            while len(self._counts) > NAMES_KEPT:
                self._counts.popitem(last=False)
        return max(1, ceil(60 - second)) if full else 0


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one process. ``keys``: calls of each key; ``addresses``: calls of each address, whatever keys it has; ``failures``: wrong keys of each
    address."""

    keys: Window
    addresses: Window
    failures: Window
    now: Callable[[], datetime]


def rates(per_key: int, now: Callable[[], datetime]) -> Rates:
    """An office behind one address has several keys: ten times a key's rate. Nobody mistypes a key once a second."""
    return Rates(Window(per_key), Window(10 * per_key), Window(60), now)
