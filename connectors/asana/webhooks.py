"""Webhooks in: which ones there should be, how they are made, and what an inbound call means.

One webhook for each live project (only that tells of tasks), and one for each workspace, with filters, that tells of its projects. The secret of a
webhook is told once, in a handshake while it is being registered: it is taken for a registration that is open and for no other, else anybody who
knows the address could put a secret of his own in its place. A webhook whose secret is lost is of no use: it is taken down and made anew.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from connectors.asana import selection
from connectors.asana.client import Client, Duplicated
from connectors.asana.feeds import wanted, workspaces_of
from connectors.base import Known, Scope
from connectors.calls import Call, Forged, Hook, Received
from connectors.records import Ref

ACTIONS: Final = ("added", "changed", "removed", "deleted", "undeleted")

LONGEST: Final = 4 * 1024 * 1024
"""Bytes of a call. An event has a few hundred, so no honest call comes near."""

MOST: Final = 500
"""Tasks of one call that are read by id; of more, the project as a whole is looked at again."""

SECRET_LENGTH: Final = 512


def wanted_hooks(known: Known, scope: Scope) -> list[Hook]:
    live = [gid for ref, archived in sorted(known.projects.items()) if not archived and (gid := ref.partition(":")[2]) not in scope.excluded]
    above = {gid: mark["workspace"] for gid in live if (mark := known.marks.get(f"events:{gid}"))}
    projects = [_hook("project", gid, ("task", "section", "project")) for gid in live if gid not in above or wanted(scope, above[gid])]
    return [*(_hook("workspace", gid, ("project",)) for gid in sorted(workspaces_of(known)) if wanted(scope, gid)), *projects]


def _hook(kind: str, gid: str, told: Sequence[str]) -> Hook:
    """Without filters a project's webhook would tell of every comment. Those of a workspace must have some, and none by field."""
    filters = [{"resource_type": resource, "action": action} for resource in told for action in ACTIONS]
    return Hook(f"{kind}/{gid}", {"resource": gid, "filters": filters})


async def held(client: Client, resource: str | None = None) -> list[Hook]:
    """All that the vendor has of this token, or those on one resource."""
    found: list[Hook] = []
    only = () if resource is None else (("resource", resource),)
    async for workspaces, _ in client.pages("/workspaces", (), selection.WORKSPACE):
        for workspace in workspaces:
            async for rows, _ in client.pages("/webhooks", (("workspace", workspace["gid"]), *only), selection.WEBHOOK):
                found.extend(_of(row) for row in rows)
    return found


def _of(row: Mapping[str, Any]) -> Hook:
    watched = row.get("resource") or {}
    key = f"{watched.get('resource_type')}/{watched.get('gid')}"
    return Hook(key, {"resource": watched.get("gid"), "target": row.get("target")}, row["gid"], healthy=row.get("active") is not False)


async def subscribe(client: Client, hook: Hook, target: str) -> Hook:
    """Registers it; one that the vendor has already, and whose secret is lost, is taken down first. Raises Refused where it may not be made."""
    resource, filters = hook.args["resource"], hook.args.get("filters") or ()
    try:
        gid, secret = await client.register(resource, target, filters)
    except Duplicated:
        for other in await held(client, resource):
            if other.args["target"] == target and other.external_id:
                await client.unregister(other.external_id)
        gid, secret = await client.register(resource, target, filters)
    return replace(hook, external_id=gid, secret=secret, healthy=True)


async def revive(client: Client, hook: Hook, target: str) -> Hook:
    """The vendor has nothing that wakes a webhook: a new one takes its place, with a new secret."""
    if hook.external_id:
        await client.unregister(hook.external_id)
    return await subscribe(client, replace(hook, external_id=None, secret=None), target)


def receive(call: Call, hook: Hook) -> Received:
    """Verified before it is parsed. Raises Forged."""
    if len(call.body) > LONGEST:
        raise Forged("the call is too large", 413)
    offered = call.headers.get("x-hook-secret")
    if offered is not None:
        return _handshake(offered, hook)
    if hook.secret is None:
        raise Forged("there is no secret yet to verify a call with")
    signature = call.headers.get("x-hook-signature", "")
    expected = hmac.new(hook.secret.encode(), call.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
        raise Forged("the signature is wrong")
    return Received(_touched(call.body, hook))


def _handshake(offered: str, hook: Hook) -> Received:
    if hook.external_id is not None or hook.secret is not None:
        raise Forged("a handshake that nobody asked for")
    if not offered or len(offered) > SECRET_LENGTH or not (offered.isascii() and offered.isprintable()):
        raise Forged("a handshake without a secret", 400)
    return Received(status=200, headers={"X-Hook-Secret": offered}, secret=offered)


def _touched(body: bytes, hook: Hook) -> tuple[Ref, ...]:
    """A genuine call that cannot be read still says that something happened: what the webhook watches is then looked at again."""
    watched = _watched(hook)
    try:
        events = orjson.loads(body)["events"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return (watched,)
    if not isinstance(events, list):
        return (watched,)
    refs = dict.fromkeys(ref for event in events if isinstance(event, Mapping) and (ref := _ref(event, watched)))
    tasks = [ref for ref in refs if ref.startswith("task:")]
    return tuple(refs) if len(tasks) <= MOST else tuple(dict.fromkeys((watched, *(ref for ref in refs if not ref.startswith("task:")))))


def _watched(hook: Hook) -> Ref:
    kind, _, gid = hook.key.partition("/")
    return f"project:{gid}" if kind == "project" else f"container:workspace/{gid}"


def _ref(event: Mapping[str, Any], watched: Ref) -> Ref | None:
    """Null for what is not stored (comments, likes), and for a resource that the token may not see."""
    resource = event.get("resource")
    kind, gid = (resource.get("resource_type"), resource.get("gid")) if isinstance(resource, Mapping) else (None, None)
    if not isinstance(gid, str) or not gid:
        return None
    return f"{kind}:{gid}" if kind in ("task", "project") else watched if kind == "section" else None
