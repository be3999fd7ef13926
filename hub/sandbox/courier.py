"""Carries the pretend vendors' webhooks to whoever registered them: only ever to 127.0.0.1.

A vendor hands in a ``Dispatcher``; whenever the world's journal has grown, the courier asks it for parcels, posts them, and tells it how that ended,
so that each vendor keeps its own rules of repeating, suspending and giving up.

One daemon thread with a loop of its own carries everything: the world changes in tests, in the server's thread and at the control desk, and none of
them has a loop that could. A dispatcher is therefore asked from that thread. What goes wrong on the way (``Knobs``) is drawn from the world's seed,
the parcel's number and its attempt, not from the time: the same changes lose the same parcels.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from hub.sandbox.knobs import Knobs
from hub.sandbox.things import Entry, Tool
from hub.sandbox.world import World

LOOK = 0.02
AT_ONCE = 32
ANSWER_READ = 65_536
ROWS_KEPT = 20_000
BEHIND = 0.3
"""Seconds by which a parcel out of its order may come late."""
PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """One call to make. ``seconds``: how long this vendor waits for the answer; ``after``: seconds to wait before it is sent."""

    tool: Tool
    hook: str
    url: str
    headers: dict[str, str]
    body: bytes
    seconds: float = 10.0
    after: float = 0.0
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; ``status`` null where nobody answered in time."""

    status: int | None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Dispatcher(Protocol):
    """A vendor's post room."""

    def parcels(self, entries: Sequence[Entry]) -> Sequence[Parcel]:
        """What these journal lines make the vendor send."""
        ...

    def settled(self, parcel: Parcel, reply: Reply) -> Parcel | None:
        """How a parcel ended; the same one again, later, where this vendor repeats."""
        ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """A parcel's end, for tests and the control desk. ``fault``: what the knobs did to it (``drop``, ``double``, ``shuffle``)."""

    tool: Tool
    hook: str
    attempt: int
    status: int | None
    fault: str | None
    at: float


@dataclass(slots=True)
class _Room:
    """A dispatcher, how far in the journal it has read, and how many parcels it has handed over."""

    dispatcher: Dispatcher
    read: int
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Lying:
    """A parcel to be sent from ``due`` on (monotonic seconds), with its number in its vendor's post room."""

    number: int
    due: float
    parcel: Parcel


