"""A poll: what changed since the clock, one request for up to 500 boards, and what follows from its answer.

The log names what was touched, the items changed of late come along with their bodies. What is left (deleted, archived, out of sight of the list,
on a board with formula columns) is read by id: the log is not believed, its net effect is what the vendor then shows. What happened to a board
itself, or is not known of it, is answered by reading its structure, and its items whole where their meaning changed or the log has a hole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.base import Item, Json, Known, Page, Slice, Told
from connectors.errors import BadResponse, ConnectorError
from connectors.monday import polls
from connectors.monday.board import FORMULAS_A_REQUEST, Raw, Shape, identifier
from connectors.monday.client import Client
from connectors.monday.documents import ID_PAGE
from connectors.monday.logs import Entry, ticks
from connectors.monday.polls import Changes
from connectors.monday.reading import Shapes, described, items_of, parts
from connectors.monday.slices import pack, pair, unit
from connectors.monday.watching import BOARDS_A_REQUEST, CLOCK, Clock, Watched, chunk, short
from connectors.records import Ref


@dataclass(slots=True)
class Touch:
    """What the new entries of a log say of one item; ``last`` is the newest of them."""

    last: Entry
    moves: bool = False
    relates: bool = False

    def add(self, entry: Entry) -> None:
        self.last = max(self.last, entry, key=lambda each: each.at)
        self.moves |= entry.moves
        self.relates |= entry.relates


@dataclass(slots=True)
class Poll:
    """The feed over all boards that are followed. ``watch`` is the connector's own and sees boards found earlier in the same run."""

    client: Client
    shapes: Shapes
    known: Known
    watch: Mapping[str, Watched]
    emitted: set[str]
    now: Callable[[], datetime]

    async def pages(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        """All pages of one request but its last carry the cursor before it: a kill between them asks that request again."""
        clock, now = Clock.of(self.known.marks[CLOCK]), self.now()
        excluded = frozenset(piece.args["excluded"])
        boards = [each for each in self.watch.values() if each.board not in excluded]
        state: dict[str, Any] = cursor or {"after": None, "newest": clock.at, "seen": []}
        while True:
            asked = chunk(boards, state["after"], BOARDS_A_REQUEST)
            turn = Turn(self, asked, clock)
            await turn.go()
            after = asked[-1].board if asked else None
            seen = [*map(tuple, state["seen"]), *turn.seen]
            newest = max(state["newest"], turn.newest)
            ends = not asked or not chunk(boards, after, BOARDS_A_REQUEST)
            marks = dict(turn.marks)
            if ends and (moved := clock.moved(newest, seen, now)) != clock:
                marks[CLOCK] = moved.mark
            following = None if ends else {"after": after, "newest": newest, "seen": [list(each) for each in seen]}
            *early, last = list(parts(turn.items())) or [[]]
            for part in early:
                yield Page(items=part, cursor=state, told=turn.told(part))
            yield Page(
                items=last,
                cursor=following,
                opens=tuple(pack(turn.opened, apart=False)),
                refused=turn.refused,
                marks=marks,
                gone=frozenset(turn.gone),
                told=turn.told(last) | turn.told_gone(),
            )
            if following is None:
                return
            state = following


@dataclass(slots=True)
class Turn:
    """One request's worth of boards. ``rows``: bodies of items by id, with the board they lie on."""

    poll: Poll
    asked: Sequence[Watched]
    clock: Clock
    parents: dict[str, Watched] = field(init=False)
    rows: dict[str, tuple[str, Raw]] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    touched: dict[str, Touch] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    holes: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    described: list[Item] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)
    gone: set[Ref] = field(default_factory=set)
    refused: dict[Ref, ConnectorError] = field(default_factory=dict)
    marks: dict[str, Json | None] = field(default_factory=dict)
    seen: list[tuple[int, str]] = field(default_factory=list)
    newest: int = 0

    def __post_init__(self) -> None:
        self.parents = {board: each for each in self.asked for board in each.ids}

    async def go(self) -> None:
        if not self.asked:
            return
        asked = [(board, each.deep, each.formulas > 0) for each in self.asked for board in each.ids]
        answer = await polls.poll(self.poll.client, asked, self.clock.logs_since(), self.clock.items_since())
        self.lost |= {self.parents[board].board for board in answer.lost}
        await self._read_logs(answer.boards)
        await self._read_items(answer.boards)
        await self._understand()
        await self._fetch(self.wanted)
        await self._fetch(await self._related())

    # -- what the answer says ------------------------------------------------------------------------------------------------

    async def _read_logs(self, boards: Mapping[str, Changes]) -> None:
        overfull = [board for board, found in boards.items() if found.more]
        whole = await polls.whole_logs(self.poll.client, overfull, self.clock.logs_since()) if overfull else {}
        for board, found in boards.items():
            parent = self.parents[board].board
            if found.state != self.parents[board].state:
                self.changed.add(parent)
            listed = whole.get(board) if found.more else found.entries
            if listed is None:
                self.holes.add(parent)
            for entry in {entry.key: entry for entry in (listed if listed is not None else found.entries or ())}.values():
                self._read_entry(entry, parent)

    def _read_entry(self, entry: Entry, parent: str) -> None:
        self.newest = max(self.newest, entry.at)
        self.seen.append((entry.at, short(entry.key)))
        if self.clock.knows(entry):
            return
        if entry.wide:
            self.holes.add(parent)
        if not entry.items:
            self.changed.add(parent)
        for key in entry.items:
            self.touched.setdefault(key, Touch(entry)).add(entry)
            self.wanted[key] = entry.board

    async def _read_items(self, boards: Mapping[str, Changes]) -> None:
        """Bodies that came along need not be read by id; of those in brief, only the new ones."""
        left = dict(boards)
        tokens: set[str] = set()
        while left:
            cursors: dict[str, tuple[str, bool]] = {}
            for board, found in left.items():
                self._keep(board, found)
                if found.cursor is not None and found.items and self.clock.is_new(str(found.items[-1].get("updated_at"))):
                    if found.cursor in tokens:
                        raise BadResponse(f"monday: board {board} repeats the cursor of an earlier page")
                    tokens.add(found.cursor)
                    cursors[board] = (found.cursor, found.brief)
            pages = await polls.further(self.poll.client, cursors) if cursors else {}
            left = {board: Changes("active", left[board].brief, [], False, *page) for board, page in pages.items()}

    def _keep(self, board: str, found: Changes) -> None:
        for row in found.items:
            key, updated_at = identifier(row, f"board {board}: task"), str(row["updated_at"])
            self.newest = max(self.newest, ticks(updated_at))
            if not found.brief:
                self.rows[key] = (board, row)
                self.wanted.pop(key, None)
            elif self.clock.is_new(updated_at):
                self.wanted[key] = board

    # -- what the boards are -------------------------------------------------------------------------------------------------

    async def _understand(self) -> None:
        """Contexts for all that is to be mapped: those kept by the hub, else read along with the boards that changed."""
        bodies = (*self.wanted.values(), *(board for board, _ in self.rows.values()))
        needed = {self.parents[board].board for board in bodies}
        look = self.changed | self.holes | self.lost
        recallable = [board for board in needed - look if not self.poll.shapes.knows(board)]
        if recallable:
            held = await self.poll.known.recall([f"project:{board}" for board in recallable])
            for body in held.values():
                self.poll.shapes.learn(body)
            look |= {board for board in recallable if f"project:{board}" not in held}
        if look:
            await self._look(look)

    async def _look(self, boards: set[str]) -> None:
        ids = [key for each in self.asked if each.board in boards for key in each.ids]
        faults: dict[str, ConnectorError] = {}
        rows = await self.poll.client.families(ids, whole=True, faults=faults)
        groups = {identifier(row, "project"): row.get("groups") for row in rows}
        projects = {identifier(project, "project"): project for project in pair(rows)}
        states = {identifier(row, "project"): row.get("state") for row in rows}
        for board in sorted(boards):
            reference, watched = f"project:{board}", self.parents[board]
            if board in projects:
                self._describe(watched, projects[board], groups[board])
            elif states.get(board) == "deleted":
                self.gone.add(reference)
                self.marks[watched.key] = None
            else:
                self.refused[reference] = faults[board]
                self.marks[watched.key] = None

    def _describe(self, watched: Watched, project: Raw, groups: Any) -> None:
        reference = f"project:{watched.board}"
        context = self.poll.shapes.learn(project)
        self.described.append(Item(id=reference, raw=project))
        self.described += described(project, groups, context)
        now = Watched.of(project, context)
        if watched.board in self.lost:  # listed, but its items or log were not given: followed again once the structure has read it whole
            self.marks[watched.key] = None
        elif now != watched:
            self.marks[watched.key] = now.mark
        if watched.board in self.holes | self.lost or now.shape != watched.shape or now.archived != watched.archived:
            self.opened.append(unit(project, context.data))

    # -- what is read by id --------------------------------------------------------------------------------------------------

    async def _fetch(self, wanted: Mapping[str, str]) -> None:
        """``wanted``: board by item. An item that turns out to lie on another board is read once more among that board's own."""
        for _ in range(2):
            elsewhere: dict[str, str] = {}
            for ids, watched in self._requests(wanted):
                found = await polls.changed_items(self.poll.client, ids, self._columns(watched))
                mine = {board for each in watched for board in each.ids}
                for row in found:
                    self._take(row, mine, elsewhere)
                self._missing(set(ids) - {identifier(row, "task") for row in found})
            wanted = {key: board for key, board in elsewhere.items() if board in self.parents}
            if not wanted:
                return

    def _take(self, row: dict[str, Any], mine: set[str], elsewhere: dict[str, str]) -> None:
        key, board = identifier(row, "task"), str((row.get("board") or {}).get("id"))
        if row.get("state") == "deleted":
            self.gone.add(f"task:{key}")
            self.rows[key] = (board, row)
        elif board in mine:
            self.rows[key] = (board, row)
        else:
            elsewhere[key] = board

    def _missing(self, keys: Iterable[str]) -> None:
        """Neither active, archived nor in the bin: gone if the log says so, else out of sight."""
        self.gone |= {f"task:{key}" for key in keys if key in self.touched and self.touched[key].last.deletes}

    def _requests(self, wanted: Mapping[str, str]) -> Iterator[tuple[list[str], list[Watched]]]:
        """At most 100 ids and five formula columns each; those with most formulas first, the others fill the gaps."""
        by_board: dict[str, list[str]] = {}
        for key, board in wanted.items():
            watched = self.parents[board]
            if self.poll.shapes.knows(watched.board):
                by_board.setdefault(watched.board, []).append(key)
        loads: list[tuple[list[str], list[Watched]]] = []
        for board, keys in sorted(by_board.items(), key=lambda each: (-self.parents[each[0]].formulas, each[0])):
            watched = self.parents[board]
            while keys:
                load = next((load for load in loads if _room(load, watched)), None)
                if load is None:
                    load = ([], [])
                    loads.append(load)
                free = ID_PAGE - len(load[0])
                load[0].extend(keys[:free])
                load[1].append(watched)
                keys = keys[free:]
        return iter(loads)

    def _columns(self, watched: Sequence[Watched]) -> list[str] | None:
        """All columns by their absence, unless some of them must not be computed."""
        if not any(each.formulas for each in watched):
            return None
        return sorted({column for each in watched for shape in self._shapes_of(each) for column in shape.columns})

    def _shapes_of(self, watched: Watched) -> Iterable[Shape]:
        known = self.poll.shapes.of(watched.board)
        return known[0].data.values() if known is not None else ()

    async def _related(self) -> dict[str, str]:
        """On a multi-level board a move takes along those below without a word, and a parent's status is a tally of those below it."""
        related: dict[str, str] = {}
        moved: dict[str, str] = {}
        for key, touch in self.touched.items():
            watched = self.parents[touch.last.board]
            if not watched.deep or key not in self.rows:
                continue
            if touch.moves:
                moved[key] = watched.board
            above = self.rows[key][1].get("parent_item")
            if touch.relates and above:
                related[str(above["id"])] = watched.board
        if moved:
            board = next(iter(moved.values()))
            related |= dict.fromkeys(await polls.below(self.poll.client, sorted(moved)), board)
        return {key: board for key, board in related.items() if key not in self.rows}

    # -- what comes of it ----------------------------------------------------------------------------------------------------

    def items(self) -> Iterator[Item]:
        """What is described first, then the tasks, each once."""
        yield from self.described
        for key, (board, row) in self.rows.items():
            if f"task:{key}" not in self.gone and self.poll.shapes.knows(board):
                yield from items_of(row, board, self.poll.shapes, self.poll.emitted)

    def told(self, items: Iterable[Item]) -> dict[Ref, Told]:
        return self._told(item.id for item in items)

    def told_gone(self) -> dict[Ref, Told]:
        return self._told(self.gone)

    def _told(self, refs: Iterable[Ref]) -> dict[Ref, Told]:
        touched = {ref: self.touched.get(ref.partition(":")[2]) for ref in refs if ref.startswith("task:")}
        return {ref: Told(touch.last.moment, touch.last.actor) for ref, touch in touched.items() if touch is not None}


def _room(load: tuple[list[str], list[Watched]], watched: Watched) -> bool:
    ids, boards = load
    formulas = sum(each.formulas for each in boards) + watched.formulas
    return len(ids) < ID_PAGE and (watched in boards or formulas <= FORMULAS_A_REQUEST)
