"""The requests of a poll: what changed on many boards at once, and the further pages of those where that was much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from connectors.errors import BadResponse, RateLimited, Transient
from connectors.monday import documents, logs
from connectors.monday.board import identifier
from connectors.monday.client import SMALLEST_BUDGET, Client, Rows, error_of, page_of, rows_of
from connectors.monday.faults import SERVER, TOO_COSTLY, fault
from connectors.monday.logs import Entry

AskedFor: TypeAlias = tuple[str, bool, bool]
"""Board id, multi-level, items in brief."""

FURTHER_AT_ONCE, LOGS_AT_ONCE = 12, 50


@dataclass(slots=True)
class Changes:
    """What one board shows: its state, the entries of its log (``more``: there are others) and its items changed of late, newest first.

    ``entries`` null: its log cannot be read for a fault. ``brief``: the items come without their columns.
    """

    state: str
    brief: bool
    entries: list[Entry] | None
    more: bool
    items: Rows
    cursor: str | None


@dataclass(slots=True)
class Polled:
    """``lost``: boards that are not in the answer, for whatever reason."""

    boards: dict[str, Changes] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


async def poll(client: Client, asked: Sequence[AskedFor], since: int, changed: int) -> Polled:
    """One request for up to 500 boards; more only where the vendor cannot serve it whole. ``since``, ``changed``: from when on (``logs.TICKS``)."""
    try:
        return await _poll(client, asked, since, changed)
    except (BadResponse, Transient) as error:
        if error.code not in (TOO_COSTLY, SERVER) or isinstance(error, RateLimited):
            raise
        if len(asked) == 1:
            return Polled(lost={asked[0][0]})
        whole = error
    left = asked
    if whole.code == SERVER:  # a board that was deleted since can break the answer for all of them
        active = await _active(client, [board for board, _, _ in asked])
        left = [each for each in asked if each[0] in active]
    if len(left) < len(asked):
        found = await poll(client, left, since, changed) if left else Polled()
    else:
        found = await poll(client, asked[: len(asked) // 2], since, changed)
        other = await poll(client, asked[len(asked) // 2 :], since, changed)
        found.boards |= other.boards
        found.lost |= other.lost
    found.lost |= {board for board, _, _ in asked} - found.boards.keys()
    return found


async def _poll(client: Client, asked: Sequence[AskedFor], since: int, changed: int) -> Polled:
    groups: dict[tuple[bool, bool], list[str]] = {}
    for board, deep, brief in asked:
        groups.setdefault((deep, brief), []).append(board)
    variables: dict[str, Any] = {f"i{n}": ids for n, ids in enumerate(groups.values())}
    variables |= {"since": logs.text(since), "changed": _changed_since(changed)}
    charges = [(documents.poll_points((brief for _, _, brief in asked), sizes), sizes) for sizes in documents.POLL_PAGES]
    points, sizes = next((each for each in charges if each[0] <= SMALLEST_BUDGET), charges[-1])
    data, errors = await client.ask(documents.poll(list(groups), sizes), variables, points=points)
    found = Polled()
    for n, (_, brief) in enumerate(groups):
        rows = data.get(f"p{n}")
        if rows is None:
            raise error_of(f"p{n}", errors) or BadResponse("monday: the answer has no list of boards")
        for place, row in enumerate(rows):
            if row is not None:
                found.boards[identifier(row, "project")] = _changes(row, brief, _faulty(errors, f"p{n}", place))
    found.lost = {board for board, _, _ in asked} - found.boards.keys()
    return found


def _changed_since(at: int) -> dict[str, Any]:
    """Newest first: a poll may stop where it meets what it knows."""
    rule = {
        "column_id": "__last_updated__",
        "operator": "greater_than_or_equals",
        "compare_value": ["EXACT", logs.text(at)],
        "compare_attribute": "UPDATED_AT",
    }
    return {"rules": [rule], "order_by": [{"column_id": "__last_updated__", "direction": "desc"}]}


def _changes(row: Mapping[str, Any], brief: bool, faulty: bool) -> Changes:
    """A log that the token may not read is an empty one: the items still tell what changed. One that failed is a hole."""
    board = identifier(row, "project")
    entries: list[Entry] | None = []
    more = False
    if row.get("activity_logs") is None or row.get("more") is None:
        entries = None if faulty else []
    else:
        first, second = logs.listed(row["activity_logs"], board), logs.listed(row["more"], board)
        entries, more = list(logs.entries(first + second, board)), bool(second)
    items, cursor = page_of(row.get("items_page"), board)
    return Changes(str(row.get("state") or "active"), brief, entries, more, items, cursor)


def _faulty(errors: Rows, alias: str, place: int) -> bool:
    mine = (error for error in errors if error["path"] and error["path"][:2] == [alias, place])
    return any(isinstance(fault(error), Transient) for error in mine)


async def _active(client: Client, boards: Sequence[str]) -> set[str]:
    data, _ = await client.ask(documents.STATES, {"ids": list(boards), "n": len(boards)}, points=documents.SMALL_POINTS)
    return {identifier(row, "project") for row in data.get("boards") or () if row is not None and row.get("state") != "deleted"}


async def further(client: Client, cursors: Mapping[str, tuple[str, bool]]) -> dict[str, tuple[Rows, str | None]]:
    """The next page of changed items of each board, by its cursor and whether in brief. Raises CursorExpired."""
    found: dict[str, tuple[Rows, str | None]] = {}
    for part in _chunks(list(cursors), FURTHER_AT_ONCE):
        variables = {f"c{n}": cursors[board][0] for n, board in enumerate(part)}
        query = documents.further([cursors[board][1] for board in part])
        data, errors = await client.ask(query, variables, points=documents.page_points([documents.ITEM_PAGE] * len(part)))
        for n, board in enumerate(part):
            page = data.get(f"n{n}")
            if page is None:
                raise error_of(f"n{n}", errors) or BadResponse(f"monday: the next page of board {board} is missing")
            found[board] = page_of(page, board)
    return found


async def whole_logs(client: Client, boards: Iterable[str], since: int) -> dict[str, list[Entry] | None]:
    """All entries since then, to the empty page that ends a log; null where it holds no more than its last 10,000, so that others are lost."""
    found: dict[str, list[Entry] | None] = {}
    for part in _chunks(sorted(boards), LOGS_AT_ONCE):
        left, page = set(part), 1
        while left:
            variables = {"ids": sorted(left), "since": logs.text(since), "page": page, "after": page + 1}
            points = len(left) * 14 * documents.LOGS_AT_ONCE
            data, errors = await client.ask(documents.LOGS, variables, points=points)
            rows = {identifier(row, "project"): row for row in rows_of(data, "boards", errors)}
            for board in tuple(left):
                row = rows.get(board)
                if row is None or row.get("activity_logs") is None or row.get("more") is None:
                    raise error_of("boards", errors) or BadResponse(f"monday: board {board} came without its activity log")
                pages = [logs.listed(row["activity_logs"], board), logs.listed(row["more"], board)]
                kept = found.setdefault(board, [])
                assert kept is not None
                kept += logs.entries(pages[0] + pages[1], board)
                full = (page + 1) * documents.LOGS_AT_ONCE >= documents.LOG_KEPT
                if not all(pages) or full:
                    left.discard(board)
                    if all(pages):
                        found[board] = None
            page += 2
    return found


async def changed_items(client: Client, ids: Sequence[str], columns: Sequence[str] | None) -> Rows:
    """Items by id (at most 100), archived and deleted ones too; ``columns`` null: all."""
    data, errors = await client.ask(documents.CHANGED_ITEMS, {"ids": list(ids), "cols": columns}, points=documents.page_points([len(ids)]))
    return rows_of(data, "items", errors)


async def below(client: Client, ids: Sequence[str]) -> set[str]:
    """The ids of all items at any depth below these, which are on multi-level boards."""
    found: set[str] = set()
    for part in _chunks(list(ids), documents.ID_PAGE):
        data, errors = await client.ask(documents.BELOW, {"ids": part}, points=documents.SMALL_POINTS)
        for row in rows_of(data, "items", errors):
            found |= set(_ids_below(row))
    return found


def _ids_below(row: Mapping[str, Any]) -> Iterator[str]:
    for child in row.get("subitems") or ():
        yield identifier(child, "task")
        yield from _ids_below(child)


def _chunks(values: Sequence[str], size: int) -> Iterator[list[str]]:
    return (list(values[at : at + size]) for at in range(0, len(values), size))
