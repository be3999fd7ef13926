"""Who the token is, what it reaches, and single objects by id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from connectors.asana import items, selection
from connectors.asana.client import FREE_PER_MINUTE, Client
from connectors.asana.slices import is_separator, plan_lacks
from connectors.base import Check, Context, Item, Looked, Workspace
from connectors.errors import BadResponse, ConnectorError, NotFound, Refused
from connectors.records import Ref

PATHS = {"task": ("/tasks/", selection.TASK), "project": ("/projects/", selection.PROJECT)}

AT_ONCE = 20
"""Reads by id started together; a refused token is noticed after so many at the latest."""


async def check(client: Client) -> Check:
    """Two calls: the user with its workspaces, and one search to see whether the plan has it. Raises AuthFailed for a token that is no good."""
    me = await client.one("/users/me", selection.ME)
    workspaces = me.get("workspaces")
    if not isinstance(workspaces, list) or not all(isinstance(row, dict) and row.get("gid") for row in workspaces):
        raise BadResponse(f"user {me['gid']}: the list of workspaces is missing")
    organizations = [row for row in workspaces if row.get("is_organization")]
    asked = next(iter(organizations or workspaces), None)
    missing: list[str] = [] if asked else ["The token's user belongs to no workspace."]
    paid = await _has_search(client, asked["gid"], str(asked.get("name")), missing) if asked else False
    if asked and not paid:
        client.on_free_plan()
    return Check(
        user_external_id=me["gid"],
        user_name=me.get("name") or None,
        user_email=me.get("email") or None,
        account="",
        workspaces=tuple(
            Workspace(row["gid"], row.get("name") or row["gid"], "organization" if row.get("is_organization") else "workspace") for row in workspaces
        ),
        plan=("paid" if paid else "free") if asked else None,
        limits={"calls a minute": 1500 if paid else FREE_PER_MINUTE, "searches a minute": 60 if paid else 0, "reads at once": 50},
        missing=tuple(missing),
    )


async def _has_search(client: Client, workspace: str, name: str, missing: list[str]) -> bool:
    try:
        await client.search(workspace, [("is_subtask", "true")], "gid", limit=1)
    except Refused as refused:
        if not plan_lacks(refused):
            raise
        missing.append(
            f"The plan of {name} has no search: subtasks are read one task at a time, tasks in no project are found by their assignee only, "
            "and custom fields may be absent."
        )
        return False
    return True


async def discover(client: Client) -> list[Item]:
    """Workspaces, teams and projects."""
    found: list[Item] = []
    async for workspaces, _ in client.pages("/workspaces", (), selection.WORKSPACE):
        for workspace in workspaces:
            gid = workspace["gid"]
            found.append(items.workspace(workspace))
            if workspace.get("is_organization"):
                async for rows, _ in client.pages(f"/workspaces/{gid}/teams", (), selection.TEAM):
                    found.extend(items.team(row, gid) for row in rows)
            async for rows, _ in client.pages("/projects", (("workspace", gid),), selection.PROJECT):
                found.extend(items.project(row) for row in rows)
    return found


async def lookup(client: Client, refs: Sequence[Ref], context: Context | None) -> Looked:
    """404 is gone (the trash included), 402 and 403 are no access. A task that became a heading is gone as a task.

    Raises ValueError for other kinds, and the first error that is neither.
    """
    unknown = [ref for ref in refs if ref.partition(":")[0] not in PATHS]
    if unknown:
        raise ValueError(f"only tasks and projects can be read by id, not {unknown[0]}")
    found: dict[Ref, Item] = {}
    gone: set[Ref] = set()
    refused: set[Ref] = set()
    for start in range(0, len(refs), AT_ONCE):
        batch = refs[start : start + AT_ONCE]
        for ref, answer in zip(batch, await asyncio.gather(*(_look(client, ref, context) for ref in batch)), strict=True):
            if isinstance(answer, Item):
                found[ref] = answer
            elif isinstance(answer, Refused):
                refused.add(ref)
            elif isinstance(answer, NotFound):
                gone.add(ref)
            else:
                raise answer
    return Looked(found, frozenset(gone), frozenset(refused))


async def _look(client: Client, ref: Ref, context: Context | None) -> Item | ConnectorError:
    """The item, or the error as a value: raised only when the whole batch has ended, so that no call is left running behind it."""
    kind, _, gid = ref.partition(":")
    path, selected = PATHS[kind]
    try:
        raw = await client.one(path + gid, selected)
    except ConnectorError as error:
        return error
    if raw["gid"] != gid:
        return BadResponse(f"{kind} {gid}: the answer is another object")
    if kind == "project":
        return items.project(raw)
    return NotFound(f"task {gid} is a heading now") if is_separator(raw) else items.task(raw, context)
