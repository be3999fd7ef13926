"""Carries the pretend vendors' webhooks to whoever registered them: only ever to 127.0.0.1.

A vendor hands in a ``Dispatcher``; whenever the world's journal has grown, the courier asks it for parcels, posts them, and tells it how that ended,
so that each vendor keeps its own rules of repeating, suspending and giving up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hub.sandbox.things import Entry, Tool


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
