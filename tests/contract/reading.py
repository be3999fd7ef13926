"""The plainest caller that keeps the rules of ``connectors.base``: it reads slices by phase, asks for
children that are missing, and can be killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

import anyio

from connectors.base import Connector, Item, Json, Page, Scope, Slice
from connectors.errors import ConnectorError, NotFound, Refused
from connectors.records import Record, Ref, Task

AfterPage: TypeAlias = Callable[[Slice, Page], None]


class ShortRead(AssertionError):
    """A slice ended before the connector said that it was complete."""


class Killed(Exception):  # an end on purpose, not a defect
    """The process is no more."""


@dataclass(slots=True)
class Notes:
    """What a caller would have in its database after each page; a new connector can go on from it."""

    items: dict[Ref, Item] = field(default_factory=dict)
    waiting: dict[str, tuple[Slice, Json | None]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    pages: list[tuple[str, int]] = field(default_factory=list)
    refused: dict[Ref, ConnectorError] = field(default_factory=dict)

    def through_json(self) -> Notes:
        """The positions as another process finds them."""
        again = {
            key: (replace(piece, args=json.loads(json.dumps(piece.args))), json.loads(json.dumps(at))) for key, (piece, at) in self.waiting.items()
        }
        return replace(self, waiting=again)

    def open(self, piece: Slice) -> None:
        if piece.key not in self.done and piece.key not in self.waiting:
            self.waiting[piece.key] = (piece, None)

    def tasks(self) -> set[str]:
        """The vendor's ids of the tasks read."""
        return {ref.partition(":")[2] for ref in self.items if ref.startswith("task:")}


class Caller:
    """``tolerant``: refusals are noted and the rest is read; else any error, reported beside a page or raised, is raised."""

    def __init__(self, connector: Connector, notes: Notes | None = None, *, tolerant: bool = False, after_page: AfterPage | None = None) -> None:
        self.connector = connector
        self.notes = notes or Notes()
        self._tolerant = tolerant
        self._after_page = after_page

    async def begin(self, scope: Scope | None = None) -> None:
        for piece in self.connector.roots(scope or Scope()):
            self.notes.open(piece)

    async def phase(self, phase: int, at_once: int = 1) -> None:
        """Reads every waiting slice up to a phase, those opened on the way included."""
        while batch := self._next(phase, at_once):
            if len(batch) == 1:
                await self._slice(batch[0])
                continue
            try:
                async with anyio.create_task_group() as group:
                    for key in batch:
                        group.start_soon(self._slice, key)
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from errors

    async def everything(self, at_once: int = 1) -> Notes:
        """All phases, then the children that the counts prove missing, level by level."""
        if not self.notes.waiting and not self.notes.done:
            await self.begin()
        while True:
            await self.phase(99, at_once)
            for parent in self._lacking():
                self.notes.open(self.connector.children(parent))
            if not self.notes.waiting:
                return self.notes

    def _next(self, most: int, count: int) -> list[str]:
        waiting = [(piece.phase, key) for key, (piece, _) in self.notes.waiting.items()]
        lowest = min((phase for phase, _ in waiting), default=most + 1)
        return [key for phase, key in waiting if phase == lowest <= most][:count]

    def _lacking(self) -> list[Ref]:
        if not self.connector.capabilities.counts_children:
            return []
        tasks = [cast("Task", self.connector.map(item)) for ref, item in self.notes.items.items() if ref.startswith("task:")]
        held: dict[Ref | None, int] = {}
        for task in tasks:
            held[task.parent_id] = held.get(task.parent_id, 0) + 1
        lacking = [task.id for task in tasks if (task.child_count or 0) > held.get(task.id, 0)]
        return [ref for ref in lacking if self.connector.children(ref).key not in self.notes.done]

    async def _slice(self, key: str) -> None:
        piece, cursor = self.notes.waiting[key]
        try:
            await self._pages(piece, cursor)
        except (Refused, NotFound) as error:
            if not self._tolerant:
                raise
            self.notes.refused.update(dict.fromkeys(piece.covers or (key,), error))
        self.notes.done.add(key)
        self.notes.waiting.pop(key, None)

    async def _pages(self, piece: Slice, cursor: Json | None) -> None:
        page: Page | None = None
        # A connector's iterator is an async generator; closing it is what a caller does who stops in the middle.
        async with aclosing(cast("Any", self.connector.read(piece, cursor))) as pages:
            async for page in pages:
                self._keep(piece, page)
        if page is None or page.cursor is not None:
            raise ShortRead(f"{piece.key} ended before it was complete")

    def _keep(self, piece: Slice, page: Page) -> None:
        for error in page.refused.values():
            if not self._tolerant or not isinstance(error, Refused | NotFound):
                raise error
        self.notes.refused.update(page.refused)
        changed = {item.id for item in page.items if item.id.startswith("task:") and not self._holds(item)}
        described = page.describe(frozenset(changed)) if page.describe is not None and changed else ()
        self.notes.items.update({item.id: item for item in (*described, *page.items)})
        self.notes.pages.append((piece.key, len(page.items)))
        for opened in page.opens:
            self.notes.open(opened)
        if page.cursor is None:
            self.notes.done.add(piece.key)
            self.notes.waiting.pop(piece.key, None)
        else:
            self.notes.waiting[piece.key] = (piece, page.cursor)
        if self._after_page is not None:
            self._after_page(piece, page)

    def _holds(self, item: Item) -> bool:
        held = self.notes.items.get(item.id)
        return held is not None and held.raw == item.raw


async def read_all(connector: Connector, **how: Any) -> Notes:
    """A full read from its start; ``how`` as for Caller."""
    return await Caller(connector, **how).everything()


def records(connector: Connector, notes: Notes) -> dict[Ref, Record]:
    """Every item mapped."""
    return {ref: connector.map(item) for ref, item in notes.items.items()}
