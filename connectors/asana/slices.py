"""The slices of an Asana account: what each one reads, opens and needs to be read again by another process.

    workspaces                       every workspace; opens the lists of those in scope
    users:W  fields:W  teams:W       people, custom field definitions, teams (organizations only); teams opens projects:W
    projects:W                       live and archived projects, by workspace (new projects have no team); opens the slices below
    project:P                        sections with their order, then the tasks listed in the project; first of all the token of its event stream
    subtasks:W  loose:W              by search: subtasks at any depth, and tasks that are in no project
    children:T                       the direct subtasks of one task, where the hub found fewer than the task's own count

Search belongs to paid plans: on a free one subtasks come by ``children`` alone, and tasks in no project by their assignee, each person's list read
through; a task with neither project nor assignee is then out of reach. A subtask found by search does not tell in which project its topmost parent
is, so where projects are left out of the scope, subtasks come by ``children`` alone.

Marks (what they are for: ``feeds``). Only those that are lacking are taken. ``search:W``: by one search for the newest change that the index knows,
before any task is read; being refused it also tells that the workspace has no search. ``events:P`` and, without search, ``modified:P``: at the start
of the live project's own slice. They are kept with its last page, since a mark is worth something only where all before it was read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

import anyio

from connectors.asana import items, selection
from connectors.asana.client import Client, Raw
from connectors.asana.options import Options
from connectors.asana.since import from_newest, newest
from connectors.asana.windows import Place
from connectors.base import ARCHIVED, LIVE, STRUCTURE, Item, Known, Page, Scope, Sight, Slice
from connectors.errors import BadResponse, Refused
from connectors.records import Ref

NOT_LISTED: Final = 250
"""Project gids that one search leaves out: about 5,000 characters of URL, and of ``Slice.args``. The tasks of further projects are read twice."""


def roots(scope: Scope) -> tuple[Slice, ...]:
    return (Slice("workspaces", "Workspaces", STRUCTURE, {"workspaces": sorted(scope.workspaces), "excluded": sorted(scope.excluded)}),)


def children(gid: str) -> Slice:
    return Slice(f"children:{gid}", f"Subtasks of task {gid}", LIVE, {"parent": gid})


def is_separator(raw: Raw) -> bool:
    """A heading drawn as a row, not work; older data marks it by its subtype."""
    return raw.get("is_rendered_as_separator") is True or raw.get("resource_subtype") == "section"


def is_loose(raw: Raw) -> bool:
    """In no project and no subtask: a task with a visible membership is read in its project's slice."""
    return not raw.get("memberships") and not raw.get("parent")


def plan_lacks(refused: Refused) -> bool:
    """402: a matter of the plan, not of this object."""
    return refused.status == 402


