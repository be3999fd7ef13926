"""Task slices: the workspace-wide read (live, archived, windows by creation time), and lists under something archived.

A page holds the vendor's tasks as they came, and before them stubs of lists that the walk did not bring; statuses, field definitions and users that
are embedded in tasks are described on demand, for tasks that changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from connectors.base import Context, Item, Json, Known, Page, Sight, Slice
from connectors.clickup.client import EVERYTHING, Client, Raw
from connectors.clickup.met import Met
from connectors.clickup.paging import Position, Window, advance, filters, key, moment
from connectors.clickup.setting import Setting
from connectors.clickup.walk import members
from connectors.errors import CursorExpired
from connectors.records import Ref

OLDEST_FIRST: Final = (*EVERYTHING, ("order_by", "created"), ("reverse", "true"))  # an order that grows at its end only
NEWEST_FIRST: Final = (*EVERYTHING, ("order_by", "created"), ("page", "0"))
ONE_STREAM: Final = 300  # calls a minute of pages read one after the other at 200 ms each: more than that needs windows side by side
MOST_WINDOWS: Final = 4  # each costs half a page on average; four keep a first read within 2 % or 5 calls of the fewest


class Tasks:
    """Reads task slices; nothing it remembers is needed to go on in another process."""

    def __init__(self, client: Client, met: Met, context: Callable[[str | None], Context]) -> None:
        self._client = client
        self._met = met
        self._context = context
        self.known = Known()

    async def workspace(self, piece: Slice, cursor: Json | None, *, archived: bool = False) -> AsyncIterator[Page]:
        """The workspace-wide read, oldest first, or one window of it. Raises Refused where the workspace is closed to the token."""
        path = f"/v2/team/{piece.args['workspace']}/task"
        query = [*_switch(archived), *(("space_ids[]", space) for space in piece.args["only"])]
        part = piece.args.get("window")
        window = None if part is None else Window(part["after"], part["before"])
        start = part if cursor is None else cursor
        position = None if start is None else Position.from_json(start)
        while True:
            first = position is None
            sight = Sight(self.known, piece, None if position is None else position.to_json())
            rows, last = await self._client.tasks(path, [*OLDEST_FIRST, *query, *filters(position, window)], sight)
            if sight.found is not None:
                start = sight.found["cursor"]
                yield Page((), start, fingerprint=sight.fingerprint, again=True)
                if start is None:
                    return
                position = Position.from_json(start)
                continue
            fresh, position = advance(position, rows, last, window)
            if first and position is not None and not archived and (self._client.limit or 0) > ONE_STREAM:
                yield await self._split(piece, path, query, fresh, position)
                return
            yield await self._page(piece, fresh, None if position is None else position.to_json(), sight=sight)
            if position is None:
                return

    async def _split(self, piece: Slice, path: str, query: Sequence[tuple[str, str]], fresh: list[Raw], position: Position) -> Page:
        """Cuts the time between the oldest page and the newest one into windows that are read side by side.

        Overhead: each window ends in a page that is not full, half a page on average, so two calls for four windows. The newest page is none: its
        rows are used, and the last window ends where it begins. A gap that looks no longer than a page is one window.
        """
        rows, last = await self._client.tasks(path, [*NEWEST_FIRST, *query])
        rows = rows[::-1]
        advance(None, rows, last)  # refuses an order that was not obeyed
        newest = moment(rows[0]) if rows else position.after
        windows: list[Slice] = []
        if newest >= position.after and not last:
            gap, a_page = newest + 1 - position.after, min(position.after - moment(fresh[0]), moment(rows[-1]) - newest)
            count = 1 if gap <= a_page + 1 else min(MOST_WINDOWS, -(-(self._client.limit or 0) // ONE_STREAM), gap)
            edges = [position.after + gap * number // count for number in range(count + 1)]
            windows = [_window(piece, number + 1, edges[number], edges[number + 1], position) for number in range(count)]
        return await self._page(piece, [*fresh, *rows], None, windows)

    async def lists(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        """A list under something archived, twice: archived is a switch, so its live tasks and its archived ones are two reads.

        Or up to a hundred live lists, which the workspace-wide read gives together.
        """
        several = piece.args.get("lists")
        path = f"/v2/list/{piece.args['list']}/task" if several is None else f"/v2/team/{piece.args['workspace']}/task"
        query = [("list_ids[]", key) for key in several or ()]
        while True:
            archived, position = _half(cursor)
            sight = Sight(self.known, piece, cursor)
            rows, last = await self._client.tasks(path, [*OLDEST_FIRST, *_switch(archived), *query, *filters(position)], sight)
            if sight.found is not None:
                cursor = sight.found["cursor"]
                yield Page((), cursor, fingerprint=sight.fingerprint, again=True)
            else:
                fresh, position = advance(position, rows, last)
                over = archived and position is None
                cursor = None if over else {"archived": archived or position is None, "at": None if position is None else position.to_json()}
                yield await self._page(piece, fresh, cursor, sight=sight)
            if cursor is None:
                return

    async def _page(self, piece: Slice, rows: Sequence[Raw], cursor: Json | None, opens: Sequence[Slice] = (), sight: Sight | None = None) -> Page:
        setting = Setting.of(piece.args)
        if self._met.users is None:
            # A new process in the middle of a pass: one call tells whose full record the walk has handed over already.
            teams = await self._client.teams()
            self._met.users = {setting.me, *members(team for team in teams if str(team.get("id")) in setting.workspaces)}
        unique = {key(row): row for row in rows if not left_out(row, setting.excluded)}
        context, owner = self._context(setting.timezone), setting.owner
        items = self._met.places(unique.values(), piece.args, context, owner)
        items += [Item(f"task:{name}", row, context, owner) for name, row in unique.items()]
        fingerprint = sight.fingerprint if sight is not None and self._met.brought_by_walk(unique.values()) else None
        return Page(items, cursor, opens, describe=partial(self._describe, unique), fingerprint=fingerprint)

    def _describe(self, rows: Mapping[str, Raw], changed: frozenset[Ref]) -> Sequence[Item]:
        return self._met.described([row for name, row in rows.items() if f"task:{name}" in changed])


def _switch(archived: bool) -> tuple[tuple[str, str], ...]:
    return (("archived", "true"),) if archived else ()


def _window(piece: Slice, number: int, start: int, end: int, position: Position) -> Slice:
    # From start to end, end excluded. The request asks from one millisecond earlier and rows at the end are dropped, so every row is in exactly one
    # window whether gt and lt include their bounds or not. The first window begins in the millisecond that the first page ended in.
    begin = Position(start, 0, position.seen if start == position.after else frozenset())
    args = {**piece.args, "window": {**begin.to_json(), "before": end}}
    return Slice(f"{piece.key}/w{number}", f"{piece.label}, part {number}", piece.phase, args, piece.covers)


def _half(cursor: Json | None) -> tuple[bool, Position | None]:
    if cursor is None:
        return False, None
    if not isinstance(cursor, Mapping) or not isinstance(cursor.get("archived"), bool) or "at" not in cursor:
        raise CursorExpired("the stored cursor cannot be read")
    return cursor["archived"], None if cursor["at"] is None else Position.from_json(cursor["at"])


def left_out(row: Mapping[str, Any], excluded: frozenset[str]) -> bool:
    """Whether a task lies in a list, folder or space that the admin left out."""
    if not excluded:
        return False
    homes: tuple[Any, ...] = (row.get("list"), row.get("folder"), row.get("space"))
    return any(isinstance(home, Mapping) and str(home.get("id")) in excluded for home in homes)
