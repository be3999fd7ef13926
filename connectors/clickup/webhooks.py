"""Being told: one webhook for each workspace, and what an inbound call means.

A webhook is asked for with ``*``, the only form that both registering and reviving are documented to take: what says nothing to the hub (goals,
comments) touches nothing. The vendor gives every webhook a secret of its own and signs the raw body with it: ``X-Signature``, hex HMAC-SHA256, no
timestamp.

A refused call is answered 403, never 401 or 410: those suspend the webhook at once (vendor's page on webhook health). Any answer but 2xx costs
five tries, then counts against it; a hundred suspend it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final

import orjson

from connectors.base import Known, Scope
from connectors.calls import Call, Forged, Hook, Received
from connectors.clickup import marks
from connectors.clickup.client import Client, Raw, together
from connectors.clickup.walk import ident
from connectors.errors import BadResponse, ConnectorError, NotFound
from connectors.records import Ref

PATHS: Final = ("/v2/team/*/webhook", "/v2/webhook/*")
EVERY_EVENT: Final = "*"
EXISTS: Final = "OAUTH_171"
SUSPENDED: Final = "suspended"
SIGNATURE: Final = "x-signature"
MINUTE: Final = 60

PLACES: Final = (("list_id", "project:"), ("folder_id", "container:folder/"), ("space_id", "container:space/"))
OF_NO_TASK: Final = ("taskComment",)
"""Events about a task that change nothing of what is kept of it."""
NARROWER: Final = ("task_id", "list_id", "folder_id", "space_id")


class Hooks:
    """Registers, lists, repairs and removes a credential's webhooks."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.known = Known()

    def wanted(self, scope: Scope) -> list[Hook]:
        """One for each workspace in scope of which a full reading has begun."""
        begun = marks.workspaces(self.known.marks)
        return [_hook(workspace) for workspace in begun if not scope.workspaces or workspace in scope.workspaces]

    async def held(self) -> list[Hook]:
        """All of this user's (and app's) in every workspace; one that is closed to the token by now has none to show."""
        workspaces = marks.workspaces(self.known.marks) or [ident(team, "a workspace") for team in await self._client.teams()]
        answers = await together([partial(self._client.hooks, workspace) for workspace in workspaces])
        pairs = zip(workspaces, answers, strict=True)
        return [_held(workspace, row) for workspace, answer in pairs if not isinstance(answer, ConnectorError) for row in answer]

    async def subscribe(self, hook: Hook, target: str) -> Hook:
        """Registers it, or takes over the one that calls this very address already."""
        workspace = str(hook.args["workspace"])
        try:
            return _registered(hook, await self._client.make_hook(workspace, {"endpoint": target, "events": [EVERY_EVENT]}))
        except ConnectorError as error:
            if error.code != EXISTS:
                raise
        for row in await self._client.hooks(workspace):
            if row.get("endpoint") == target:
                return await self.revive(_registered(hook, row), target)
        raise BadResponse(f"workspace {workspace}: a webhook for this address is said to exist and is not listed", code=EXISTS)

    async def revive(self, hook: Hook, target: str) -> Hook:
        """Sets it active again; one that is gone is registered anew."""
        if hook.external_id is None:
            return await self.subscribe(hook, target)
        key, body = hook.external_id, {"endpoint": target, "events": EVERY_EVENT, "status": "active"}
        try:
            return _registered(hook, await self._client.change_hook(key, body))
        except (NotFound, BadResponse) as error:
            if not await self._is_gone(hook, error):
                raise
        return await self.subscribe(replace(hook, external_id=None, secret=None), target)

    async def unsubscribe(self, hook: Hook) -> None:
        """Removes it; one that is gone already is fine."""
        if hook.external_id is None:
            return
        try:
            await self._client.drop_hook(hook.external_id)
        except (NotFound, BadResponse) as error:
            if not await self._is_gone(hook, error):
                raise

    async def _is_gone(self, hook: Hook, error: ConnectorError) -> bool:
        """What the vendor says of a webhook that does not exist is not documented: a 404 counts once the webhook is not listed either."""
        if error.status != 404:
            return False
        return all(row.get("id") != hook.external_id for row in await self._client.hooks(str(hook.args["workspace"])))


def receive(call: Call, hook: Hook, now: datetime) -> Received:
    """Verifies an inbound call and says what it touched. Raises Forged; nothing of the body is looked at before."""
    if hook.secret is None:
        raise Forged("this webhook has no secret yet")
    expected = hmac.new(hook.secret.encode(), call.body, sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), call.headers.get(SIGNATURE, "").encode(errors="replace")):
        raise Forged("the signature is missing or wrong")
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("event"), str):
        return Received(touched=_workspace(hook))  # the vendor's, though nobody can read it: something did happen there
    event: str = body["event"]
    return Received(touched=_touched(event, body, hook), delivery=_delivery(event, body, now))


def _touched(event: str, body: Raw, hook: Hook) -> tuple[Ref, ...]:
    if event.startswith("task"):
        key = _key(body.get("task_id"))
        if event.startswith(OF_NO_TASK):
            return ()
        return _workspace(hook) if key is None else (f"task:{key}",)
    if not event.startswith(("list", "folder", "space")):
        return ()
    named = [f"{word}{key}" for name, word in PLACES if (key := _key(body.get(name))) is not None]
    return tuple(named) or _workspace(hook)


def _workspace(hook: Hook) -> tuple[Ref, ...]:
    return (f"container:workspace/{hook.args['workspace']}",)


def _delivery(event: str, body: Raw, now: datetime) -> str | None:
    """The event with its history items' ids: one edit makes several events of one item. A deletion has no items: it is known again within the
    same minute. Other events without items are none of them doubles for sure, and looking twice does no harm."""
    items = body.get("history_items")
    ids = [key for item in items if isinstance(item, dict) and (key := _key(item.get("id"))) is not None] if isinstance(items, list) else []
    if ids:
        return f"{event}/{','.join(ids)}"[:200]
    if not event.endswith("Deleted"):
        return None
    named = [key for name in NARROWER if (key := _key(body.get(name))) is not None]
    return f"{event}/{','.join(named)}/{int(now.timestamp()) // MINUTE}" if named else None


def _key(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _hook(workspace: str) -> Hook:
    return Hook(f"workspace/{workspace}", {"workspace": workspace})


def _held(workspace: str, row: Raw) -> Hook:
    """A webhook for less than a workspace is none of ours: its key is its own."""
    key, health = _key(row.get("id")), row.get("health")
    if key is None:
        raise BadResponse(f"workspace {workspace}: a webhook without an id")
    narrow = any(row.get(name) for name in NARROWER)
    hook = replace(_hook(workspace), key=f"webhook/{key}") if narrow else _hook(workspace)
    status = health.get("status") if isinstance(health, Mapping) else None
    return replace(_registered(hook, row), args={**hook.args, "target": row.get("endpoint")}, healthy=status != SUSPENDED)


def _registered(hook: Hook, row: Raw) -> Hook:
    secret = row.get("secret")
    return replace(hook, external_id=_key(row.get("id")), secret=secret if isinstance(secret, str) and secret else hook.secret, healthy=True)
