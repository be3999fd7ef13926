"""Slices -> pages: the structure of an account, and the items of a batch of boards.

Everything that a batch needs to go on in another process is in its slice and its cursor: where the columns are not at
hand, they are asked within the same request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Context, Item, Json, Known, Page, Scope, Sight, Slice
from connectors.errors import BadResponse, ConnectorError
from connectors.monday.board import Column, Raw, Shape, context_of, identifier
from connectors.monday.client import BoardPages, Client, Rows
from connectors.monday.slices import Unit, asks, pack, pair
from connectors.records import Ref

PAGE_ITEMS = 500
START: Json = {"open": None}
"""The cursor before the first request of a slice; a null one would say that the slice is complete."""

Options = Mapping[str, Any]


class Shapes:
    """The contexts that this process has seen, by board id; a companion's is its parent's."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._known: dict[str, tuple[Context, str]] = {}

    def learn(self, project: Raw) -> Context:
        context = context_of(project, self._options)
        owner = f"project:{identifier(project, 'project')}"
        for board in context.data:
            self._known[board] = (context, owner)
        return context

    def knows(self, board: str) -> bool:
        return board in self._known

    def of(self, board: str) -> tuple[Context, str] | None:
        return self._known.get(board)


class Layout:
    """The structure of an account within a scope: its items, and its boards with what their columns mean. All lists are read before: a board and
    its companion may lie pages apart."""

    def __init__(self, found: Mapping[str, Rows], shapes: Shapes, args: Mapping[str, Json]) -> None:
        self.tree = Tree(found, Scope(frozenset(args["workspaces"]), frozenset(args["excluded"])))
        self.items = [Item(id=f"identity:{identifier(row, 'identity')}", raw=row) for row in found["users"]]
        self.items += [Item(id=f"team:{identifier(row, 'team')}", raw=row) for row in found["teams"]]
        self.items += self.tree.items()
        self.contexts: dict[str, Context] = {}
        groups = {identifier(row, "project"): row.get("groups") for row in found["boards"]}
        for project in self.tree.projects:
            board = identifier(project, "project")
            self.contexts[board] = shapes.learn(project)
            self.items += described(project, groups[board], self.contexts[board])

    def pages(self, opened: Iterable[Unit], marks: Mapping[str, Json | None], gone: Iterable[Ref] = ()) -> Iterator[Page]:
        """All items, and with the last page the slices to open."""
        for part in parts(self.items):
            yield Page(items=part, cursor=START)
        yield Page(items=(), cursor=None, opens=tuple(pack(opened)), marks=marks, gone=frozenset(gone))


def described(project: Raw, groups: Any, context: Context) -> Iterator[Item]:
    """A board's sections, statuses and fields."""
    yield from sections(project, groups)
    yield from definitions(context.data.values())


class Tree:
    """Containers and projects within a scope."""

    def __init__(self, found: Mapping[str, Rows], scope: Scope) -> None:
        self._scope = scope
        self._folders = {identifier(row, "container"): row for row in found["folders"]}
        self.projects = [project for project in pair(found["boards"]) if self._has_board(project)]
        self._workspaces = [row for row in found["workspaces"] if row.get("state") != "deleted"]
        if not any(row.get("id") is None for row in self._workspaces) and self._main_is_used():
            self._workspaces.append({"id": None, "name": "Main workspace", "kind": "open", "state": "active"})

    def items(self) -> list[Item]:
        workspaces = [(_key(row.get("id")), row) for row in self._workspaces]
        items = [Item(id=f"container:workspace/{key}", raw=row) for key, row in workspaces if self._has(key, ())]
        for key, row in self._folders.items():
            if self._has(_workspace(row), self._line(key)):
                items.append(Item(id=f"container:folder/{key}", raw=row))
        return items + [Item(id=f"project:{identifier(project, 'project')}", raw=project) for project in self.projects]

    def archived(self, project: Raw) -> bool:
        """Its own flag, or that of the workspace it lies in."""
        key = _key(project.get("workspace_id"))
        return project.get("state") == "archived" or any(row.get("state") == "archived" and _key(row.get("id")) == key for row in self._workspaces)

    def _has(self, workspace: str, line: Iterable[str]) -> bool:
        chosen, excluded = self._scope.workspaces, self._scope.excluded
        return (not chosen or workspace in chosen) and workspace not in excluded and not excluded.intersection(line)

    def _has_board(self, board: Raw) -> bool:
        folder = board.get("board_folder_id")
        line = [identifier(board, "project"), *(self._line(str(folder)) if folder is not None else ())]
        return self._has(_key(board.get("workspace_id")), line)

    def _line(self, folder: str) -> list[str]:
        """A folder and those above it; a folder that is not listed (a closed workspace's) still names itself."""
        line: list[str] = []
        at: str | None = folder
        while at is not None and at not in line:
            line.append(at)
            above = self._folders.get(at, {}).get("parent")
            at = str(above["id"]) if above else None
        return line

    def _main_is_used(self) -> bool:
        return any(board.get("workspace_id") is None for board in self.projects) or any(_workspace(row) == "main" for row in self._folders.values())


