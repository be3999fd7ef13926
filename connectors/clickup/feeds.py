"""Polls: what changed since the last one, by ``date_updated``, for a whole workspace.

Live tasks and archived ones are two reads, since "archived" is a switch. Nothing new: two requests.

Edits, creations, moves, archived and restored tasks come this way; deletions, and tasks whose list was archived, show in no filtered read.
What else a poll needs it takes from what the hub holds (the user's time zone, which lists and people are known) and asks the vendor only for
what is new: one call for a list, one for all people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from connectors.base import ARCHIVED, LIVE, Context, Item, Json, Known, Page, Scope, Slice
from connectors.clickup import marks
from connectors.clickup.client import EVERYTHING, Client, Raw, together
from connectors.clickup.met import Met
from connectors.clickup.newcomers import Newcomers
from connectors.clickup.paging import UPDATED, Position, advance, filters, key, moment
from connectors.clickup.setting import Setting
from connectors.clickup.tasks import left_out
from connectors.clickup.walk import Walk, both, ident
from connectors.records import Ref

LAST_CHANGED_LAST: Final = (*EVERYTHING, ("order_by", "updated"), ("reverse", "true"))


@dataclass(frozen=True, slots=True)
class Place:
    """What a poll has of the container walk. ``setting.excluded`` holds what the admin left out and the folders inside that."""

    setting: Setting
    spaces: Sequence[str]
    only: Sequence[str]


class Feeds:
    """Reads the polls' slices. ``me``: who the token is and its zone, asked for where the hub did not keep it."""

    def __init__(self, client: Client, walk: Walk, context: Callable[[str | None], Context]) -> None:
        self._client = client
        self._walk = walk
        self._context = context
        self._met = Met()  # of its own: it has met only those people and lists that polls were about
        self._newcomers = Newcomers(client, self._met)
        self._zones: dict[str, str | None] = {}
        self._known = Known()

    def know(self, known: Known) -> None:
        self._known = known
        self._newcomers.known = known

    def slices(self, scope: Scope) -> list[Slice]:
        """Two for each workspace of which a full reading has begun. Live ones come first: a task that is archived in between then shows as such."""
        found: list[Slice] = []
        for workspace in marks.workspaces(self._known.marks):
            place = self._known.marks.get(marks.places(workspace))
            if not isinstance(place, Mapping) or (scope.workspaces and workspace not in scope.workspaces):
                continue
            for half, phase in zip(marks.HALVES, (LIVE, ARCHIVED), strict=True):
                name = marks.updated(workspace, half)
                args = {"workspace": workspace, "half": half, "left_out": sorted(scope.excluded), "place": place, "mark": self._known.marks.get(name)}
                found.append(Slice(name, f"changed {half} tasks of {place.get('name')}", phase, args))
        return found

    async def changes(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        """What changed since the mark, oldest change first. Raises Refused where the workspace is closed to the token."""
        workspace, archived = str(piece.args["workspace"]), piece.args["half"] == "archived"
        stand = before = marks.Stand.of(piece.args["mark"])
        place, learned = await self._place(piece)
        query = [*LAST_CHANGED_LAST, *([("archived", "true")] if archived else ()), *(("space_ids[]", space) for space in place.only)]
        position = Position.from_json(cursor) if cursor is not None else None if stand.start is None else Position(stand.start)
        began: float | None = None
        resumed = cursor is not None
        while True:
            rows, last, date = await self._client.dated_tasks(f"/v2/team/{workspace}/task", [*query, *filters(position, by=UPDATED)])
            fresh, position = advance(position, rows, last, by=UPDATED)
            began = date if began is None else began
            stand = stand.seen(max((moment(row, UPDATED) for row in rows), default=None), date)
            stand = stand.settled(before, began) if last and not resumed else stand
            yield await self._page(workspace, place, fresh, position, {piece.key: stand.to_json(), **learned})
            if position is None:
                return

    async def _page(self, workspace: str, place: Place, rows: Sequence[Raw], position: Position | None, stands: Mapping[str, Json]) -> Page:
        setting, context = place.setting, self._context(place.setting.timezone)
        kept = {key(row): row for row in rows if not left_out(row, setting.excluded)}
        lists, outside = await self._newcomers.lists(list(kept.values()), setting, workspace, place.spaces, context)
        kept = {name: row for name, row in kept.items() if not left_out(row, outside)}
        items = [*lists, *await self._newcomers.people(kept.values(), setting)]
        items += [Item(f"task:{name}", row, context, setting.owner) for name, row in kept.items()]
        cursor = None if position is None else position.to_json()
        return Page(items, cursor, describe=partial(self._describe, kept), marks=stands)

    def _describe(self, rows: Mapping[str, Raw], changed: frozenset[Ref]) -> Sequence[Item]:
        return self._met.described([row for name, row in rows.items() if f"task:{name}" in changed])

    async def _place(self, piece: Slice) -> tuple[Place, Mapping[str, Json]]:
        """What is known of the walk, and a new mark where it had to be asked for: the admin left out something else than the last walk did."""
        workspace, wished = str(piece.args["workspace"]), frozenset(piece.args["left_out"])
        kept: Mapping[str, Any] = self._walk.places.get(workspace) or piece.args["place"]
        learned: dict[str, Json] = {}
        if wished != frozenset(kept["left_out"]):
            kept = await self._looked(workspace, kept, wished)
            learned[marks.places(workspace)] = self._walk.places[workspace] = kept
        zone = await self._zone(str(kept["me"]))
        setting = Setting(str(kept["me"]), zone, tuple(kept["workspaces"]), wished | frozenset(kept["inner"]))
        return Place(setting, kept["spaces"], kept["only"]), learned

    async def _looked(self, workspace: str, kept: Mapping[str, Any], wished: frozenset[str]) -> Mapping[str, Any]:
        """Visible spaces and the folders inside left-out ones. No filter by space: whether anything is shared from elsewhere is not known here."""
        answers = await together([partial(self._client.spaces, workspace, archived=archived) for archived in (False, True)])
        spaces = {ident(row, "a space"): {"archived": archived} for row, archived in both(answers)}
        setting = Setting(str(kept["me"]), None, tuple(kept["workspaces"]), wished)
        inner = (await self._walk.with_inner_folders(setting, {name: raw for name, raw in spaces.items() if name not in wished})).excluded - wished
        return {**kept, "spaces": list(spaces), "only": [], "left_out": sorted(wished), "inner": sorted(inner)}

    async def _zone(self, me: str) -> str | None:
        """The time zone of the token's user, as the last structure or full reading has it, else by one call."""
        if me not in self._zones:
            ref = f"identity:{me}"
            held = (await self._known.recall([ref])).get(ref)
            user: Mapping[str, Any] = held if held is not None else await self._client.user()
            self._zones[me] = user.get("timezone")
        return self._zones[me]
