"""What keeping pages did, added up over a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from connectors.records import Ref


@dataclass(slots=True)
class Tally:
    """What keeping did. ``problems``: items that could not be mapped; they were left as they were, and ``unread`` names them. ``written``: tasks
    whose row was written. ``doubtful``: tasks that count as deleted since a moment ago and that a list still shows: to be read by id."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    remapped: int = 0
    problems: list[str] = field(default_factory=list)
    unread: list[Ref] = field(default_factory=list)
    written: set[UUID] = field(default_factory=set)
    doubtful: dict[Ref, UUID] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.remapped += other.remapped
        self.problems += other.problems
        self.written |= other.written
        self.doubtful |= other.doubtful
