"""Which tasks of a search lie in what an admin wants. Asked only where something was left out: a search knows no teams and no excluded projects."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from connectors.asana import selection
from connectors.asana.client import Client, Raw
from connectors.asana.slices import is_loose
from connectors.base import Known
from connectors.errors import NotFound, Refused


class Reach:
    """A task is in reach by a project of its own that was read, or by what is above it, or for being in no project at all.

    One in a project that is not known yet is out of reach for now: it comes with that project. What is above a subtask is looked up in what
    the hub has stored, and asked of the vendor only where it is not there, once a run.
    """

    def __init__(self, client: Client, known: Known) -> None:
        self._client = client
        self._known = known
        self._found: dict[str, bool] = {}

    async def of(self, rows: Sequence[Raw], excluded: Collection[str]) -> list[Raw]:
        """The rows that are in reach."""
        return [row for row in rows if await self._holds(row, excluded)]

    async def _holds(self, row: Raw, excluded: Collection[str]) -> bool:
        """Climbs to the first ancestor that decides; a chain of parents that the vendor made into a ring ends too."""
        below: list[str] = []
        answer: bool | None = None
        while answer is None:
            gid = row["gid"]
            answer = self._found.get(gid)
            if answer is not None or gid in below:
                break
            below.append(gid)
            parent = row.get("parent")
            if is_loose(row) or self._at_home(row, excluded):
                answer = True
            elif not isinstance(parent, dict):
                answer = False
            elif (answer := self._found.get(parent["gid"])) is None:
                above = await self._task(parent["gid"])
                answer, row = (False, row) if above is None else (None, above)
        self._found.update(dict.fromkeys(below, bool(answer)))
        return bool(answer)

    def _at_home(self, row: Raw, excluded: Collection[str]) -> bool:
        homes = [home["project"]["gid"] for home in row.get("memberships") or () if home.get("project")]
        return any(gid not in excluded and f"project:{gid}" in self._known.projects for gid in homes)

    async def _task(self, gid: str) -> Raw | None:
        ref = f"task:{gid}"
        held = (await self._known.recall([ref])).get(ref)
        if held is not None:
            return held
        try:
            return await self._client.one(f"/tasks/{gid}", selection.PARENTS)
        except (NotFound, Refused):
            return None
