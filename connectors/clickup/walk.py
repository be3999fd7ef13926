"""The container walk: workspaces, people, spaces, folders, lists.

Slices of phase STRUCTURE, each one page, opened downwards so that they resume and run side by side: ``structure`` (user, workspaces) ->
``workspace:W`` (groups, spaces, shared) -> ``space:S`` (folders and lists, live and archived) -> ``folders:S/n`` (what a folder's answer leaves
out: its archived lists). The walk opens the task slices too: two for each workspace, and one for every list under something archived.

As a feed it is the same walk, but opens the tasks of those lists alone that are new to the hub, were archived or came back (by a flag of their own or
of what they lie in); a workspace that no full reading has begun is read whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from connectors.base import Context, Item, Json, Known, Page, Slice
from connectors.clickup import lean, marks
from connectors.clickup.client import EVERYTHING, Client, Raw, together
from connectors.clickup.met import Met
from connectors.clickup.paging import UPDATED
from connectors.clickup.setting import Setting, folder_slices, found_slices, list_slice, space_slice, task_slices, workspace_slice
from connectors.errors import BadResponse, ConnectorError, NotFound, Refused
from connectors.records import Ref

Found: TypeAlias = Sequence[tuple[Raw, bool]]
"""Rows of a read, each with whether it came from the archived one."""
LAST_CHANGED: Any = (*EVERYTHING, ("order_by", "updated"), ("page", "0"))


@dataclass(slots=True)
class Gathered:
    """What a page of the walk comes to. ``live``: lists in no archived place whose tasks are to be read on their own."""

    items: list[Item] = field(default_factory=list)
    opens: list[Slice] = field(default_factory=list)
    live: list[str] = field(default_factory=list)


class Walk:
    """Reads the structure slices. Each method returns the slice's only page. ``places``: what the polls of this process need to know of the
    workspaces walked here. ``glance``: only to look at the tree, nothing will be kept up with."""

    def __init__(self, client: Client, met: Met, context: Callable[[str | None], Context], *, glance: bool = False) -> None:
        self._client = client
        self._met = met
        self._context = context
        self._glance = glance
        self.known = Known()
        self.places: dict[str, Json] = {}

    async def structure(self, piece: Slice) -> Page:
        """Workspaces in scope and their members; the token's user among them with its time zone, which replays read from that body."""
        user = await self._client.user()
        wanted, me, timezone = set(piece.args["workspaces"]), ident(user, "the token's user"), user.get("timezone")
        self._context(timezone)  # an unknown zone fails here, before anything is read with it
        teams = {key: team for team in await self._client.teams() if (key := ident(team, "a workspace")) in wanted or not wanted}
        setting = Setting(me, timezone, tuple(teams), frozenset(piece.args["excluded"]))
        people = members(teams.values())
        people[me] = lean.user(user) | people.get(me, {}) | {"timezone": timezone}
        self._met.users = set(people)
        items = [Item(f"identity:{key}", raw) for key, raw in people.items()]
        items += [Item(f"container:workspace/{key}", lean.workspace(team)) for key, team in teams.items()]
        begun = set(teams).intersection(marks.workspaces(self.known.marks)) if piece.args.get("feed") else set()
        opens = [workspace_slice(replace(setting, feed=key in begun), key, str(team.get("name"))) for key, team in teams.items()]
        refused = {f"container:workspace/{key}": Refused(f"workspace {key} is not open to this token") for key in sorted(wanted.difference(teams))}
        return Page(items, None, opens, refused)

    async def workspace(self, piece: Slice) -> Page:
        """Groups, spaces, and what is shared from places that the walk does not reach. Raises Refused where the spaces cannot be listed."""
        setting, workspace, ask = Setting.of(piece.args), str(piece.args["workspace"]), self._client
        calls: list[Callable[[], Awaitable[Any]]] = [partial(ask.spaces, workspace, archived=False), partial(ask.spaces, workspace, archived=True)]
        calls += [partial(ask.groups, workspace), partial(ask.shared, workspace)]
        answers = await together(calls)
        refused: dict[Ref, ConnectorError] = {}
        spaces = {ident(row, "a space"): (row, archived) for row, archived in both(answers[:2])}
        groups = or_refused(answers[2], f"container:groups/{workspace}", refused, [])
        lists, folders = or_refused(answers[3], f"container:shared/{workspace}", refused, ([], []))
        kept = {key: lean.space(row, workspace, archived=archived) for key, (row, archived) in spaces.items() if key not in setting.excluded}
        wished, setting = setting.excluded, await self.with_inner_folders(setting, kept)
        found = Gathered([Item(f"team:{ident(group, 'a group')}", lean.group(group)) for group in groups])
        for key, raw in kept.items():
            found.items += [Item(f"container:space/{key}", raw), *self._met.statuses(spaces[key][0].get("statuses"))]
        found.opens += [space_slice(setting, workspace, raw) for raw in kept.values()]
        before = len(found.items)
        self._shared(setting, workspace, lists, folders, found)
        # Shared things lie in spaces that a filter by visible spaces would leave out: no filter then, only the rows are sorted out.
        filtered = len(kept) < len(spaces) and len(found.items) == before
        only = [key for key, raw in kept.items() if not raw["archived"]] if filtered else []
        if (only or not filtered) and not setting.feed:
            found.opens += task_slices(setting, workspace, str(piece.args["name"]), list(spaces), only)
        place = {"me": setting.me, "name": str(piece.args["name"]), "workspaces": list(setting.workspaces), "spaces": list(spaces), "only": only}
        self.places[workspace] = place | {"left_out": sorted(wished), "inner": sorted(setting.excluded - wished)}
        stands = await self._stands(workspace, only) if only or not filtered else {}
        return self._page(setting, workspace, "shared", found, refused, stands | {marks.places(workspace): self.places[workspace]})

    async def _stands(self, workspace: str, only: Sequence[str]) -> dict[str, Json]:
        """The first marks of both polls, where they are lacking: what the vendor shows as changed last, before any task is kept.

        One call. The answer's ``Date`` would cost none, but it is another machine's clock than the one that dates the tasks.
        """
        lacking = [name for half in marks.HALVES if (name := marks.updated(workspace, half)) not in self.known.marks]
        if self._glance or not lacking:
            return {}
        query = [*LAST_CHANGED, *(("space_ids[]", space) for space in only)]
        answer = (await together([partial(self._client.dated_tasks, f"/v2/team/{workspace}/task", query)]))[0]
        if isinstance(answer, ConnectorError):
            return {}  # the slices of its tasks will say so
        rows, last, date = answer
        times = [int(row[UPDATED]) for row in rows if str(row.get(UPDATED)).isdigit()]
        # The full read comes after this and brings the truth: the first polls go back behind it by the overlap, but by no more than this page.
        floor = min(times, default=None) if not last else None
        return dict.fromkeys(lacking, marks.Stand(max(times, default=None), floor, date).to_json())

    async def with_inner_folders(self, setting: Setting, spaces: Mapping[str, Raw]) -> Setting:
        """Leaves out the folders inside a left-out folder: a task names its own folder only.

        Costs a call a space, only where something is left out.
        """
        if not setting.excluded.difference(spaces):
            return setting
        answers = await together([partial(self._client.folders, key, archived=False) for key, raw in spaces.items() if not raw["archived"]])
        folders = {ident(row, "a folder"): (row, False) for answer in answers if isinstance(answer, list) for row in answer}
        inner = {key for key in folders if any(above in setting.excluded for above in chain(key, folders))}
        return replace(setting, excluded=setting.excluded | inner)

    def _shared(self, setting: Setting, workspace: str, lists: Sequence[Raw], folders: Sequence[Raw], found: Gathered) -> None:
        self._lists(setting, workspace, None, [(row, False) for row in lists], None, False, found)
        kept = [row for row in folders if ident(row, "a shared folder") not in setting.excluded]
        for row in kept:
            self._met.folders.add(row["id"])
            found.items.append(Item(f"container:folder/{row['id']}", lean.folder(row, space=None, workspace=workspace, archived=False)))
        found.opens += folder_slices(setting, workspace, None, [[row["id"], row.get("archived") is True, True] for row in kept])

    @staticmethod
    def _page(
        setting: Setting,
        workspace: str,
        where: str,
        found: Gathered,
        refused: Mapping[Ref, ConnectorError] | None = None,
        stands: Mapping[str, Json] | None = None,
    ) -> Page:
        """``where``: what tells this page's batches of live lists from another's."""
        opens = once([*found.opens, *found_slices(setting, workspace, where, list(dict.fromkeys(found.live)))])
        return Page(once(found.items), None, opens, refused or {}, marks=stands or {})

    async def space(self, piece: Slice) -> Page:
        """Folders with their lists, and lists without a folder; live and archived. Raises Refused or NotFound for the space as a whole."""
        setting, workspace, space = Setting.of(piece.args), str(piece.args["workspace"]), str(piece.args["space"])
        ask, above = self._client, bool(piece.args["archived"])
        answers = await together(
            [partial(read, space, archived=archived) for read in (ask.folders, ask.folderless_lists) for archived in (False, True)]
        )
        folders = {ident(row, "a folder"): (row, archived) for row, archived in both(answers[:2])}
        found = Gathered()
        batch: list[tuple[str, bool, bool]] = []
        for key, (row, archived) in folders.items():
            line = chain(key, folders)
            if setting.excluded.intersection(line):
                continue
            old = above or any(is_archived(*folders[one]) for one in line)
            found.items += self._met.statuses(row.get("statuses"))
            lists = row.get("lists")
            inside = [entry for entry in lists if isinstance(entry, dict)] if isinstance(lists, list) else []
            if row.get("hidden") is not True:
                # A hidden folder is none: its lists, the archived ones too, come with the read of lists without a folder.
                self._met.folders.add(key)
                found.items.append(Item(f"container:folder/{key}", lean.folder(row, space=space, workspace=workspace, archived=archived)))
                batch.append((key, old, not isinstance(lists, list) or len(inside) < len(lists)))
            self._lists(setting, workspace, space, [(entry, False) for entry in inside], row, old, found)
        self._lists(setting, workspace, space, both(answers[2:]), None, above, found)
        self._met.space_walked(space, None, done=not batch)
        found.opens[:0] = folder_slices(setting, workspace, space, batch)
        return self._page(setting, workspace, space, found)

    async def folders(self, piece: Slice) -> Page:
        """The archived lists of up to 50 folders; their live ones too where the space's answer did not hold them."""
        setting, workspace, space = Setting.of(piece.args), str(piece.args["workspace"]), piece.args["space"]
        wanted = [(key, old, archived) for key, old, live in piece.args["folders"] for archived in ((False, True) if live else (True,))]
        answers = await together([partial(self._client.folder_lists, key, archived=archived) for key, _, archived in wanted])
        found = Gathered()
        refused: dict[Ref, ConnectorError] = {}
        for (key, old, archived), answer in zip(wanted, answers, strict=True):
            rows = [(row, archived) for row in or_refused(answer, f"container:folder/{key}", refused, [])]
            self._lists(setting, workspace, space, rows, {"id": key}, old, found)
        if space is not None:
            self._met.space_walked(space, (piece.args["batch"], piece.args["batches"]))
        return self._page(setting, workspace, piece.key.partition(":")[2], found, refused)

    def _lists(self, setting: Setting, workspace: str, space: str | None, rows: Found, folder: Raw | None, inherited: bool, found: Gathered) -> None:
        context = self._context(setting.timezone)
        for row, archived in rows:
            key = ident(row, "a list")
            if key in setting.excluded:
                continue
            home = folder if folder is not None else row.get("folder")
            raw = lean.list_(row, folder=home, space=space, workspace=workspace, archived=archived)
            self._met.lists.add(key)
            found.items += [*self._met.statuses(row.get("statuses")), Item(f"project:{key}", raw, context, setting.owner)]
            archived_now = bool(raw["archived"] or inherited)
            if archived_now and (not setting.feed or self._turned(key, archived_now)):
                found.opens.append(list_slice(setting, workspace, raw))
            elif setting.feed and not archived_now and self._turned(key, archived_now):
                found.live.append(key)

    def _turned(self, key: str, archived: bool) -> bool:
        """Whether a list is new to the hub, or was archived or brought back since its tasks were read. Where no list was read whole so far, the
        full reading has still to come, and brings them all."""
        return bool(self.known.projects) and self.known.projects.get(f"project:{key}") is not archived