class Reader:
    """Reads slices. What it remembers only saves repetition: a new reader goes on from any slice and cursor."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options
        self._context = options.context()
        self._chosen_fields = frozenset(options.status_field.values())
        self.known = Known()
        self._brought: set[Ref] = set()
        self._strangers: set[Ref] = set()
        self._defined: set[str] = set()
        self._defining = anyio.Lock()
        self._readers: dict[str, Callable[[Slice, Any], AsyncIterator[Page]]] = {
            "workspaces": self._workspaces,
            "users": self._users,
            "fields": self._fields,
            "teams": self._teams,
            "projects": self._projects,
            "project": self._project,
            "subtasks": self._subtasks,
            "loose": self._loose,
            "children": self._children,
        }

    def read(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        """Raises ValueError for a slice that is none of this connector's."""
        reader = self._readers.get(piece.key.partition(":")[0])
        if reader is None:
            raise ValueError(f"no slice of this connector: {piece.key}")
        return reader(piece, cursor)

    async def _workspaces(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        chosen, excluded = frozenset(piece.args["workspaces"]), piece.args["excluded"]
        first = cursor is None
        async for rows, offset in self._client.pages("/workspaces", (), selection.WORKSPACE, _offset(cursor)):
            kept = [row for row in rows if (not chosen or row["gid"] in chosen) and row["gid"] not in excluded]
            found = [items.workspace(row) for row in kept]
            if first:
                found.extend(items.statuses_without_section())
            sole = first and offset is None and len(rows) == 1
            opens = [opened for row in kept for opened in lists_of(row, excluded, sole)]
            yield Page(once(found), _next(offset), opens)
            first = False

    async def _users(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        params = (("workspace", piece.args["workspace"]),)
        async for rows, offset in self._client.pages("/users", params, selection.USER, _offset(cursor)):
            found = once([items.identity(row) for row in rows])
            yield Page(found, _next(offset))
            self._brought.update(item.id for item in found)

    async def _fields(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        workspace = piece.args["workspace"]
        try:
            async for rows, offset in self._client.pages(f"/workspaces/{workspace}/custom_fields", (), selection.FIELD, _offset(cursor)):
                found = [items.field(row) for row in rows]
                for row in rows:
                    if row["gid"] in self._chosen_fields:
                        found.extend(items.option_statuses(row["gid"], row.get("enum_options") or ()))
                yield Page(once(found), _next(offset))
                self._brought.update(item.id for item in found)
        except Refused as refused:
            if not plan_lacks(refused):
                raise
            if piece.args["sole"]:
                self._client.on_free_plan()
            yield Page((), None)
        if cursor is None:
            self._defined.add(workspace)

    async def _teams(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        workspace, excluded = piece.args["workspace"], piece.args["excluded"]
        async for rows, offset in self._client.pages(f"/workspaces/{workspace}/teams", (), selection.TEAM, _offset(cursor)):
            found = once([items.team(row, workspace) for row in rows if row["gid"] not in excluded])
            # Projects come after the teams, so that a project's team is known to be listed or not.
            yield Page(found, _next(offset), () if offset else (_projects_of(workspace, excluded),))
            self._brought.update(item.id for item in found)

    async def _projects(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        workspace, excluded = piece.args["workspace"], frozenset(piece.args["excluded"])
        listed: list[str] = list(cursor["listed"]) if cursor else []
        left_out: bool = cursor["left_out"] if cursor else False
        marks: Mapping[str, Any] = {}
        searched = cursor["searched"] if cursor else f"search:{workspace}" in self.known.marks
        if cursor is None and not searched:
            marks = await self._newest(workspace)
            searched = bool(marks)
        async for rows, offset in self._client.pages("/projects", (("workspace", workspace),), selection.PROJECT, _offset(cursor)):
            kept = [row for row in rows if in_scope(row, excluded)]
            left_out = left_out or len(kept) < len(rows)
            listed = (listed + [row["gid"] for row in rows])[:NOT_LISTED]
            opens = [project_slice(row, workspace, searched=searched) for row in kept]
            if offset is None:
                opens.extend(_searches(workspace, listed, left_out))
            place = {"offset": offset, "listed": listed, "left_out": left_out, "searched": searched} if offset else None
            yield Page(self.projects_of(kept, workspace), place, opens, marks=marks)
            marks = {}

    def projects_of(self, rows: Sequence[Raw], workspace: str) -> Sequence[Item]:
        """The projects, and before them those teams that no list has brought."""
        teams = [items.team(row["team"], workspace) for row in rows if (team := _team_gid(row)) and f"container:team/{team}" not in self._brought]
        self._brought.update(item.id for item in teams)
        return once([*teams, *[items.project(row) for row in rows]])

    async def _newest(self, workspace: str) -> Mapping[str, Any]:
        """Where the feed by search begins; no mark where the plan or the token's rights have no search, so that projects are polled one by one."""
        order = [("sort_by", "modified_at"), ("sort_ascending", "false")]
        try:
            found = await self._client.search(workspace, order, selection.STAMP, limit=1)
        except Refused:
            return {}
        return {f"search:{workspace}": {"from": from_newest(newest(found.rows), found.date)}}

    async def _project(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        """Sections first, so that their statuses are there before the tasks. Raises Refused or NotFound where the project itself is out of reach."""
        gid, workspace = piece.args["project"], piece.args["workspace"]
        place = cursor or {"part": "sections", "offset": None, "position": 0, "marks": await self._stream(piece)}
        marks: dict[str, Any] = dict(place["marks"])
        carried: list[Item] = []  # the last sections travel with the first tasks: half the pages of a small project
        if place["part"] == "sections":
            position = place["position"]
            async for rows, offset in self._client.pages(f"/projects/{gid}/sections", (), selection.SECTION, place["offset"]):
                found = items.sections(rows, gid, position)
                position += len(rows)
                if offset:
                    yield Page(once(found), {"part": "sections", "offset": offset, "position": position, "marks": marks})
                else:
                    carried = found
            place = {"part": "tasks", "offset": None}
        polled = piece.phase == LIVE and piece.args.get("polled") and f"modified:{gid}" not in self.known.marks
        sights: list[Sight] = []

        def sight() -> Sight:
            sights[:] = [Sight(self.known, piece, [item.raw for item in carried])]
            return sights[0]

        params = (("project", gid),)
        async for rows, offset in self._client.pages("/tasks", params, selection.TASK, place["offset"], None if polled else sight):
            if sights and sights[0].found is not None:
                following = {"part": "tasks", "offset": offset, "marks": marks} if offset else None
                yield Page((), following, marks={} if offset else marks, fingerprint=sights[0].fingerprint, again=True)
                carried = []
                continue
            if polled and place["offset"] is None and f"modified:{gid}" not in marks:
                # All that changes after this first page has a later instant than all that is on it.
                marks[f"modified:{gid}"] = {"from": from_newest(newest(rows), None), "workspace": workspace}
            await self._define(workspace, rows)
            tasks = self.tasks_of(rows, with_fields=True)
            following = {"part": "tasks", "offset": offset, "marks": marks} if offset else None
            fingerprint = sights[0].fingerprint if sights and self._brought_by_lists(rows) else None
            yield Page(once([*carried, *tasks]), following, marks={} if offset else marks, fingerprint=fingerprint)
            carried = []

    async def _stream(self, piece: Slice) -> Mapping[str, Any]:
        """The first mark of a live project's event stream. Where the stream alone is refused (a matter of an app's scopes) it is without a token, so
        that the project is not read whole again and again for want of one."""
        gid, workspace = piece.args["project"], piece.args["workspace"]
        key = f"events:{gid}"
        sync = piece.args.get("sync")
        if piece.phase != LIVE or (key in self.known.marks and not sync):
            return {}
        try:
            return {key: {"sync": sync or await self._client.token(gid), "workspace": workspace}}
        except Refused:
            return {key: {"sync": None, "workspace": workspace}}

    async def _children(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        async for rows, offset in self._client.pages(f"/tasks/{piece.args['parent']}/subtasks", (), selection.TASK, _offset(cursor)):
            yield Page(self.tasks_of(rows), _next(offset))

    async def _subtasks(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        try:
            async for page in self._searched(piece, cursor, [("is_subtask", "true")], lambda row: True):
                yield page
        except Refused as refused:
            if not plan_lacks(refused):
                raise
            yield Page((), None)

    async def _loose(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        """Tasks in no project, by search or, where the plan has none, by assignee; a cursor tells which of the two it belongs to."""
        listed = piece.args["listed"]
        without = [("projects.not", ",".join(listed))] if listed else []
        by_search = cursor is None or "assignee" not in cursor
        try:
            if by_search:
                async for page in self._searched(piece, cursor, [("is_subtask", "false"), *without], is_loose):
                    yield page
        except Refused as refused:
            if not plan_lacks(refused):
                raise
            by_search, cursor = False, None
        if not by_search:
            async for page in self._assigned(piece, cursor):
                yield page

    async def _assigned(self, piece: Slice, cursor: Any) -> AsyncIterator[Page]:
        """Each person's tasks in turn, in the order of their gids, so that a cursor holds its meaning when people come and go."""
        workspace = piece.args["workspace"]
        params = ("workspace", workspace)
        people = sorted([row["gid"] async for rows, _ in self._client.pages("/users", (params,), selection.USER) for row in rows])
        left = [gid for gid in people if cursor is None or gid >= cursor["assignee"]]
        begin = _offset(cursor) if left and cursor and left[0] == cursor["assignee"] else None
        for gid, then in zip_longest(left, left[1:]):
            async for rows, offset in self._client.pages("/tasks", (("assignee", gid), params), selection.TASK, begin):
                kept = [row for row in rows if is_loose(row)]
                following = {"assignee": gid, "offset": offset} if offset else {"assignee": then, "offset": None} if then else None
                yield Page(self.tasks_of(kept), following)
            begin = None
        if not left:
            yield Page((), None)

    async def _searched(self, piece: Slice, cursor: Any, filters: list[tuple[str, str]], keep: Callable[[Raw], bool]) -> AsyncIterator[Page]:
        """Windows by creation time; a place that is full of one instant is left behind (see ``Place``)."""
        place: Place | None = Place.of(cursor)
        while place is not None:
            sight = Sight(self.known, piece, None if place.at is None else place.cursor())
            rows = (await self._client.search(piece.args["workspace"], [*filters, *place.params()], selection.TASK, sight=sight)).rows
            if sight.found is not None:
                after = sight.found["cursor"]
                yield Page((), after, fingerprint=sight.fingerprint, again=True)
                place = None if after is None else Place.of(after)
                continue
            following = place.after(rows)
            kept = [row for row in place.fresh(rows) if keep(row)]
            tasks = self.tasks_of(kept)
            fingerprint = sight.fingerprint if self._brought_by_lists(kept) else None
            yield Page(tasks, following.cursor() if following else None, fingerprint=fingerprint)
            place = following

    def tasks_of(self, rows: Sequence[Raw], *, with_fields: bool = False) -> Sequence[Item]:
        """The tasks, and before them the people and fields that no list has brought; headings are no tasks."""
        stubs = _understood(self._embedded, rows, with_fields=with_fields)
        self._brought.update(item.id for item in stubs)
        self._strangers.update(item.id for item in stubs)
        context = self._context
        return once([*stubs, *[items.task(row, context) for row in rows if not is_separator(row)]])

    def _brought_by_lists(self, rows: Iterable[Raw]) -> bool:
        """Whether lists brought every person and field that rides on these tasks: another page of tasks cannot be counted on to bring them again."""
        strangers = self._strangers
        return not strangers or not any(
            (row.get("assignee") and "identity:" + row["assignee"]["gid"] in strangers)
            or any("field:" + value["gid"] in strangers for value in row.get("custom_fields") or ())
            for row in rows
        )

    def has_defined(self, workspace: str) -> bool:
        """Whether this process has read the workspace's field definitions: only then can a field that rides on a task be known to be in none."""
        return workspace in self._defined

    def _embedded(self, rows: Iterable[Raw], with_fields: bool) -> list[Item]:
        """People and fields that ride on tasks and that no list has brought. Fields come from projects, so only a project's slice looks for them."""
        brought = self._brought
        found: dict[Ref, Item] = {}
        for row in rows:
            person = row.get("assignee")
            if person and "identity:" + person["gid"] not in brought:
                found["identity:" + person["gid"]] = items.identity(person)
            for value in (row.get("custom_fields") or ()) if with_fields else ():
                if "field:" + value["gid"] not in brought:
                    found["field:" + value["gid"]] = items.embedded_field(value)
                if value["gid"] in self._chosen_fields:
                    found.update((item.id, item) for item in items.embedded_statuses(value) if item.id not in brought)
        return list(found.values())

    async def _define(self, workspace: str, rows: Sequence[Raw]) -> None:
        """Reads the workspace's field definitions again where this process has not seen them: a stub must not replace a definition with options."""
        if workspace in self._defined or not any(row.get("custom_fields") for row in rows):
            return
        async with self._defining:
            if workspace not in self._defined:
                piece = Slice(f"fields:{workspace}", "", STRUCTURE, {"workspace": workspace, "sole": False})
                async for _ in self._fields(piece, None):
                    pass


def in_scope(row: Raw, excluded: Collection[str]) -> bool:
    """Whether an admin wants this project."""
    return row["gid"] not in excluded and _team_gid(row) not in excluded


def lists_of(row: Raw, excluded: list[str], sole: bool) -> list[Slice]:
    """What reads a whole workspace."""
    gid, name = row["gid"], row.get("name") or row["gid"]
    after = Slice(f"teams:{gid}", f"Teams of {name}", STRUCTURE, {"workspace": gid, "excluded": excluded})
    return [
        Slice(f"users:{gid}", f"People of {name}", STRUCTURE, {"workspace": gid}),
        Slice(f"fields:{gid}", f"Custom fields of {name}", STRUCTURE, {"workspace": gid, "sole": sole}),
        after if row.get("is_organization") else _projects_of(gid, excluded),
    ]


def _projects_of(workspace: str, excluded: list[str]) -> Slice:
    return Slice(f"projects:{workspace}", "Projects", STRUCTURE, {"workspace": workspace, "excluded": excluded})


def project_slice(row: Raw, workspace: str, *, searched: bool, sync: str | None = None) -> Slice:
    """``searched``: the workspace's tasks are polled by search, else one project at a time. ``sync``: the token to go on with, where it is known."""
    gid = row["gid"]
    phase = ARCHIVED if row.get("archived") else LIVE
    args = {"project": gid, "workspace": workspace} | ({} if searched else {"polled": True}) | ({"sync": sync} if sync else {})
    return Slice(f"project:{gid}", row.get("name") or gid, phase, args, covers=(f"project:{gid}",))


def _searches(workspace: str, listed: list[str], left_out: bool) -> list[Slice]:
    loose = Slice(f"loose:{workspace}", "Tasks in no project", LIVE, {"workspace": workspace, "listed": listed})
    subtasks = Slice(f"subtasks:{workspace}", "Subtasks", LIVE, {"workspace": workspace})
    return [loose] if left_out else [subtasks, loose]


def _team_gid(row: Raw) -> str | None:
    team = row.get("team")
    return team.get("gid") if isinstance(team, dict) else None


def _offset(cursor: Any) -> str | None:
    return cursor["offset"] if cursor else None


def _next(offset: str | None) -> dict[str, Any] | None:
    return {"offset": offset} if offset else None


def once(found: Iterable[Item]) -> Sequence[Item]:
    """One item per reference, the last one given."""
    return tuple({item.id: item for item in found}.values())


def _understood(embedded: Callable[[Iterable[Raw], bool], list[Item]], rows: Iterable[Raw], *, with_fields: bool) -> list[Item]:
    try:
        return embedded(rows, with_fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadResponse(f"a task's assignee or custom field is not of the shape that the specification gives ({error})") from error
