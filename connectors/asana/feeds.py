"""What changed since the last reading. Cheapest first: one search a workspace, one event stream a project, one list of projects.

    search:W         poll: tasks changed since the mark, subtasks and tasks in no project too; one call where nothing changed
    modified:P       poll where there is no search: the tasks listed in one live project that changed (their subtasks come by events alone)
    structure        structure: the workspaces; opens those below, and for a new workspace all that a full reading begins with
    fields:W         the custom field definitions, as in a full reading: an option's name and colour are told by nothing else
    structure:W      the projects, live and archived: opens the whole ``project:P`` of one that is new, was archived, or came back
    events:P         what happened in a live project since its token; the tasks it names are read again, unless a poll of the same run had them

Neither people nor teams are listed: people come with the tasks that they are assigned to, teams with their projects, and who is in neither can wait
for the next full reading. Streams come last, so that a poll in the same run spares most of their reads.

``modified_at`` says nothing of a task's moves, and no list says what was deleted: that is what the streams are for. A stream with a hole (its token
lived too long) ends its mark and opens the whole project with the new token; the mark is back when the project was read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.asana import account, items, selection, since
from connectors.asana.client import Client, Raw, StaleToken
from connectors.asana.events import Stretch, Touched
from connectors.asana.reach import Reach
from connectors.asana.slices import Reader, in_scope, lists_of, plan_lacks, project_slice
from connectors.asana.windows import Place, Recent, crowded, instant
from connectors.base import ARCHIVED, LIVE, STRUCTURE, Cadence, Item, Known, Page, Scope, Slice
from connectors.errors import NotFound, Refused
from connectors.records import Ref

STREAMS = ARCHIVED
"""The phase of the event streams: after the polls, which are LIVE."""

STEPS = 5
"""Calls to a stream (of 100 events at most) whose tasks are read again together: often it is one task that has many events."""


class Feeds:
    """Names and reads the slices above. Besides the marks, what it remembers only saves repetition within a run."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader
        self._reach = Reach(client, Known())
        self._states: dict[str, datetime] = {}
        self._listed: set[str] = set()
        self._archived: set[str] = set()
        self._walked: set[str] = set()
        self._readers: dict[str, Callable[[Slice, Any], AsyncIterator[Page]]] = {
            "search": self._search,
            "modified": self._modified,
            "structure": self._structure,
            "events": self._events,
        }

    def know(self, known: Known) -> None:
        self._reader.known = known
        self._reach = Reach(self._client, known)

    @property
    def _known(self) -> Known:
        return self._reader.known

    def slices(self, cadence: Cadence, scope: Scope) -> tuple[Slice, ...]:
        """Nothing to poll before the first full reading has brought marks."""
        excluded = sorted(scope.excluded)
        if cadence is Cadence.STRUCTURE:
            root = Slice("structure", "Workspaces", STRUCTURE, {"workspaces": sorted(scope.workspaces), "excluded": excluded})
            streams = [(gid, mark) for gid, mark in self._live("events", scope) if mark["sync"]]
            return (root, *[_feed("events", gid, "Events of", STREAMS, {**mark, "project": gid, "excluded": excluded}) for gid, mark in streams])
        searched = {key.partition(":")[2]: mark for key, mark in self._known.marks.items() if key.startswith("search:")}
        found = [_feed("search", gid, "Changes in", LIVE, {**mark, "workspace": gid, "excluded": excluded}) for gid, mark in searched.items()]
        found = [piece for piece in found if wanted(scope, piece.args["workspace"])]
        lists = [(gid, mark) for gid, mark in self._live("modified", scope) if mark["workspace"] not in searched]
        return (*found, *[_feed("modified", gid, "Changes in", LIVE, {**mark, "project": gid}) for gid, mark in lists])

    def _live(self, kind: str, scope: Scope) -> list[tuple[str, Mapping[str, Any]]]:
        """The live projects in scope that have a mark of a kind."""
        marks = [(key.partition(":")[2], mark) for key, mark in self._known.marks.items() if key.startswith(kind + ":")]
        live = [(gid, mark) for gid, mark in marks if self._known.projects.get(f"project:{gid}") is False and gid not in scope.excluded]
        return [(gid, mark) for gid, mark in live if wanted(scope, mark["workspace"])]

    def reads(self, piece: Slice) -> bool:
        return piece.key.partition(":")[0] in self._readers

    def read(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        return self._readers[piece.key.partition(":")[0]](piece, cursor)

    # -- polls -----------------------------------------------------------------------------------------------------------------

    async def _search(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        """Windows by modification time. Where the plan has lost its search, the marks of its projects take over where this one stood."""
        begin: str = piece.args["from"]
        first = datetime.fromisoformat(begin)
        place: Recent | None = Recent.of(cursor) if cursor else Recent(first)
        while place is not None:
            try:
                found = await self._client.search(piece.args["workspace"], place.params(), selection.TASK)
            except Refused as refused:
                if not plan_lacks(refused):
                    raise
                yield self._without_search(piece)
                return
            following = place.after(found.rows)
            if following and following.crowd and following.crowd != place.crowd:
                async for page in self._crowd(piece, following.crowd, place):
                    yield page
            # In the middle the mark follows what was surely read; only at the end does the newest change say how far the vendor has told.
            last = following.at if following else since.newest(found.rows) or (place.at if place.at > first else None)
            begin = since.moved(begin, last, None if following else found.date)
            kept = await self._kept(found.rows, piece)
            yield Page(self._items(kept, piece), following.cursor() if following else None, marks={piece.key: {"from": begin}})
            place = following

    async def _crowd(self, piece: Slice, at: datetime, before: Recent) -> AsyncIterator[Page]:
        """One instant's tasks, more than a page of them, by windows of their creation. The slice's place does not move meanwhile."""
        inner: Place | None = Place()
        while inner is not None:
            rows = (await self._client.search(piece.args["workspace"], [*crowded(at), *inner.params()], selection.TASK)).rows
            yield Page(self._items(await self._kept(inner.fresh(rows), piece), piece), before.cursor())
            inner = inner.after(rows)

    def _without_search(self, piece: Slice) -> Page:
        workspace, begin = piece.args["workspace"], piece.args["from"]
        theirs = [gid for gid, mark in self._live("events", Scope()) if mark["workspace"] == workspace]
        marks = {f"modified:{gid}": {"from": begin, "workspace": workspace} for gid in theirs}
        opens = [_feed("modified", gid, "Changes in", LIVE, {**marks[f"modified:{gid}"], "project": gid}) for gid in theirs]
        return Page((), None, opens, marks={piece.key: None, **marks})

    async def _modified(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        gid, begin = piece.args["project"], piece.args["from"]
        last = datetime.fromisoformat(cursor["last"]) if cursor and cursor["last"] else None
        params, offset = (("project", gid), ("modified_since", begin)), cursor["offset"] if cursor else None
        async for rows, following in self._client.pages("/tasks", params, selection.TASK, offset):
            last = max((at for at in (last, since.newest(rows)) if at), default=None)
            place = {"offset": following, "last": last.isoformat() if last else None} if following else None
            mark = {piece.key: {"from": since.moved(begin, last, None if following else self._client.clock), "workspace": piece.args["workspace"]}}
            yield Page(self._items(rows, piece), place, marks={} if following else mark)

    async def _kept(self, rows: Sequence[Raw], piece: Slice) -> Sequence[Raw]:
        excluded = piece.args["excluded"]
        return await self._reach.of(rows, frozenset(excluded)) if excluded else rows

    def _items(self, rows: Sequence[Raw], piece: Slice) -> Sequence[Item]:
        """The items, as a full reading brings them, and remembers how fresh each task is."""
        for row in rows:
            self._states[row["gid"]] = max(instant(row, "modified_at"), self._states.get(row["gid"], since.BEGINNING))
        return self._reader.tasks_of(rows, with_fields=self._reader.has_defined(piece.args["workspace"]))

    # -- structure -------------------------------------------------------------------------------------------------------------

    async def _structure(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        async for page in self._projects(piece, cursor) if "workspace" in piece.args else self._workspaces(piece, cursor):
            yield page

    async def _workspaces(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        scope = Scope(frozenset(piece.args["workspaces"]), frozenset(piece.args["excluded"]))
        async for rows, offset in self._client.pages("/workspaces", (), selection.WORKSPACE, cursor):
            kept = [row for row in rows if wanted(scope, row["gid"])]
            opens = [opened for row in kept for opened in self._lists(row, piece.args["excluded"])]
            yield Page([items.workspace(row) for row in kept], offset, opens)

    def _lists(self, row: Raw, excluded: list[str]) -> list[Slice]:
        gid, name = row["gid"], row.get("name") or row["gid"]
        if gid not in workspaces_of(self._known):
            return lists_of(row, excluded, sole=False)
        projects = Slice(f"structure:{gid}", f"Projects of {name}", STRUCTURE, {"workspace": gid, "excluded": excluded})
        fields = Slice(f"fields:{gid}", f"Custom fields of {name}", STRUCTURE, {"workspace": gid, "sole": False})
        return [fields, projects] if f"search:{gid}" in self._known.marks else [projects]

    async def _projects(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        """All of them, so that the hub sees which ones are no longer there."""
        workspace, excluded = piece.args["workspace"], frozenset(piece.args["excluded"])
        searched = f"search:{workspace}" in self._known.marks
        async for rows, offset in self._client.pages("/projects", (("workspace", workspace),), selection.PROJECT, cursor):
            kept = [row for row in rows if in_scope(row, excluded)]
            self._listed.update(row["gid"] for row in kept)
            self._archived.update(row["gid"] for row in kept if row.get("archived"))
            if offset is None:
                self._walked.add(workspace)
            opens = [project_slice(row, workspace, searched=searched) for row in kept if self._must_be_read(row, searched)]
            yield Page(self._reader.projects_of(kept, workspace), offset, opens)

    def _must_be_read(self, row: Raw, searched: bool) -> bool:
        gid, archived = row["gid"], bool(row.get("archived"))
        if self._known.projects.get(f"project:{gid}") is not archived:
            return True
        marks = self._known.marks
        return not archived and (f"events:{gid}" not in marks or (not searched and f"modified:{gid}" not in marks))

    # -- event streams ---------------------------------------------------------------------------------------------------------

    async def _events(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        gid = piece.args["project"]
        project: Ref = f"project:{gid}"
        if piece.args["workspace"] in self._walked and gid not in self._listed:  # closed or gone: a read by id says which of them
            yield Page((), None, marks={piece.key: None})
            return
        sync: str = cursor["sync"] if cursor else piece.args["sync"]
        more, seen = True, {sync}
        try:
            while more:
                stretch, sync, more = await self._stretch(gid, sync, seen)
                page = await self._touched(piece, stretch)
                mark = None if gid in self._archived and not more else {"sync": sync, "workspace": piece.args["workspace"]}
                yield Page(page.items, {"sync": sync} if more else None, (), page.refused, marks={piece.key: mark}, gone=page.gone, told=page.told)
        except StaleToken as hole:
            whole = project_slice({"gid": gid}, piece.args["workspace"], searched=self._is_searched(piece), sync=hole.sync)
            yield Page((), None, () if gid in self._archived else (whole,), marks={piece.key: None})
        except NotFound:  # whether the project is gone is for a read by id to say, and for the project list
            yield Page((), None, marks={piece.key: None})
        except Refused as refused:
            if gid in self._listed:  # the project is in sight: it is the stream alone that is refused
                raise
            yield Page((), None, (), {project: refused})

    def _is_searched(self, piece: Slice) -> bool:
        return f"search:{piece.args['workspace']}" in self._known.marks

    async def _stretch(self, gid: str, sync: str, seen: set[str]) -> tuple[Stretch, str, bool]:
        stretch, more = Stretch(), True
        for _ in range(STEPS):
            step = await self._client.events(gid, sync, seen)
            sync, more = step.sync, step.more
            seen.add(sync)
            for event in step.rows:
                stretch.add(event)
            if not more:
                break
        return stretch, sync, more

    async def _touched(self, piece: Slice, stretch: Stretch) -> Page:
        """Reads again what a stretch touched: each task at most once in a run, whatever projects it is in."""
        again = {gid: touched for gid, touched in stretch.settle().items() if not touched.is_in(self._states.get(gid))}
        self._remember(again)  # before they are read: a task of two projects is in two streams, which are read side by side
        looked = await account.lookup(self._client, [f"task:{gid}" for gid in again], None)
        rows = await self._kept([item.raw for item in looked.found.values()], piece)
        found = [*(await self._sections(piece.args["project"]) if stretch.sections else ()), *self._items(rows, piece)]
        refused = {ref: Refused(f"{ref.replace(':', ' ')} is no longer open to this token", status=403) for ref in looked.refused}
        gone = frozenset(stretch.gone) | looked.gone
        here = gone.union(item.id for item in found)
        return Page(found, None, refused=refused, gone=gone, told={ref: told for ref, told in stretch.told.items() if ref in here})

    def _remember(self, again: Mapping[str, Touched]) -> None:
        for gid, touched in again.items():
            if touched.until is not None:
                self._states[gid] = max(touched.until, self._states.get(gid, since.BEGINNING))

    async def _sections(self, gid: str) -> list[Item]:
        rows = [row async for page, _ in self._client.pages(f"/projects/{gid}/sections", (), selection.SECTION) for row in page]
        return items.sections(rows, gid, 0)


def _feed(kind: str, gid: str, label: str, phase: int, args: Mapping[str, Any]) -> Slice:
    return Slice(f"{kind}:{gid}", f"{label} {gid}", phase, args)


def wanted(scope: Scope, workspace: str) -> bool:
    """Whether an admin wants this workspace."""
    return (not scope.workspaces or workspace in scope.workspaces) and workspace not in scope.excluded


def workspaces_of(known: Known) -> set[str]:
    """The workspaces that an earlier reading left marks of."""
    searched = {key.partition(":")[2] for key in known.marks if key.startswith("search:")}
    return searched.union(mark["workspace"] for mark in known.marks.values() if "workspace" in mark)
