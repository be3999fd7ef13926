"""The slices, and what their ``args`` carry so that each can be read in another process.

That is: whose time zone, which workspaces are in scope, what is left out; and what the slice itself is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.base import ARCHIVED, LIVE, STRUCTURE, Slice
from connectors.clickup.client import Raw

FOLDERS_A_SLICE: Final = 50  # one call each: what a kill can cost at most
LISTS_A_CALL: Final = 100  # ids in one address: about 3 kB of the 8 that are believed safe


@dataclass(frozen=True, slots=True)
class Setting:
    """``feed``: a structure run, which opens the tasks of those lists alone that are new or whose archiving changed."""

    me: str
    timezone: str | None
    workspaces: tuple[str, ...]
    excluded: frozenset[str]
    feed: bool = False

    def args(self, **more: Any) -> dict[str, Any]:
        own = {"me": self.me, "timezone": self.timezone, "workspaces": list(self.workspaces), "excluded": sorted(self.excluded)}
        return own | ({"feed": True} if self.feed else {}) | more

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Setting:
        places = (tuple(args["workspaces"]), frozenset(args["excluded"]))
        return cls(args["me"], args["timezone"], *places, feed=args.get("feed") is True)

    @property
    def owner(self) -> str:
        """The reference of the item whose body holds the time zone."""
        return f"identity:{self.me}"


def workspace_slice(setting: Setting, workspace: str, name: str) -> Slice:
    return Slice(f"workspace:{workspace}", f"spaces of {name}", STRUCTURE, setting.args(workspace=workspace, name=name))


def space_slice(setting: Setting, workspace: str, raw: Raw) -> Slice:
    args = setting.args(workspace=workspace, space=raw["id"], archived=raw["archived"])
    return Slice(f"space:{raw['id']}", f"lists of {raw['name']}", STRUCTURE, args)


def folder_slices(setting: Setting, workspace: str, space: str | None, folders: Sequence[Sequence[Any]]) -> list[Slice]:
    """``folders``: [folder id, is it or anything above it archived, are its live lists to be read too]."""
    home = f"space {space}" if space else "shared folders"
    batches = [list(folders[start : start + FOLDERS_A_SLICE]) for start in range(0, len(folders), FOLDERS_A_SLICE)]
    return [
        Slice(
            f"folders:{space or f'shared/{workspace}'}/{number}",
            f"archived lists in {home}, part {number + 1}",
            STRUCTURE,
            setting.args(workspace=workspace, space=space, folders=batch, batch=number, batches=len(batches)),
        )
        for number, batch in enumerate(batches)
    ]


def list_slice(setting: Setting, workspace: str, raw: Raw) -> Slice:
    """The tasks of a list that is archived or lies under something archived: the workspace-wide read leaves them out, even with archived=true."""
    args = setting.args(workspace=workspace, list=raw["id"])
    return Slice(f"list:{raw['id']}", f"tasks of the archived list {raw['name']}", ARCHIVED, args, (f"project:{raw['id']}",))


def found_slices(setting: Setting, workspace: str, where: str, lists: Sequence[str]) -> list[Slice]:
    """The tasks of live lists that are new to the hub, by workspace-wide reads that name up to a hundred of them: two calls for all, not for each."""
    batches = [list(lists[start : start + LISTS_A_CALL]) for start in range(0, len(lists), LISTS_A_CALL)]
    return [
        Slice(
            f"lists:{workspace}/{where}/{number}",
            f"tasks of {len(batch)} lists that are new or came back",
            LIVE,
            setting.args(workspace=workspace, lists=batch),
            tuple(f"project:{key}" for key in batch),
        )
        for number, batch in enumerate(batches)
    ]


def task_slices(setting: Setting, workspace: str, name: str, spaces: Sequence[str], only: Sequence[str]) -> list[Slice]:
    """The workspace's two task slices. ``spaces``: all that are visible.

    ``only``: those to ask for where whole spaces are left out (empty: no filter).
    """
    args = setting.args(workspace=workspace, spaces=list(spaces), only=list(only))
    covers = (f"container:workspace/{workspace}",)
    return [
        Slice(f"tasks:{workspace}", f"tasks of {name}", LIVE, args, covers),
        Slice(f"archived:{workspace}", f"archived tasks of {name}", ARCHIVED, args, covers),
    ]