class Courier:
    """The post between one world's vendors and their customers. Public names go where ``Knobs.hosts`` says, loopback addresses as they are;
    anything else is nobody's: no packet leaves this machine."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        self._world, self._knobs = world, knobs
        self._rooms: dict[Tool, _Room] = {}
        self._queue: list[_Lying] = []
        self._pending = 0
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        self.rows: deque[Delivered] = deque(maxlen=ROWS_KEPT)

    # -- for the vendors -----------------------------------------------------------------------------------------------------

    def watch(self, tool: Tool, dispatcher: Dispatcher) -> None:
        """From now on ``dispatcher`` is asked about each new journal line of ``tool``. Best called with the first registration: it starts the
        thread. Repeated with the same dispatcher it changes nothing."""
        room = self._rooms.get(tool)
        if room is None or room.dispatcher is not dispatcher:
            self._rooms[tool] = _Room(dispatcher, len(self._world.journal))
        self._begin()

    async def post(self, parcel: Parcel) -> Reply:
        """Makes one call now and hands back its answer, without faults, waiting or ``settled``: for handshakes. Works on any loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._post(parcel), self._begin()))

    def send(self, parcel: Parcel) -> None:
        """Takes a parcel that no journal line stands for (a heartbeat); it travels and ends like the others. Works in any thread."""
        room = self._rooms[parcel.tool]
        with self._change:
            room.count += 1
            self._lay(room.count, parcel)
        self._begin()

    # -- for tests and the control desk --------------------------------------------------------------------------------------

    def idle(self, seconds: float = PATIENCE) -> bool:
        """Waits until every journal line so far was looked at and its parcels have arrived or been given up. Parcels that are held, or are to
        be sent later, do not count. False: it took longer."""
        with self._change:
            return self._change.wait_for(self._at_rest, seconds)

    def waiting(self) -> int:
        """Parcels that are held, lie here for later or are on their way."""
        with self._change:
            return len(self._queue) + self._pending

    def stop(self) -> None:
        """Ends the thread; parcels on their way are lost. Safe to call twice."""
        thread, loop, main = self._thread, self._loop, self._main
        if thread is None or loop is None or main is None:
            return
        loop.call_soon_threadsafe(main.cancel)
        thread.join(PATIENCE)
        self._thread = self._loop = self._main = self._client = None
        self._pending = 0

    # -- the thread ----------------------------------------------------------------------------------------------------------

    def _at_rest(self) -> bool:
        if self._thread is None:
            return not self._rooms
        read = all(room.read >= len(self._world.journal) for room in self._rooms.values())
        return read and not self._pending and not any(self._is_due(lying) for lying in self._queue)

    def _is_due(self, lying: _Lying) -> bool:
        return lying.due <= time.monotonic() and lying.parcel.tool not in self._knobs.hold

    def _begin(self) -> asyncio.AbstractEventLoop:
        with self._change:
            if self._thread is None:
                self._thread = threading.Thread(target=lambda: asyncio.run(self._carry()), name="sandbox-courier", daemon=True)
                self._thread.start()
            if not self._change.wait_for(lambda: self._loop is not None, PATIENCE) or self._loop is None:
                raise RuntimeError(f"the courier did not come up within {PATIENCE:.0f} s")
            return self._loop

    async def _carry(self) -> None:
        """Looks and sends until it is told to stop. A dispatcher that raises ends it, loudly: that is a fault of the sandbox."""
        limits = httpx.Limits(max_connections=2 * AT_ONCE, max_keepalive_connections=AT_ONCE)
        # Nothing here speaks TLS: a context that trusts nobody spares loading the certificates, which would cost more than all the rest.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        async with httpx.AsyncClient(verify=nobody, trust_env=False, follow_redirects=False, limits=limits) as client:
            with self._change:
                self._loop, self._main, self._client = asyncio.get_running_loop(), asyncio.current_task(), client
                self._change.notify_all()
            room = asyncio.Semaphore(AT_ONCE)
            try:
                async with asyncio.TaskGroup() as group:
                    while True:
                        for lying in self._look():
                            group.create_task(self._deliver(lying, room))
                        await asyncio.sleep(LOOK)
            except asyncio.CancelledError:
                return

    def _look(self) -> list[_Lying]:
        """What is to go out now."""
        for tool, room in list(self._rooms.items()):
            end = len(self._world.journal)
            fresh = [entry for entry in self._world.journal[room.read : end] if entry.tool == tool]
            parcels = room.dispatcher.parcels(fresh) if fresh else ()
            with self._change:
                for number, parcel in enumerate(parcels, room.count + 1):
                    self._lay(number, parcel)
                room.count += len(parcels)
                room.read = end
        with self._change:
            going = [lying for lying in self._queue if self._is_due(lying)]
            if going:
                leaving = {id(lying) for lying in going}
                self._queue = [lying for lying in self._queue if id(lying) not in leaving]
                self._pending += len(going)
            self._change.notify_all()
        return going

    def _lay(self, number: int, parcel: Parcel) -> None:
        self._queue.append(_Lying(number, time.monotonic() + parcel.after * self._knobs.pace, parcel))

    async def _deliver(self, lying: _Lying, room: asyncio.Semaphore) -> None:
        number, parcel = lying.number, lying.parcel
        again: Parcel | None = None
        try:
            fault, late = self._misfortune(number, parcel)
            await asyncio.sleep(late)
            async with room:
                reply = await self._through(parcel, fault)
            self.rows.append(Delivered(parcel.tool, parcel.hook, parcel.attempt, reply.status, fault, time.time()))
            again = self._rooms[parcel.tool].dispatcher.settled(parcel, reply)
        finally:
            with self._change:
                self._pending -= 1
                if again is not None:
                    self._lay(number, again)
                self._change.notify_all()

    def _misfortune(self, number: int, parcel: Parcel) -> tuple[str | None, float]:
        """What the knobs do to this parcel, and by how many seconds it comes late."""
        draw = random.Random(f"{self._world.seed}/{parcel.tool}/{number}/{parcel.attempt}")
        lost, twice, behind, seconds = draw.random(), draw.random(), draw.random(), draw.random() * BEHIND
        if lost < self._knobs.drop:
            return "drop", 0.0
        if behind < self._knobs.shuffle:
            return "shuffle", seconds
        return ("double" if twice < self._knobs.double else None), 0.0

    async def _through(self, parcel: Parcel, fault: str | None) -> Reply:
        """A dropped parcel counts as delivered, else it would be repeated and nothing were lost."""
        if fault == "drop":
            return Reply(200)
        if fault == "double":
            first, _ = await asyncio.gather(self._post(parcel), self._post(parcel))
            return first
        return await self._post(parcel)

    async def _post(self, parcel: Parcel) -> Reply:
        address = self._address(parcel.url)
        if address is None or self._client is None:
            return Reply(None)
        url, host = address
        try:
            async with asyncio.timeout(parcel.seconds):
                async with self._client.stream("POST", url, headers={**parcel.headers, "host": host}, content=parcel.body, timeout=None) as answer:
                    body = b""
                    async for piece in answer.aiter_bytes():
                        body += piece
                        if len(body) >= ANSWER_READ:
                            break
                return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            return Reply(None)

    def _address(self, url: str) -> tuple[str, str] | None:
        """Where to dial for ``url`` and which host to name; null where it is not of this machine."""
        try:
            parts = urlsplit(url)
            host, named = parts.hostname or "", parts.netloc.rpartition("@")[2]
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            if host in self._knobs.hosts:
                return f"http://127.0.0.1:{self._knobs.hosts[host]}{path}", named
            if parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback):
                bracketed = f"[{host}]" if ":" in host else host
                return f"http://{bracketed}:{parts.port or 80}{path}", named
        except ValueError:
            return None
        return None