def members(teams: Iterable[Raw]) -> dict[str, Raw]:
    """The members of some workspaces by id; of several roles the strongest (lowest number) counts, whatever the order of workspaces."""
    found: dict[str, Raw] = {}
    for team in teams:
        rows = team.get("members")
        if not isinstance(rows, list):
            raise BadResponse(f"workspace {team.get('id')}: the answer has no list of members")
        for row in rows:
            user = row.get("user") if isinstance(row, dict) else None
            if not isinstance(user, dict):
                raise BadResponse(f"workspace {team.get('id')}: a member without a user")
            key, raw = ident(user, "a member"), lean.user(user)
            if key in found and isinstance(raw.get("role"), int) and isinstance(found[key].get("role"), int):
                raw["role"] = min(raw["role"], found[key]["role"])
            found[key] = raw
    return found


def ident(row: Mapping[str, Any], what: str) -> str:
    """The id of a row as text; raises BadResponse where there is none."""
    key = row.get("id")
    if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
        raise BadResponse(f"{what} without an id")
    return str(key)


def whole(answer: list[Raw] | Refused | NotFound) -> list[Raw]:
    """The rows of an answer that the slice cannot do without."""
    if isinstance(answer, ConnectorError):
        raise answer
    return answer


def both(answers: Sequence[list[Raw] | Refused | NotFound]) -> Found:
    """The rows of a live read and of an archived one; a row in both counts as live unless it says otherwise itself."""
    rows: dict[str, tuple[Raw, bool]] = {}
    for archived, answer in zip((False, True), answers, strict=True):
        for row in whole(answer):
            rows.setdefault(ident(row, "a container"), (row, archived))
    return list(rows.values())


def or_refused(answer: Any, ref: Ref, refused: dict[Ref, ConnectorError], nothing: Any) -> Any:
    """An answer the slice can do without: its refusal is reported under ``ref`` and ``nothing`` taken for it."""
    if isinstance(answer, ConnectorError):
        refused[ref] = answer
        return nothing
    return answer


def is_archived(row: Raw, archived: bool) -> bool:
    own = row.get("archived")
    return own if isinstance(own, bool) else archived


def chain(key: str, folders: Mapping[str, tuple[Raw, bool]]) -> list[str]:
    """A folder and the folders it lies in, innermost first."""
    line: list[str] = []
    step: Any = key
    while step in folders and step not in line:
        line.append(step)
        step = folders[step][0].get("parent_folder")
    return line


def once(things: Iterable[Any]) -> list[Any]:
    """Each item (by id) or slice (by key) once, the first one first."""
    kept: dict[str, Any] = {}
    for thing in things:
        kept.setdefault(thing.id if isinstance(thing, Item) else thing.key, thing)
    return list(kept.values())
