"""The two task reads: which parameters they know, what they leave out, and how they page.

Parameters the vendor does not know are ignored, and so are arrays without their brackets: the caller then gets everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from starlette.datastructures import QueryParams

from hub.sandbox.clickup import errors
from hub.sandbox.clickup.shelf import ORDERS, Row, Shelf, Sort, between, millis
from hub.sandbox.clickup.tasks import BUG, MILESTONE
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

PAGE = 100
"""Rows a page; the vendor has no parameter for it."""
SWITCHES = ("archived", "reverse", "subtasks", "include_closed", "include_timl", "include_markdown_description")
DATES = ("due_date", "date_created", "date_updated", "date_done")
BOUNDS = tuple(f"{name}_{side}" for name in DATES for side in ("gt", "lt"))
ARRAYS = {
    "list": ("statuses", "assignees", "tags", "watchers", "custom_items"),
    "team": ("space_ids", "project_ids", "list_ids", "statuses", "assignees", "tags", "custom_items"),
}
NOT_SERVED = ("custom_fields", "custom_field")
_OF_ROW: Mapping[str, Callable[[Row], int | None]] = {
    "due_date": lambda row: row.due,
    "date_created": lambda row: row.created,
    "date_updated": lambda row: row.updated,
    "date_done": lambda row: row.done,
}
_SORTED_BY = {"created": "date_created", "updated": "date_updated"}


def known_parameters(kind: str) -> set[str]:
    """Every query parameter that the read of a ``list`` or ``team`` reacts to, with brackets where the vendor wants them."""
    names = {"page", "order_by", *SWITCHES, *BOUNDS, *NOT_SERVED, *(f"{name}[]" for name in ARRAYS[kind])}
    return names | {"parent"} if kind == "team" else names


@dataclass(slots=True, frozen=True)
class Window:
    """An open or closed interval of one date, in milliseconds."""

    low: int | None
    high: int | None

    def holds(self, value: int | None, inclusive: bool) -> bool:
        if value is None:
            return False
        if inclusive:
            return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return (self.low is None or value > self.low) and (self.high is None or value < self.high)


class Search:
    """Answers the task reads from a shelf."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        self._world, self._knobs = world, knobs
        # Whether _gt and _lt include the instant itself is disputed, so both readings occur: even seeds leave it out, odd ones take it in.
        self._inclusive = world.seed % 2 == 1
        self._hiding: int | None = None
        self._pages = 0

    def page(self, shelf: Shelf, kind: str, identifier: str, query: QueryParams) -> tuple[list[Row], bool]:
        """One page of rows and whether it is the last."""
        rows = self._rows(shelf, kind, identifier, query)
        if not is_true(query, "reverse"):
            rows = rows[::-1]
        size = min(PAGE, self._knobs.page_size or PAGE)
        number = whole(query, "page") or 0
        if number < 0:
            raise errors.bad_value("page", query["page"])
        # The order of change is a feed, where a hole is no short list: the knob is for lists.
        skipped = 0 if query.get("order_by") == "updated" else self._skipped()
        start = (number + skipped) * size
        return rows[start : start + size], start + size >= len(rows)

    def _skipped(self) -> int:
        """1 for the page that the ``hide_pages`` knob leaves out (the nth since it was turned, counted from 1), else 0."""
        wanted = self._knobs.hide_pages.get("clickup")
        if wanted != self._hiding:
            self._hiding, self._pages = wanted, 0
        self._pages += 1
        return int(self._pages == wanted)

    def _rows(self, shelf: Shelf, kind: str, identifier: str, query: QueryParams) -> list[Row]:
        for name in NOT_SERVED:
            if name in query:
                raise errors.bad_value(name, "this sandbox has no filter by custom field")
        order = query.get("order_by", "created")
        order = order if order in ORDERS else "created"
        windows = {name: window for name in DATES if (window := Window(whole(query, f"{name}_gt"), whole(query, f"{name}_lt"))) != Window(None, None)}
        rows, values = shelf.sorted_rows(self._sort(kind, identifier, order, query))
        leading = windows.pop(_SORTED_BY.get(order, ""), None)
        if leading is not None:
            rows = between(rows, values, leading.low, leading.high, inclusive=self._inclusive)
        for name, window in windows.items():
            rows = [row for row in rows if window.holds(_OF_ROW[name](row), self._inclusive)]
        if (leading is not None and order == "updated") or "date_updated" in windows:
            rows = self._settled(rows)
        return self._pick(rows, kind, query)

    def _sort(self, kind: str, identifier: str, order: str, query: QueryParams) -> Sort:
        by_list = kind == "list" and is_true(query, "include_timl")
        return Sort(kind, identifier, order, is_true(query, "archived"), is_true(query, "subtasks"), is_true(query, "include_closed"), by_list)

    def _settled(self, rows: list[Row]) -> list[Row]:
        """A read filtered by update time trails the truth by the ``lag`` knob."""
        if not self._knobs.lag:
            return rows
        newest = millis(self._world.now - timedelta(seconds=self._knobs.lag))
        return [row for row in rows if row.updated <= newest]

    def _pick(self, rows: list[Row], kind: str, query: QueryParams) -> list[Row]:
        elsewhere = is_true(query, "include_timl")
        for name in ARRAYS[kind]:
            wanted = {value.casefold() for value in query.getlist(f"{name}[]")}
            if wanted:
                rows = [row for row in rows if wanted & traits(row, name, elsewhere)]
        parent = query.get("parent") if kind == "team" else None
        return rows if parent is None else [row for row in rows if row.task.parent == parent]


def traits(row: Row, name: str, elsewhere: bool) -> set[str]:
    """What an array parameter compares with: names without case, else ids."""
    task, place = row.task, row.place
    if name == "list_ids":
        return {place.id, *(home for home, _ in task.homes)} if elsewhere else {place.id}
    if name == "project_ids":
        return {node.id for node in place.above if node.kind == "folder"}
    if name == "custom_items":
        return {str(MILESTONE)} if task.kind == "milestone" else {"0", str(BUG)}
    simple: dict[str, list[str | None]] = {
        "space_ids": [place.space.id],
        "statuses": [row.status.name],
        "assignees": [*task.assignees],
        "tags": [*task.tags],
        "watchers": [task.creator],
    }
    return {value.casefold() for value in simple[name] if value is not None}


def is_true(query: QueryParams, name: str) -> bool:
    return query.get(name, "").lower() == "true"


def whole(query: QueryParams, name: str) -> int | None:
    """A whole number, None where the parameter is absent, or the sandbox's refusal."""
    value = query.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        raise errors.bad_value(name, value) from None
