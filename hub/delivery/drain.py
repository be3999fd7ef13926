"""One endpoint while it is drained: what is on its way, in which order, and what became of it. Lives on the sender's loop; touches the database only
through ``reader`` and, by its ``Entry``, ``ledger``, both in another thread.

A *lane* is the line of one entity: its first event is in flight, the others wait for it. With ``ordering`` none each event is a lane of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.delivery import schedule, snapshot
from hub.delivery.circuit import Circuit
from hub.delivery.envelope import Stored
from hub.delivery.lanes import Item, Key, Lane, Pace, Terms
from hub.delivery.ledger import LEASE, Entry, Receipt
from hub.delivery.reader import Waiting
from hub.delivery.schedule import Chance
from hub.delivery.signing import sign
from hub.delivery.sources import Source
from hub.delivery.target import SECONDS, Answer, Target
from hub.events import EventType

UNSETTLED = 200
"""Events of the log held at once; what comes after them is read when half are done. So memory does not depend on the backlog."""
AHEAD = 2000
"""Most events delivered beyond one that is not: what a crash at this moment would repeat."""
MOST_PARKED = 10_000
"""Entities with something parked; beyond that no more is read until some are through."""
MOST_UNWRITTEN = 1000
"""Attempts not written yet; beyond that nothing is sent: the database is in trouble. And parked events not written yet; beyond that no more are read:
where all entities are held back, the log would come in at the speed of its reading."""
OUR_FAULT = timedelta(minutes=1)
GONE = 410
LOST = "the log does not hold this event any more, or its owner may no longer see it"


@dataclass(slots=True)
class Drain:
    """``body`` makes the message's bytes; ``wake`` asks the loop to look at this drain again; ``chance`` spreads retries."""

    terms: Terms
    target: Target
    log: Source
    holder: str
    circuit: Circuit
    parked: set[UUID]
    now: Callable[[], datetime]
    body: Callable[[Stored, bool, str | None], bytes]
    wake: Callable[[], None]
    chance: Chance
    catch_up_until: int = 0
    share: int = 32
    ending: bool = False
    opened: bool = False
    entry: Entry = field(init=False)
    due_at: datetime | None = None
    sources: list[Source] = field(init=False)
    tells: bool = False
    broken: BaseException | None = None
    _pace: Pace = field(default_factory=Pace)
    _alarm: asyncio.TimerHandle | None = None
    _renew_at: float = 0.0
    _stop_at: float = 0.0
    _writing: Entry | None = None
    _lanes: dict[Key, Lane] = field(default_factory=dict)
    _ready: deque[Lane] = field(default_factory=deque)
    _flights: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sources = [self.log]
        self.entry = self._new_entry()
        self.due_at = self.now()

    def _new_entry(self) -> Entry:
        return Entry(self.terms.id, self.holder, self.terms.revision)

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    @property
    def busy(self) -> set[UUID]:
        """Entities that have something on its way, or whose parked rows are about to be changed: the database does not know it yet."""
        found = {item.stored.entity_id for lane in self._lanes.values() for item in lane.items} | self.entry.touched
        return found | self._writing.touched if self._writing is not None else found

    @property
    def at_rest(self) -> bool:
        """Nothing is on its way and nothing waits to be sent."""
        return not self._flights and not self._lanes

    @property
    def roomy(self) -> bool:
        """Whether more parked events may be taken up: those held are bounded, however many wait."""
        return sum(len(lane.items) for lane in self._lanes.values()) < UNSETTLED

    def dirty(self, clock: float) -> bool:
        """Whether there is something to write; a lease that is half over is."""
        return not self.entry.empty or clock >= self._renew_at or any(source.moved for source in self.sources)

    def renewed(self, clock: float) -> None:
        """The lease counts from now."""
        self._renew_at, self._stop_at = clock + LEASE.total_seconds() / 2, clock + LEASE.total_seconds() - SECONDS

    def look_again(self, at: datetime | None) -> None:
        """When parked events are due, unless an earlier time is known."""
        if at is not None:
            self.due_at = at if self.due_at is None else min(at, self.due_at)

    def put_off(self) -> None:
        """An error of ours stopped it: it is tried again, but not at once."""
        again = self.now() + OUR_FAULT
        self.entry.standing |= {"failing_since": self.now(), "next_try_at": again, "last_error": f"an error in the hub: {type(self.broken).__name__}"}

    def wants(self, source: Source) -> bool:
        """Whether more is to be read from there now."""
        if self.ending or self.opened or len(self.parked) >= MOST_PARKED or max(len(self.entry.attempts), len(self.entry.park)) >= MOST_UNWRITTEN:
            return False
        return sum(one.unsettled for one in self.sources) < UNSETTLED // 2 and source.ahead < AHEAD

    def take(self, source: Source, read: Iterable[Stored], given_up: Mapping[UUID, UUID]) -> None:
        """Puts lines into their lanes, or behind what is parked of their entity."""
        for stored in read:
            if not source.fits(stored, self.terms.filter):
                source.skip(stored)
                continue
            item = Item(source.place(stored), stored, source, after=given_up.get(stored.entity_id))
            source.start(stored)
            if self.terms.ordered and stored.entity_id in self.parked:
                self._park(item, "behind", None)
            else:
                self._queue(item)
        self.pump()

    def take_parked(self, waiting: Iterable[Waiting], given_up: Mapping[UUID, UUID]) -> None:
        """Takes up parked events whose time has come; those of one entity in their order."""
        for one in waiting:
            if one.stored is None:
                self.entry.retried.append(self._change(one.sequence, one.attempts, None, None, LOST))
                self.entry.touched.add(one.entity_id)
                continue
            item = Item(one.sequence, one.stored, None, one.attempts, one.parked_at, given_up.get(one.entity_id))
            self._queue(item)
        self.pump()

    def _queue(self, item: Item) -> None:
        key: Key = item.stored.entity_id if self.terms.ordered else item.sequence
        lane = self._lanes.get(key)
        if lane is not None:
            item.after = None  # the one before it tells
        else:
            lane = self._lanes[key] = Lane(key)
            self._ready.append(lane)
        lane.items.append(item)

    def pump(self) -> None:
        """Starts what may start now."""
        limit = min(self.circuit.limit, self.share)
        loop = asyncio.get_running_loop()
        if loop.time() >= self._stop_at:  # the lease could end while a delivery is in flight, and another process begin
            return
        while self._ready and len(self._flights) < limit and not (self.ending or self.opened) and len(self.entry.attempts) < MOST_UNWRITTEN:
            if self._is_old(self._ready[0].items[0]) and (wait := self._pace.wait(loop.time())) > 0:
                self._alarm = self._alarm or loop.call_later(wait, self._ring)
                return
            flight = loop.create_task(self._deliver(self._ready.popleft()))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _ring(self) -> None:
        self._alarm = None
        self.pump()

    def _is_old(self, item: Item) -> bool:
        """Whether an event belongs to what is caught up on or replayed: a receiver that has just come back is not flooded."""
        return item.source is not self.log or item.sequence <= self.catch_up_until

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled() and (error := flight.exception()) is not None:
            self.broken, self.ending = error, True  # an error of ours: the sender tells it
        self.pump()
        if self.opened or self.ending or not self._flights or any(source.more and self.wants(source) for source in self.sources):
            self.wake()

    async def _deliver(self, lane: Lane) -> None:
        item = lane.items[0]
        at = self.now()
        body = self.body(item.stored, self.terms.thin, _reason(item))
        headers = sign(self.terms.keys(at), str(item.stored.id), at, body)
        answer = await self.target.post([*headers, *self.terms.headers], body, self.terms.hide)
        self._note(item, answer, at)
        if answer.error is None:
            self._delivered(lane, item)
        elif answer.status == GONE:
            self._ready.appendleft(lane)
            self._end_for_good(answer)
        else:
            self._failed(lane, item, answer)

    def _note(self, item: Item, answer: Answer, at: datetime) -> None:
        kind = "replay" if item.sequence < 0 or (item.source is not None and item.source is not self.log) else "event"
        self.entry.attempts.append(
            {
                "endpoint_id": self.terms.id,
                "event_id": item.stored.id,
                "sequence": item.sequence,
                "type": item.stored.type,
                "kind": kind,
                "at": at,
                "status": answer.status,
                "error": answer.error,
                "duration_ms": answer.milliseconds,
                "answer": answer.text or None,
            }
        )

    def _delivered(self, lane: Lane, item: Item) -> None:
        self.entry.delivered += 1
        self.entry.last_success_at = self.now()
        if self.circuit.succeeded():
            self._recover()
        if item.after is not None:
            self.entry.told.add(item.stored.entity_id)
        self._settle(item)
        self._step(lane)

    def _step(self, lane: Lane) -> None:
        """The lane's first event is done with."""
        lane.items.popleft()
        if lane.items:
            self._ready.append(lane)
        else:
            del self._lanes[lane.key]

    def _settle(self, item: Item) -> None:
        if item.source is not None:
            item.source.settle(item.sequence)
        else:
            self.entry.settled.append(item.sequence)
            self.entry.touched.add(item.stored.entity_id)

    def _failed(self, lane: Lane, item: Item, answer: Answer) -> None:
        now = self.now()
        self.entry.last_error = answer.error
        if self.circuit.failed(item.sequence, now, answered=answer.status is not None):
            self._ready.appendleft(lane)
            self._open(answer, now)
            return
        attempts, parked_at = item.attempts + 1, item.parked_at or now
        next_at = schedule.next_try(attempts, parked_at, now, answer.wait, self.chance)
        if item.source is not None:
            self._park(item, "waiting", self._change(item.sequence, attempts, next_at, answer, answer.error))
        else:
            self.entry.retried.append(self._change(item.sequence, attempts, next_at, answer, answer.error))
        self.entry.touched.add(item.stored.entity_id)
        if next_at is None:
            self._go_on_after(lane, item)
            return
        self.due_at = min(self.due_at or next_at, next_at)
        for follower in list(lane.items)[1:]:
            if follower.source is not None:
                self._park(follower, "behind", None)
        del self._lanes[lane.key]

    def _go_on_after(self, lane: Lane, dead: Item) -> None:
        """The entity's first event was given up: the next goes out, and says so."""
        self.tells = True
        self._step(lane)
        if lane.items:
            lane.items[0].after = dead.stored.id

    def _change(self, sequence: int, attempts: int, next_at: datetime | None, answer: Answer | None, error: str | None) -> dict[str, Any]:
        return {
            "sequence": sequence,
            "state": "dead" if next_at is None else "waiting",
            "attempts": attempts,
            "next_at": next_at,
            "held_until": next_at if answer is not None and answer.wait is not None else None,
            "last_status": answer.status if answer is not None else None,
            "last_error": error,
        }

    def _park(self, item: Item, state: str, change: dict[str, Any] | None) -> None:
        """Sets an event aside, so that the others go on; it is as settled as if it were delivered."""
        nothing = {
            "attempts": 0,
            "next_at": None,
            "held_until": None,
            "last_status": None,
            "last_error": None,
            "sequence": item.sequence,
            "state": state,
        }
        row = {"endpoint_id": self.terms.id, "event_id": item.stored.id, "entity": item.stored.entity, "entity_id": item.stored.entity_id}
        self.entry.park.append(row | {"parked_at": self.now(), "told": False} | (change or nothing))
        self.parked.add(item.stored.entity_id)
        self.entry.touched.add(item.stored.entity_id)
        if item.source is not None:
            item.source.settle(item.sequence)

    def _open(self, answer: Answer, now: datetime) -> None:
        """The endpoint as a whole is at fault: the events stay where they are, nothing is parked for it, and this drain ends."""
        first = self.circuit.trials == 0
        self.opened = True
        again = now + self.circuit.pause(answer.wait, self.chance)
        self.entry.standing |= {"next_try_at": again, "failures": (self.circuit.trials or 0) + 1}
        if first:
            self.entry.standing["failing_since"] = now
            self._tell(EventType.ENDPOINT_DISABLED, "failing", answer.error)

    def _recover(self) -> None:
        """It answers again: what waited for its own retry need not wait longer, and the rest follows at the bounded pace."""
        self.opened = False
        self.catch_up_until = self.log.until
        self.entry.standing |= {"failing_since": None, "next_try_at": None, "failures": 0, "catch_up_until": self.catch_up_until}
        self.entry.hasten = True
        self.due_at = self.now()
        self._tell(EventType.ENDPOINT_RECOVERED, "active", None)

    def _end_for_good(self, answer: Answer) -> None:
        if not self.ending:
            self.ending = True
            reason = "the endpoint answered 410 Gone: it wants no more; resume it if that was a mistake"
            self.entry.standing |= {"state": "disabled", "disabled_reason": reason}
            self.entry.last_error = answer.error
            self._tell(EventType.ENDPOINT_DISABLED, "disabled", reason)

    def _tell(self, kind: EventType, state: str, reason: str | None) -> None:
        self.entry.news.append((kind, {"state": state} | ({"reason": reason} if reason else {})))

    def hand_over(self) -> Entry:
        """All that is to be written; what comes meanwhile is of the next entry."""
        entry, self.entry = self.entry, self._new_entry()
        for source in self.sources:
            source.report(entry)
        self.sources = [source for source in self.sources if source is self.log or source.more or source.ahead]
        self._writing = entry
        return entry

    def written(self, entry: Entry, receipt: Receipt, clock: float) -> None:
        """What was handed over is committed, or the endpoint is another's."""
        self._writing = None
        self.renewed(clock)
        if not receipt.held or receipt.revision != self.terms.revision:
            self.ending = True
            return
        # An entity is free only when nothing of it is parked, neither in the database nor in what is about to be written.
        pending = {row["entity_id"] for row in self.entry.park} | self.entry.touched
        self.parked -= entry.touched - receipt.parked - pending
        if (entry.touched & receipt.parked) or entry.hasten:
            self.due_at = self.now()
        self.pump()
        self.wake()

    def drop(self) -> None:
        """Forgets what has not been sent: it stands in the log or is parked, and whoever drains next finds it there."""
        self._lanes.clear()
        self._ready.clear()

    async def stop(self, within: timedelta) -> None:
        """Starts nothing more, and gives what is in flight some time to land."""
        self.ending = True
        if self._flights:
            _done, late = await asyncio.wait(self._flights, timeout=within.total_seconds())
            for flight in late:
                flight.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _reason(item: Item) -> str | None:
    """Why the receiver gets it like this, or now; an event in its turn needs none."""
    if item.after is not None:
        return f"after_dead_letter:{item.after}"
    return snapshot.REASON if item.sequence < 0 else None
