"""Whether an endpoint as a whole is at fault, and how much may be on its way to it. Pure: times come in as arguments.

A single event that is refused over and over says nothing of the endpoint: failures of different events do. The number of deliveries in flight grows
slowly with success and is cut by failure, so that an endpoint in trouble gets little of the process, and its neighbours the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.delivery.schedule import Chance

UNANSWERED = 5
"""So many in a row without any answer (no connection, no certificate, no end of the body), and the circuit opens."""
REFUSED = 10
"""So many different events refused without one success between, over at least ``REFUSED_FOR``."""
REFUSED_FOR = timedelta(seconds=2)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=5)
START, FLOOR, MOST = 8.0, 4.0, 32.0


@dataclass(slots=True)
class Circuit:
    """``trials``: failed trials since it opened; None while it is closed. Half open: it was opened, and the next delivery is the trial."""

    trials: int | None = None
    flow: float = START
    _unanswered: int = 0
    _refused: set[int] = field(default_factory=set)
    _since: datetime | None = None

    @property
    def limit(self) -> int:
        """Deliveries that may be in flight at once."""
        return int(self.flow) if self.trials is None else 1

    def succeeded(self) -> bool:
        """True: this closes the circuit."""
        closed = self.trials is not None
        self.flow = START if closed else min(MOST, self.flow + 1 / self.flow)
        self.trials, self._unanswered, self._since = None, 0, None
        self._refused.clear()
        return closed

    def failed(self, sequence: int, now: datetime, *, answered: bool) -> bool:
        """True: the endpoint is at fault, not the event; the circuit is open (again)."""
        if self.trials is not None:
            self.trials += 1
            return True
        self.flow = max(FLOOR, self.flow * 0.7)
        self._since = self._since or now
        self._unanswered = 0 if answered else self._unanswered + 1
        if len(self._refused) < REFUSED:
            self._refused.add(sequence)
        else:
            self.flow = 1.0  # it looks as if it were at fault: few more are to be parked until that is certain
        if self._unanswered >= UNANSWERED or (len(self._refused) >= REFUSED and now - self._since >= REFUSED_FOR):
            self.trials = 0
            return True
        return False

    def pause(self, wait: timedelta | None, chance: Chance) -> timedelta:
        """How long until the next trial: doubling, spread by chance, never less than the receiver asked for."""
        ours: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * int(2 ** min(self.trials or 0, 20))) * (0.75 + 0.5 * chance())
        return ours if wait is None else max(ours, wait)