def sections(project: Raw, groups: Any) -> Iterator[Item]:
    """A board's groups in the vendor's order; ``place`` is added because ``position`` is a figure in text,
    sparse and growing. A companion's groups are none."""
    board = identifier(project, "project")
    if not isinstance(groups, list):
        raise BadResponse(f"project {board}: groups is not a list")
    kept = [group for group in groups if group.get("deleted") is not True]
    for place, group in enumerate(sorted(kept, key=_position)):
        key = identifier(group, f"project {board}: section")
        raw = {"id": key, "board": board, "title": group["title"], "place": place, "archived": group.get("archived")}
        yield Item(id=f"section:{board}/{key}", raw=raw)


def definitions(shapes: Iterable[Shape]) -> Iterator[Item]:
    """The labels of each board's status column, and the fields that play no role."""
    for shape in shapes:
        project = shape.project_id.partition(":")[2]
        column = shape.status
        if column is not None:
            yield status_item(shape, column, None)
            for label in column.labels.values():
                yield status_item(shape, column, label.id, name=label.name, done=label.done, color=label.color, place=label.position + 1)
        for other in shape.fields():
            raw = {
                "board": shape.board, "project": project, "column": other.id, "title": other.title, "field_type": str(other.field_type),
                "options": [{"id": label.id, "name": label.name, "color": label.color} for label in other.labels.values()],
            }  # fmt: skip
            yield Item(id=f"field:{shape.board}/{other.id}", raw=raw)


def status_item(
    shape: Shape, column: Column, label: str | None, *, name: str | None = None, done: bool = False, color: str | None = None, place: int = 0
) -> Item:
    raw = {
        "board": shape.board, "project": shape.project_id.partition(":")[2], "column": column.id, "label": label,
        "name": name, "is_done": done, "color": color, "place": place,
    }  # fmt: skip
    return Item(id=f"status:{shape.board}/{column.id}/{label or ''}", raw=raw)


class Batch:
    """One slice of boards. ``emitted``: statuses that were met on items but not in the structure, each sent once a run."""

    def __init__(self, client: Client, shapes: Shapes, piece: Slice, emitted: set[str], known: Known) -> None:
        self._client = client
        self._shapes = shapes
        self._piece = piece
        self._known = known
        self._boards: list[Mapping[str, Any]] = list(piece.args["boards"])
        self._parents = {str(board["id"]): str(board["parent"]) for board in self._boards}
        self._cols: list[str] = list(piece.args["cols"])
        self._expected: int | None = piece.args.get("expected")
        self._emitted = emitted
        self._tokens: set[tuple[str, str]] = set()

    async def pages(self, cursor: Json | None) -> AsyncIterator[Page]:
        """From the cursor to the end. All pages of one answer but its last carry the cursor before it: a kill between them asks that answer again."""
        state = cursor if cursor is not None else START
        while state is not None:
            opened = state["open"]
            unknown = [board for board in self._parents if not self._shapes.knows(board) and (opened is None or self._serves(board, opened))]
            if opened is None:
                result = await self._client.first_pages(asks(self._boards), self._cols, unknown)
            else:
                result = await self._client.next_pages(opened, self._cols, unknown)
            self._learn(result, unknown)
            after = self._advance(result)
            rows = self._rows(result)
            *early, last = [rows[start : start + PAGE_ITEMS] for start in range(0, len(rows), PAGE_ITEMS)] or [[]]
            for part in early:
                yield self._page(part, state, {})
            yield self._page(last, after, self._refusals(result))
            state = after

    def _serves(self, board: str, opened: Mapping[str, str]) -> bool:
        """A project's columns are needed whole (parent and companion) as soon as one of the two is still open."""
        return any(self._parents[each] == self._parents[board] for each in opened)

    def _learn(self, result: BoardPages, asked: Sequence[str]) -> None:
        for board in asked:
            body = result.shapes.get(board)
            if body is None or self._parents[board] != board:
                continue
            below = next((each for each, parent in self._parents.items() if parent == board and each != board), None)
            self._shapes.learn({**body, "_companion": result.shapes.get(below)} if below else body)

    def _advance(self, result: BoardPages) -> Json | None:
        opened: dict[str, str] = {}
        for board, (_, token) in result.pages.items():
            if token is None:
                continue
            if (board, token) in self._tokens:
                raise BadResponse(f"monday: board {board} repeats the cursor of an earlier page")
            self._tokens.add((board, token))
            opened[board] = token
        return {"open": opened} if opened else None

    def _rows(self, result: BoardPages) -> list[tuple[str, Raw]]:
        """Every item once, with its board. Board by board in the order of their ids: the vendor promises no order, and the same items shall be
        known again."""
        found: dict[str, tuple[str, Raw]] = {}
        for board, (rows, _) in result.pages.items():
            by_id = {identifier(row, f"board {board}: task"): (board, row) for row in rows}
            for key in sorted(by_id):
                found.setdefault(key, by_id[key])
        return list(found.values())

    def _page(self, rows: Sequence[tuple[str, Raw]], cursor: Json | None, refused: Mapping[str, ConnectorError]) -> Page:
        readings = {board: known[0].version for board, _ in rows if (known := self._shapes.of(board)) is not None}
        sight = Sight(self._known, self._piece, readings)
        if sight.of(orjson.dumps(rows)):
            return Page((), cursor, refused=refused, expected=self._expected, fingerprint=sight.fingerprint, again=True)
        items = [item for board, row in rows for item in items_of(row, board, self._shapes, self._emitted)]
        fingerprint = None if self._emitted else sight.fingerprint  # a status that no structure shows might be on any page
        return Page(items, cursor, refused=refused, expected=self._expected, fingerprint=fingerprint)

    def _refusals(self, result: BoardPages) -> dict[str, ConnectorError]:
        """A companion that cannot be read leaves its project uncovered."""
        return {f"project:{self._parents[board]}": error for board, error in result.refused.items()}


