"""What one run has handed over already, so that definitions and stubs embedded in tasks become items of their own once and no more.

All of it is memory of this process and may be lost: a resumed run emits a definition again (same body, nothing is written). A stub is emitted only
where it is sure that the walk did not bring the thing, for it would overwrite the full record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.base import Context, Item
from connectors.clickup import lean, mapping
from connectors.clickup.client import Raw
from connectors.records import Ref


class Met:
    """``users``: null until the members of the workspaces in scope are known.

    ``spaces``: those whose lists, archived ones too, this process has walked.
    """

    def __init__(self) -> None:
        self.users: set[str] | None = None
        self.lists: set[str] = set()
        self.folders: set[str] = set()
        self.spaces: set[str] = set()
        self._parts: dict[str, set[int]] = {}
        self._statuses: set[tuple[Any, ...]] = set()
        self._status_ids: set[Ref] = set()
        self._fields: dict[str, Raw] = {}
        self._numbers: set[int] = set()
        self._stubbed = False

    def space_walked(self, space: str, folders: tuple[int, int] | None, *, done: bool = False) -> None:
        """This process read the space's own page (null; ``done``: it has no folders), or one of its folder slices (number, how many in all)."""
        parts = self._parts.setdefault(space, set())
        parts.add(-1 if folders is None else folders[0])
        if done or (folders is not None and -1 in parts and len(parts) > folders[1]):
            self.spaces.add(space)

    def statuses(self, rows: Any) -> list[Item]:
        """The statuses that a space, folder or list states, where they have ids (without one nothing can refer to them here)."""
        found: list[Item] = []
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping) and row.get("id") and f"status:{row['id']}" not in self._status_ids:
                ref = f"status:{row['id']}"
                self._status_ids.add(ref)
                found.append(Item(ref, lean.status(dict(row))))
        return found

    def places(self, tasks: Iterable[Raw], args: Mapping[str, Any], context: Context, owner: Ref) -> list[Item]:
        """Stubs of lists and folders that these tasks lie in and the walk did not bring. Never raises, like ``described``."""
        found: dict[Ref, Item] = {}
        for task in tasks:
            if task.get("locations") or not self._at_home(task):
                for raw in self._home(task, args):
                    found[f"project:{raw['id']}"] = Item(f"project:{raw['id']}", raw, context, owner)
                    self._stubbed = True
                if (folder := self._folder(task, args)) is not None:
                    self._stubbed = True
                    found[f"container:folder/{folder['id']}"] = Item(f"container:folder/{folder['id']}", folder)
        return list(found.values())

    def brought_by_walk(self, tasks: Iterable[Raw]) -> bool:
        """Whether the walk of this process brought every list and folder that these tasks lie in: then none of them ever needs a stub."""
        return not self._stubbed and all(
            self._at_home(task) and all(ident(place) in self.lists for place in task.get("locations") or ()) for task in tasks
        )

    def described(self, tasks: Sequence[Raw]) -> list[Item]:
        """Items for what these tasks carry and this run has not handed over: statuses, field definitions, users who are no members (any more).

        Never raises: a malformed part yields nothing here, and its task's mapping names it.
        """
        found: dict[Ref, Item] = {}
        fields: set[str] = set()
        for task in tasks:
            self._status(task, found)
            creator, assignees = task.get("creator"), task.get("assignees")
            if creator:
                self._people((creator,), found)
            if assignees:
                self._people(assignees, found)
            if task.get("custom_fields"):
                self._custom_fields(task["custom_fields"], fields, found)
        return list(found.values())

    def _status(self, task: Raw, found: dict[Ref, Item]) -> None:
        status = task.get("status")
        if not isinstance(status, dict):
            return
        home = ident(task.get("list"))
        seen = (ident(status) or home, *[str(status.get(name)) for name in ("status", "type", "color")])
        if seen in self._statuses:
            return
        self._statuses.add(seen)
        ref = mapping.status_ref(status, home)
        if ref is not None and ref not in self._status_ids:
            found[ref] = Item(ref, lean.status(status))

    def _custom_fields(self, rows: Any, fields: set[str], found: dict[Ref, Item]) -> None:
        for field in rows if isinstance(rows, list) else ():
            if not isinstance(field, dict):
                continue
            key = field.get("id")
            if field.get("type") == "users" and field.get("value"):
                self._people(field["value"], found)
            if not isinstance(key, str) or key in fields:
                continue
            # Within one page a definition is one and the same: it is compared once, not once a task.
            fields.add(key)
            raw = lean.field(field)
            if self._fields.get(key) != raw:
                self._fields[key] = raw
                found[f"field:{key}"] = Item(f"field:{key}", raw)

    def _people(self, users: Any, found: dict[Ref, Item]) -> None:
        known = self.users
        if known is None:
            return
        for user in users if isinstance(users, list | tuple) else ():
            number = user.get("id") if isinstance(user, dict) else None
            if isinstance(number, int):
                if number in self._numbers:
                    continue
                self._numbers.add(number)
            key = ident(user)
            # In a field for people a group may stand beside them: it has no user name.
            if key is not None and key not in known and "username" in user:
                known.add(key)
                found[f"identity:{key}"] = Item(f"identity:{key}", lean.user(user) | {"member": False})

    def _at_home(self, task: Raw) -> bool:
        home, folder = task.get("list"), task.get("folder")
        return ident(home) in self.lists and (not isinstance(folder, dict) or folder.get("hidden") is True or ident(folder) in self.folders)

    def _home(self, task: Raw, args: Mapping[str, Any]) -> list[Raw]:
        """Stubs of the task's lists that the walk did not bring. Further lists come without their space: only if all spaces were walked here."""
        stubs: list[Raw] = []
        key, places = ident(task.get("list")), task.get("locations")
        if key is not None and key not in self.lists and self._foreign(task, args):
            self.lists.add(key)
            stubs.append(lean.list_(task["list"], folder=_shown(task), space=_space(task, args), workspace=args["workspace"], archived=False))
        if places and isinstance(places, list) and "spaces" in args and self.spaces.issuperset(args["spaces"]):
            for place in places:
                further = ident(place)
                if further is not None and further not in self.lists and further not in args["excluded"]:
                    self.lists.add(further)
                    stubs.append(lean.list_(place, folder=None, space=None, workspace=args["workspace"], archived=False))
        return stubs

    def _folder(self, task: Raw, args: Mapping[str, Any]) -> Raw | None:
        """The stub of a folder that the walk did not bring."""
        folder = _shown(task)
        key = ident(folder)
        if folder is None or key is None or key in self.folders or not self._foreign(task, args):
            return None
        self.folders.add(key)
        return lean.folder(folder, space=_space(task, args), workspace=args["workspace"], archived=False)

    def _foreign(self, task: Raw, args: Mapping[str, Any]) -> bool:
        """Is it sure that a list not met here is not in the walk: this process walked its space, or its space is none that the user can see."""
        space = ident(task.get("space"))
        return "spaces" in args and (space in self.spaces or space not in args["spaces"])


def ident(thing: Any) -> str | None:
    """The id of an embedded object as text; null where there is none."""
    key = thing.get("id") if isinstance(thing, dict) else None
    return str(key) if key and isinstance(key, str | int) and not isinstance(key, bool) else None


def _shown(task: Raw) -> Raw | None:
    folder = task.get("folder")
    return folder if isinstance(folder, dict) and ident(folder) is not None and folder.get("hidden") is not True else None


def _space(task: Raw, args: Mapping[str, Any]) -> str | None:
    space = ident(task.get("space"))
    return space if space in args["spaces"] else None
