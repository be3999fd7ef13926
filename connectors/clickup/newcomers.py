"""What a poll meets that the hub does not hold yet: lists, and people. Asked for in the fewest calls, and given the very bodies of the walk."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from connectors.base import Context, Item, Known
from connectors.clickup import lean
from connectors.clickup.client import Client, Raw, together
from connectors.clickup.met import Met, ident
from connectors.clickup.setting import Setting
from connectors.clickup.walk import members
from connectors.errors import ConnectorError


class Newcomers:
    """``met`` learns who and what is known, so that ``met.described`` tells the rest: people who are no members (any more)."""

    def __init__(self, client: Client, met: Met) -> None:
        self._client = client
        self._met = met
        self._outside: set[str] = set()
        self._asked_for_people = False
        self.known = Known()

    async def lists(
        self, rows: Sequence[Raw], setting: Setting, workspace: str, spaces: Sequence[str], context: Context
    ) -> tuple[list[Item], frozenset[str]]:
        """The lists that these tasks are in and the hub does not hold, and the ids of those that lie in something left out, which the poll
        could not know. One call a list, and where folders are left out one for each folder above it."""
        homes = {name: row for row in rows if (name := ident(row.get("list"))) is not None}
        # A further list says nothing of where it lies: where something is left out, an unknown one is most likely that, and would be asked for again
        # and again.
        places = [] if setting.excluded else [place for row in rows for place in _listed(row.get("locations"))]
        named = [*homes, *(name for place in places if (name := ident(place)) is not None)]
        fresh = await self._unknown([name for name in dict.fromkeys(named) if name not in setting.excluded])
        answers = await together([partial(self._client.one_list, name) for name in fresh])
        items: list[Item] = []
        for name, answer in zip(fresh, answers, strict=True):
            self._met.lists.add(name)
            if isinstance(answer, ConnectorError):
                # Its task may be shown to the user without it: then the task tells all there is to know of the list.
                raw = _stub(homes[name], workspace, spaces) if name in homes else None
            elif await self._is_outside(answer, setting.excluded):
                self._outside.add(name)
                raw = None
            else:
                space = ident(answer.get("space"))
                raw = lean.list_(answer, folder=answer.get("folder"), space=space if space in spaces else None, workspace=workspace, archived=False)
            if raw is not None:
                items.append(Item(f"project:{name}", raw, context, setting.owner))
        return items, frozenset(self._outside)

    async def _unknown(self, names: Sequence[str]) -> list[str]:
        wanted = [name for name in names if name not in self._met.lists and f"project:{name}" not in self.known.projects]
        held = await self.known.recall([f"project:{name}" for name in wanted]) if wanted else {}
        self._met.lists.update(ref.partition(":")[2] for ref in held)
        return [name for name in wanted if name not in self._met.lists]

    async def _is_outside(self, row: Raw, excluded: frozenset[str]) -> bool:
        """Whether a list lies in something left out, at any depth: a list names its own folder only."""
        if not excluded:
            return False
        if ident(row.get("space")) in excluded:
            return True
        folder, line = row.get("folder"), set[str]()
        step = ident(folder) if isinstance(folder, Mapping) and folder.get("hidden") is not True else None
        while step is not None and step not in line:
            if step in excluded:
                return True
            line.add(step)
            answer = (await together([partial(self._client.one_folder, step)]))[0]
            above = None if isinstance(answer, ConnectorError) else answer.get("parent_folder")
            step = str(above) if above else None
        return False

    async def people(self, rows: Iterable[Raw], setting: Setting) -> list[Item]:
        """The members among those whom these tasks name and the hub does not hold; one call for all of them, and for all pages of a run."""
        seen = {name for row in rows for name in _named(row)}
        known = self._met.users = {setting.me} if self._met.users is None else self._met.users
        wanted = sorted(seen - known)
        if not wanted or self._asked_for_people:
            return []
        known.update(ref.partition(":")[2] for ref in await self.known.recall([f"identity:{name}" for name in wanted]))
        if not seen - known:
            return []
        self._asked_for_people = True
        found = members(team for team in await self._client.teams() if str(team.get("id")) in setting.workspaces)
        fresh = [name for name in found if name not in known]
        known.update(found)
        return [Item(f"identity:{name}", found[name]) for name in fresh]


def _named(row: Raw) -> Collection[str]:
    """The ids of the users on a task, those in fields for people among them (groups beside them have no user name)."""
    users = [row.get("creator"), *_listed(row.get("assignees"))]
    for field in _listed(row.get("custom_fields")):
        if isinstance(field, dict) and field.get("type") == "users":
            users += [user for user in _listed(field.get("value")) if isinstance(user, dict) and "username" in user]
    return {name for user in users if (name := ident(user)) is not None}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _stub(row: Raw, workspace: str, spaces: Sequence[str]) -> Raw:
    folder, space = row.get("folder"), ident(row.get("space"))
    shown = folder if isinstance(folder, dict) and folder.get("hidden") is not True else None
    return lean.list_(row["list"], folder=shown, space=space if space in spaces else None, workspace=workspace, archived=False)