def items_of(row: Raw, board: str, shapes: Shapes, emitted: set[str]) -> Iterator[Item]:
    """The task item of a raw item, before it a status that the structure did not show (a label made since)."""
    known = shapes.of(board)
    if known is None:
        raise BadResponse(f"task {row.get('id')}: the columns of its board {board} were not given")
    context, owner = known
    shape: Shape = context.data[board]
    raw = lean(row, board, shape)
    column = shape.status
    if column is not None:
        value = next((each for each in raw["column_values"] if each["id"] == column.id), None)
        key = str(value["index"]) if value is not None and value.get("index") is not None else None
        if value is not None and key is not None and key not in column.labels and value.get("label"):
            item = status_item(shape, column, key, name=value["label"], done=value.get("is_done") is True, place=len(column.labels) + 1)
            if item.id not in emitted:
                emitted.add(item.id)
                yield item
    yield Item(id=f"task:{identifier(row, 'task')}", raw=raw, context=context, owner=owner)


def lean(row: Raw, board: str, shape: Shape) -> dict[str, Any]:
    """The body as it is kept: the board named, its own columns only, in one order, and no empty ones. The vendor promises no order of columns and
    would otherwise make every item look changed. A tally of those below it is no empty status, even where it counts none (they are archived)."""
    values = row.get("column_values")
    if not isinstance(values, list):
        raise BadResponse(f"task {row.get('id')}: column_values is not a list")
    wanted = shape.columns
    kept = [value for value in values if value.get("id") in wanted and _says_something(value)]
    kept.sort(key=_by_id)
    parent = row.get("parent_item")
    return {
        "id": row.get("id"),
        "name": row.get("name"),
        "state": row.get("state"),
        "created_at": row.get("created_at"),
        "updated_at": row.get("updated_at"),
        "creator_id": row.get("creator_id"),
        "url": row.get("url"),
        "group": row.get("group"),
        "parent_item": {"id": parent["id"]} if parent else None,
        "board": {"id": board},
        "column_values": kept,
    }


_NOTHING: tuple[Any, ...] = (None, "", [])


def _says_something(value: Mapping[str, Any]) -> bool:
    return "battery_value" in value or any(each not in _NOTHING for key, each in value.items() if key != "id")


def _by_id(value: Mapping[str, Any]) -> str:
    return str(value["id"])


def parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    """As many items as fit on a page of ours."""
    part: list[Item] = []
    for item in items:
        part.append(item)
        if len(part) == PAGE_ITEMS:
            yield part
            part = []
    if part:
        yield part


def _position(group: Raw) -> tuple[float, str]:
    try:
        return float(group.get("position") or 0), ""
    except ValueError:
        return 0.0, str(group["position"])


def _key(workspace: Any) -> str:
    return "main" if workspace is None else str(workspace)


def _workspace(folder: Raw) -> str:
    return _key((folder.get("workspace") or {}).get("id"))
