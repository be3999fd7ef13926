"""Where a drain reads: the log from an endpoint's position on, or a replay beside it. Each keeps its own low-water mark: up to there all is
settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from hub.delivery import snapshot
from hub.delivery.envelope import Stored
from hub.delivery.filter import Filter
from hub.delivery.ledger import Entry
from hub.delivery.reader import Pages
from hub.delivery.snapshot import Cursor


@dataclass(slots=True)
class Source:
    """``read_to``: the last place looked at; ``until``: the last one there is, as far as is known. A place goes into ``mark`` when all before it,
    too, are delivered, parked or not wanted."""

    read_to: int
    until: int
    mark: int = field(init=False)
    _order: deque[tuple[int, int]] = field(default_factory=deque)
    _done: set[int] = field(default_factory=set)
    _reported: int = field(init=False)

    def __post_init__(self) -> None:
        self.mark = self._reported = self.read_to

    @property
    def unsettled(self) -> int:
        return len(self._order) - len(self._done)

    @property
    def ahead(self) -> int:
        """Events begun since the mark, settled or not."""
        return len(self._order)

    @property
    def more(self) -> bool:
        return self.read_to < self.until

    @property
    def moved(self) -> bool:
        """Whether the mark is another than the one last written down."""
        return self.mark != self._reported

    def read(self, session: Session, pages: Pages) -> list[Stored]:
        """The next lines; none only at the end."""
        return pages.after(session, self.read_to)

    def fits(self, stored: Stored, wanted: Filter) -> bool:
        return wanted.matches(stored)

    def place(self, stored: Stored) -> int:
        """The event's number among the endpoint's parked ones."""
        return stored.sequence

    def skip(self, stored: Stored) -> None:
        """Not wanted: settled without a delivery."""
        self.read_to = stored.sequence
        if not self._order:
            self.mark = self.read_to

    def start(self, stored: Stored) -> None:
        """Taken up: settled when its delivery, or its parking, is known."""
        self.read_to = stored.sequence
        self._order.append((stored.sequence, stored.sequence))

    def settle(self, sequence: int) -> None:
        self._done.add(sequence)
        while self._order and self._order[0][0] in self._done:
            done, self.mark = self._order.popleft()
            self._done.discard(done)
        if not self._order:
            self.mark = self.read_to

    def report(self, entry: Entry) -> None:
        """Writes the mark down where it has moved."""
        if self.mark != self._reported:
            entry.position = self._reported = self.mark


@dataclass(slots=True)
class ReplaySource(Source):
    """What lies between two places of the log, of one entity or of some types where these are given."""

    id: UUID = field(kw_only=True)
    now: datetime = field(kw_only=True)
    entity_id: UUID | None = None
    types: Set[str] = frozenset()
    begun: int = 0
    _ended: bool = False

    def __post_init__(self) -> None:
        Source.__post_init__(self)  # super() does not find its class in one with slots

    def fits(self, stored: Stored, wanted: Filter) -> bool:
        if stored.sequence > self.until or (self.entity_id is not None and stored.entity_id != self.entity_id):
            return False
        return (not self.types or stored.type in self.types) and wanted.matches(stored)

    def start(self, stored: Stored) -> None:
        Source.start(self, stored)
        self.begun += 1

    @property
    def done(self) -> bool:
        return not self.more and not self._order

    @property
    def moved(self) -> bool:
        return self.mark != self._reported or (self.done and not self._ended)

    def report(self, entry: Entry) -> None:
        if self.moved:
            self._reported, self._ended = self.mark, self.done
            entry.replays[self.id] = {"position": self.mark, "sent": self.begun, "done_at": self.now if self.done else None}


ENDLESS = 2**62


@dataclass(slots=True)
class SnapshotSource(ReplaySource):
    """The present state of everything. Its places are only counted; ``cursor`` says which entity was the last at the mark."""

    cursor: str | None = None
    _last: Cursor = field(init=False)
    _cursors: dict[int, Cursor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ReplaySource.__post_init__(self)
        self._last = Cursor.parse(self.cursor)
        self.until = ENDLESS

    def read(self, session: Session, pages: Pages) -> list[Stored]:
        return snapshot.page(session, self.id, self._last, self.now)

    def fits(self, stored: Stored, wanted: Filter) -> bool:
        return snapshot.wanted(wanted).matches(stored)

    def place(self, stored: Stored) -> int:
        return snapshot.number(stored.id)

    def skip(self, stored: Stored) -> None:
        self._advance(stored)
        if not self._order:
            self._stand(self.read_to)

    def start(self, stored: Stored) -> None:
        self._advance(stored)
        self._order.append((self.place(stored), self.read_to))
        self.begun += 1

    def settle(self, sequence: int) -> None:
        ReplaySource.settle(self, sequence)
        self._stand(self.mark)

    def _advance(self, stored: Stored) -> None:
        self.read_to += 1
        self._last = Cursor(stored.entity, stored.entity_id)
        self._cursors[self.read_to] = self._last

    def _stand(self, mark: int) -> None:
        """Keeps the cursors from the mark on."""
        self.mark = mark
        while self._cursors and (first := next(iter(self._cursors))) < mark:
            del self._cursors[first]

    def report(self, entry: Entry) -> None:
        if self.moved:
            self._reported, self._ended = self.mark, self.done
            at = str(self._cursors[self.mark]) if self.mark in self._cursors else self.cursor
            entry.replays[self.id] = {"position": self.mark, "cursor": at, "sent": self.begun, "done_at": self.now if self.done else None}


def most_behind(sources: Sequence[Source]) -> Source | None:
    """Whose turn it is to be read: the log's before a replay's, lest what is new wait for what is old."""
    return next((source for source in sources if source.more), None)
