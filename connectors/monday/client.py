"""Calls to monday: one document in, the vendor's raw dicts out.

Waits for the complexity budget instead of running into the error, walks the page-numbered lists to their empty page, and reads the first or next
page of many boards in one request. Knows nothing of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from connectors.errors import BadResponse, ConnectorError, NotFound, RateLimited, Refused, Transient
from connectors.http import Http
from connectors.monday import documents
from connectors.monday.board import companion_id, identifier
from connectors.monday.faults import SERVER, TOO_COSTLY, fault, reported

Rows: TypeAlias = list[dict[str, Any]]
Ask: TypeAlias = tuple[str, int, bool]
"""Board id, page limit, multi-level."""

SMALLEST_BUDGET = 1_000_000
"""Complexity points that a minute holds on a free or trial plan; ten times as many elsewhere."""

_LIST_NAMES = ("teams", *documents.LISTS)


@dataclass(frozen=True, slots=True)
class BoardPages:
    """One request's outcome: ``pages`` by board id (rows and the cursor to go on with), ``refused``
    boards, and ``shapes`` where columns were asked too."""

    pages: dict[str, tuple[Rows, str | None]] = field(default_factory=dict)
    refused: dict[str, ConnectorError] = field(default_factory=dict)
    shapes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, other: BoardPages) -> None:
        self.pages.update(other.pages)
        self.refused.update(other.refused)
        self.shapes.update(other.shapes)


class Client:
    """``left``: complexity points that the last answer named, less what was asked since; null before the first answer and after a reset.

    ``budget``: the most that a minute is known to hold. A query above it would be refused for ever, however long one waits.
    """

    def __init__(self, http: Http) -> None:
        self._http = http
        self._left: int | None = None
        self._resets_at = 0.0
        self._budget = SMALLEST_BUDGET

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None, *, points: int) -> tuple[dict[str, Any], Rows]:
        """The answer's ``data`` and the errors beside it. Raises any ConnectorError for a request that failed as a whole.

        BadResponse with the code TOO_COSTLY, and nothing is sent, where a whole minute's points would not do.
        """
        if points > self._budget:
            raise BadResponse(f"monday: a query of {points} points, more than a minute holds", code=TOO_COSTLY)
        self._wait_for(points)
        answer = await self._http.graphql(query, variables)
        body = answer.body
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            raise BadResponse("monday: the answer has no data")
        self._note(data.get("complexity"))
        return data, reported(body)

    async def structure(self, *, full: bool, newest: bool = False) -> dict[str, Rows]:
        """Every page of every list; each round asks the same two pages of all lists that are still open, until each has shown an empty page.

        A page shorter than its limit ends nothing: pages are cut before what the token may not see is taken out of them.
        """
        found: dict[str, Rows] = {name: [] for name in _LIST_NAMES}
        open_lists = [name for name in documents.LISTS if full or name != "users"]
        last: dict[str, list[Any]] = {}
        page = 1
        while open_lists:
            first = full and page == 1
            query = documents.structure(open_lists, full=full, teams=first, newest=newest)
            data, errors = await self.ask(query, {"page": page, "after": page + 1}, points=documents.STRUCTURE_POINTS)
            if first:
                found["teams"] = rows_of(data, "teams", errors)
            for name in tuple(open_lists):
                for number, alias in ((page, name), (page + 1, f"{name}_after")):
                    rows = rows_of(data, alias, errors)
                    ids = [row.get("id") for row in rows]
                    if not rows:
                        open_lists.remove(name)
                        break
                    if ids == last.get(name):
                        raise BadResponse(f"monday: page {number} of {name} repeats the page before it")
                    found[name] += rows
                    last[name] = ids
            page += 2
        return {name: _once(rows) for name, rows in found.items()}

    async def first_pages(self, boards: Sequence[Ask], cols: Sequence[str], shapes: Sequence[str]) -> BoardPages:
        """The first page of each board. A request that the vendor cannot serve whole is halved, so that one bad board does not hide the others."""
        try:
            return await self._first_pages(boards, cols, shapes)
        except (BadResponse, Transient) as error:
            if error.code not in (TOO_COSTLY, SERVER) or isinstance(error, RateLimited):
                raise
            if len(boards) == 1:
                return BoardPages(refused={boards[0][0]: error})
        middle = len(boards) // 2
        result = await self.first_pages(boards[:middle], cols, shapes)
        result.take(await self.first_pages(boards[middle:], cols, shapes))
        return result

    async def _first_pages(self, boards: Sequence[Ask], cols: Sequence[str], shapes: Sequence[str]) -> BoardPages:
        groups: dict[tuple[int, bool], list[str]] = {}
        for board, limit, deep in boards:
            groups.setdefault((limit, deep), []).append(board)
        variables: dict[str, Any] = {"cols": list(cols)} | {f"i{n}": ids for n, ids in enumerate(groups.values())}
        if shapes:
            variables["shapes"] = list(shapes)
        query = documents.first_pages(list(groups), shapes=bool(shapes))
        data, errors = await self.ask(query, variables, points=documents.page_points(limit for _, limit, _ in boards))
        result = BoardPages(shapes=_shapes(data, errors, shapes))
        for n, ids in enumerate(groups.values()):
            alias = f"g{n}"
            # Never by position: what may not be seen can be null or left out, and then shifts all that follows.
            rows = {identifier(row, "project"): row for row in data.get(alias) or () if row is not None}
            for board in ids:
                if board in rows:
                    result.pages[board] = page_of(rows[board].get("items_page"), board)
                else:
                    result.refused[board] = missing(alias, board, errors)
        await self._again(result, boards, cols)
        return result

    async def _again(self, result: BoardPages, boards: Sequence[Ask], cols: Sequence[str]) -> None:
        """A board that is missing for a fault of the server's, not for want of rights, is asked once more by itself."""
        faulty = [ask for ask in boards if isinstance(result.refused.get(ask[0]), Transient)]
        if len(boards) == 1:
            return
        for ask in faulty:
            del result.refused[ask[0]]
            result.take(await self.first_pages([ask], cols, ()))

    async def next_pages(self, cursors: Mapping[str, str], cols: Sequence[str], shapes: Sequence[str]) -> BoardPages:
        """The next page of each board, by its cursor, in as many requests as the points make
        necessary. Raises CursorExpired where one of them died."""
        try:
            return await self._next_pages(cursors, cols, shapes)
        except BadResponse as error:
            if error.code != TOO_COSTLY or len(cursors) == 1:
                raise
        boards, middle = list(cursors), len(cursors) // 2
        result = await self.next_pages({board: cursors[board] for board in boards[:middle]}, cols, shapes)
        result.take(await self.next_pages({board: cursors[board] for board in boards[middle:]}, cols, ()))
        return result

    async def _next_pages(self, cursors: Mapping[str, str], cols: Sequence[str], shapes: Sequence[str]) -> BoardPages:
        variables: dict[str, Any] = {"cols": list(cols)} | {f"c{n}": cursor for n, cursor in enumerate(cursors.values())}
        if shapes:
            variables["shapes"] = list(shapes)
        query = documents.next_pages(len(cursors), shapes=bool(shapes))
        data, errors = await self.ask(query, variables, points=documents.page_points([documents.ITEM_PAGE] * len(cursors)))
        result = BoardPages(shapes=_shapes(data, errors, shapes))
        for n, board in enumerate(cursors):
            page = data.get(f"n{n}")
            if page is None:
                raise error_of(f"n{n}", errors) or BadResponse(f"monday: the next page of board {board} is missing")
            result.pages[board] = page_of(page, board)
        return result

    async def items(self, ids: Sequence[str]) -> Rows:
        """Items by id (at most 100), archived and deleted ones too; an unknown or unreadable id is simply not there."""
        data, errors = await self.ask(documents.ITEMS_BY_ID, {"ids": list(ids)}, points=documents.page_points([len(ids)]))
        return [row for row in rows_of(data, "items", errors) if row is not None]

    async def boards(self, ids: Sequence[str], *, whole: bool = False, faults: dict[str, ConnectorError] | None = None) -> Rows:
        """Boards by id with their columns, whatever their state; ``whole``: with their groups. ``faults``, where given, learns why one is lacking."""
        found: Rows = []
        query = documents.BOARDS_WHOLE if whole else documents.BOARDS_BY_ID
        for at in range(0, len(ids), documents.ID_PAGE):
            chunk = list(ids[at : at + documents.ID_PAGE])
            data, errors = await self.ask(query, {"ids": chunk, "n": len(chunk)}, points=documents.SMALL_POINTS)
            if data.get("boards") is None:
                raise error_of("boards", errors) or BadResponse("monday: the answer has no list of boards")
            rows = [row for row in data["boards"] if row is not None]
            if faults is not None:
                lacking = set(chunk) - {identifier(row, "project") for row in rows}
                faults |= {board: missing("boards", board, errors) for board in lacking}
            found += rows
        return found

    async def families(self, ids: Sequence[str], *, whole: bool = False, faults: dict[str, ConnectorError] | None = None) -> Rows:
        """Boards by id and the companions of their subitems: one call, and a second where companions were not among the ids."""
        rows = await self.boards(ids, whole=whole, faults=faults)
        here = {identifier(row, "project") for row in rows}
        lacking = {below for below in map(companion_id, rows) if below is not None} - here
        return rows + (await self.boards(sorted(lacking), whole=whole, faults=faults) if lacking else [])

    async def register(self, mutation: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Makes or removes a webhook: the only mutations that the connector declares. Raises what the vendor says of its one field."""
        self._wait_for(documents.MUTATION_POINTS)
        answer = await self._http.register_hook_graphql(mutation, variables)
        body = answer.body
        data = body.get("data") if isinstance(body, dict) else None
        found = next(iter(data.values()), None) if isinstance(data, dict) else None
        if not isinstance(found, dict):
            errors = reported(body)
            raise fault(errors[0]) if errors else BadResponse("monday: the answer has no data")
        return found

    def _wait_for(self, points: int) -> None:
        clock = self._http.limiter.clock()
        if self._left is not None and clock >= self._resets_at:
            self._left = None
        if self._left is None:
            return
        if self._left < points:
            self._http.limiter.pause(self._resets_at - clock)
            self._left = None
        else:
            self._left -= points

    def _note(self, complexity: Any) -> None:
        if isinstance(complexity, dict) and isinstance(complexity.get("after"), int):
            self._left = complexity["after"]
            spent = complexity.get("query")
            self._budget = max(self._budget, self._left + spent if isinstance(spent, int) else self._left)
            self._resets_at = self._http.limiter.clock() + float(complexity.get("reset_in_x_seconds") or 0)


def rows_of(data: Mapping[str, Any], name: str, errors: Rows) -> Rows:
    """A list that must be there. Raises what the vendor says of it, else BadResponse; an entry that is
    null beside an error is no silent loss either."""
    rows = data.get(name)
    if not isinstance(rows, list):
        raise error_of(name, errors) or BadResponse(f"monday: the answer has no list of {name}")
    if any(row is None for row in rows):
        error = error_of(name, errors)
        if error is not None and not isinstance(error, Refused):
            raise error
        return [row for row in rows if row is not None]
    return rows


def error_of(alias: str, errors: Rows) -> ConnectorError | None:
    """The first error whose path begins with this field, else the first without a path."""
    for error in errors:
        path = error["path"]
        if path and path[0] == alias:
            return fault(error)
    pathless = next((error for error in errors if not error["path"]), None)
    return fault(pathless) if pathless else None


def missing(alias: str, board: str, errors: Rows) -> ConnectorError:
    """Why a board is not in an answer: what the vendor says of it, else that the token may not see it."""
    error = error_of(alias, errors)
    if error is None:
        return Refused(f"board {board} is not in the answer: the token may not see it any more")
    return error if isinstance(error, Refused | Transient | NotFound) else Refused(str(error), code=error.code)


def page_of(page: Any, board: str) -> tuple[Rows, str | None]:
    """A page of items and the cursor after it. Raises BadResponse where either is lacking."""
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        raise BadResponse(f"monday: board {board} came without its list of items")
    if "cursor" not in page:
        raise BadResponse(f"monday: board {board} came without a cursor field, so its end is not known")
    if any(row is None for row in page["items"]):
        raise BadResponse(f"monday: board {board} has an item that is null")
    return page["items"], page["cursor"] or None


def _shapes(data: Mapping[str, Any], errors: Rows, asked: Sequence[str]) -> dict[str, dict[str, Any]]:
    if not asked:
        return {}
    rows = data.get("shapes")
    if not isinstance(rows, list):
        raise error_of("shapes", errors) or BadResponse("monday: the answer has no columns")
    return {identifier(row, "project"): row for row in rows if row is not None}


def _once(rows: Rows) -> Rows:
    """A list that moves while it is paged shows some entries twice: the last sight counts."""
    return list({str(row.get("id")): row for row in rows}.values())
