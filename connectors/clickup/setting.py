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


@dataclass(frozen=True, slots=True)
class Setting:
    me: str
    timezone: str | None
    workspaces: tuple[str, ...]
    excluded: frozenset[str]

    def args(self, **more: Any) -> dict[str, Any]:
        return {"me": self.me, "timezone": self.timezone, "workspaces": list(self.workspaces), "excluded": sorted(self.excluded), **more}

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Setting:
        return cls(me=args["me"], timezone=args["timezone"], workspaces=tuple(args["workspaces"]), excluded=frozenset(args["excluded"]))

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
