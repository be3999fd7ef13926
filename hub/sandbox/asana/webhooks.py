"""Webhooks out: registered with a handshake while the caller waits, signed, told of what the streams tell, given up after a day of failures.

The world's clock decides when a heartbeat is due and when a day is over. Secrets and gids are drawn from the world's seed: a run repeats itself.
Calls come in from the server's thread and parcels are made in the courier's: each has a view of its own, and what they share is under a lock.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.sandbox.asana.calls import Call, One, Rows
from hub.sandbox.asana.errors import Refusal, bad
from hub.sandbox.asana.events import heard, told
from hub.sandbox.asana.kinds import Event, Named
from hub.sandbox.asana.task_kinds import instant
from hub.sandbox.asana.view import View, built_gid
from hub.sandbox.courier import Courier, Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.things import Entry
from hub.sandbox.world import World

ACTIONS = ("added", "changed", "removed", "deleted", "undeleted")
HIGHER = ("workspace", "team", "portfolio")
"""Their webhooks must have filters, none of them by field, and never tell of tasks or stories."""
UNTOLD = ("task", "subtask", "story")
FILTER = {"resource_type", "resource_subtype", "action", "fields"}
PER_RESOURCE, PER_USER = 1_000, 10_000
ANSWER_WITHIN = 10.0
GIVEN_UP = timedelta(hours=24)
HEARTBEAT = timedelta(hours=8)
LONGEST_PAUSE = 3_600.0
SHOWN = 200
"""Characters of a bad answer that the webhook shows."""

Filters = list[dict[str, Any]]


@dataclass(slots=True)
class Webhook:
    """``failing_since``: the first of the failures that no success has ended (world's clock); ``last_sent``: for the heartbeat."""

    id: str
    resource: Named
    target: str
    filters: Filters
    secret: str = field(repr=False)
    created_at: datetime
    last_sent: datetime
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_failure_content: str = ""
    failing_since: datetime | None = None
    retries: int = 0
    next_attempt: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        return self.failing_since + GIVEN_UP if self.failing_since is not None else None

    def passes(self, event: Event) -> bool:
        """With filters any one of them is enough."""
        return not self.filters or any(_fits(each, event) for each in self.filters)


def _fits(wanted: Mapping[str, Any], event: Event) -> bool:
    has = {"resource_type": event.resource.type, "resource_subtype": event.resource.subtype, "action": event.action}
    fields = wanted.get("fields")
    return all(has[name] == wanted[name] for name in has if name in wanted) and (
        not fields or (event.change is not None and event.change.field in fields)
    )


class Hooks:
    """All webhooks of the token's user, and the vendor's post room for them (``Dispatcher``)."""

    def __init__(self, world: World, knobs: Knobs, courier: Courier | None) -> None:
        self._world, self._knobs, self._courier = world, knobs, courier
        self._lock = threading.Lock()
        self._held: dict[str, Webhook] = {}
        self._count = 0
        self._view = View(world, knobs)
        self._read: int | None = None

    # -- what the API does with them ---------------------------------------------------------------------------------------------

    async def create(self, view: View, data: Mapping[str, Any]) -> Webhook:
        """Calls the target while the caller waits. 400 for a malformed order or a failed handshake, 403 for a target or resource that may not be."""
        resource, target, filters = self._ordered(view, data)
        with self._lock:
            self._expire()
            twins = [each for each in self._held.values() if each.resource.id == resource.id]
            if any(each.target == target for each in twins):
                raise Refusal(403, "Duplicated webhook: there is one for this resource and target")
            if len(twins) >= PER_RESOURCE or len(self._held) >= PER_USER:
                raise Refusal(403, "Too many webhooks")
            self._count += 1
            number = str(self._count)
        made = Webhook(
            built_gid("webhook", number), resource, target, filters, self._secret(number), created_at=self._world.now, last_sent=self._world.now
        )
        await self._shake_hands(made)
        with self._lock:
            self._held[made.id] = made
        return made

    def begin(self, made: Webhook) -> None:
        """After the caller has its answer: the first heartbeat."""
        if self._courier is not None:
            self._courier.send(self._parcel(made, []))

    def change(self, view: View, gid: str, data: Mapping[str, Any]) -> Webhook:
        webhook = self.one(gid)
        if set(data) - {"filters"}:
            raise bad("data: Only filters can be changed")
        filters = _filters(data.get("filters"), webhook.resource.type)
        with self._lock:
            webhook.filters = filters
        return webhook

    def remove(self, gid: str) -> None:
        self.one(gid)
        with self._lock:
            self._held.pop(gid, None)

    def one(self, gid: str) -> Webhook:
        with self._lock:
            self._expire()
            found = self._held.get(gid)
        if found is None:
            raise Refusal(404, f"webhook: Unknown object: {gid}")
        return found

    def listed(self, call: Call) -> Rows:
        """Those in a workspace, on one resource if that is given."""
        view = call.view
        place = view.workspace(call.need("workspace"))
        only = call.query.get("resource")
        with self._lock:
            self._expire()
            held = list(self._held.values())
        return Rows("webhook", [each for each in held if only in (None, each.resource.id) and _workspace(view, each.resource) == place.id], full=True)

    def shown(self, call: Call) -> One:
        return One("webhook", self.one(call.path[0]))

    def _ordered(self, view: View, data: Mapping[str, Any]) -> tuple[Named, str, Filters]:
        unknown = set(data) - {"resource", "target", "filters"}
        gid, target = data.get("resource"), data.get("target")
        if unknown:
            raise bad(f"{min(unknown)}: Unknown field")
        if not isinstance(gid, str) or not isinstance(target, str):
            raise bad("resource, target: Missing input")
        resource = _resource(view, gid)
        self._check_target(target)
        return resource, target, _filters(data.get("filters"), resource.type)

    def _check_target(self, target: str) -> None:
        """403 for a host that the internet does not have, unless the courier knows the name."""
        try:
            parts = urlsplit(target)
            host = parts.hostname or ""
        except ValueError:
            raise bad(f"target: Not a URL: {target}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise bad(f"target: Not a URL: {target}")
        if host not in self._knobs.hosts and not _is_public(host):
            raise Refusal(403, f"target: Forbidden host: {host}")

    async def _shake_hands(self, made: Webhook) -> None:
        if self._courier is None:
            raise bad("The target did not answer")
        with self._lock:
            if self._read is None:
                self._read = len(self._world.journal)
        self._courier.watch("asana", self)
        parcel = Parcel("asana", made.id, made.target, {"Content-Type": "application/json", "X-Hook-Secret": made.secret}, b"{}", ANSWER_WITHIN)
        reply = await self._courier.post(parcel)
        if reply.status not in (200, 204):
            raise bad(f"The target answered the handshake with {reply.status}")
        if not hmac.compare_digest(reply.headers.get("x-hook-secret", "").encode(), made.secret.encode()):
            raise bad("The target did not send the X-Hook-Secret back")

    def _secret(self, number: str) -> str:
        return hashlib.sha256(f"asana/{self._world.seed}/hook/{number}".encode()).hexdigest()

    def _expire(self) -> None:
        over = [gid for gid, each in self._held.items() if each.ends_at is not None and each.ends_at <= self._world.now]
        for gid in over:
            del self._held[gid]

    # -- the post room -----------------------------------------------------------------------------------------------------------

    def parcels(self, entries: Sequence[Entry]) -> Sequence[Parcel]:
        """One parcel for each webhook that has something to hear, a heartbeat for each that has heard nothing for eight hours."""
        journal = self._world.journal
        with self._lock:
            self._expire()
            begin, end = self._read or 0, len(journal)  # the journal may grow meanwhile
            self._read = end
            held = list(self._held.values())
        self._view.refresh()
        by_resource: dict[str, list[Webhook]] = {}
        for each in held:
            by_resource.setdefault(each.resource.id, []).append(each)
        full: dict[str, list[dict[str, Any]]] = {}
        for place in range(begin, end):
            listening = [each for gid in heard(self._view, place) for each in by_resource.get(gid, ())]
            for event in told(self._view, place) if listening else ():
                for each in listening:
                    if journal[place].at > each.created_at and each.passes(event):
                        full.setdefault(each.id, []).append(_compact(event))
        quiet = [each for each in held if each.id not in full and self._world.now - each.last_sent >= HEARTBEAT]
        return [self._parcel(each, full.get(each.id, [])) for each in held if each.id in full or each in quiet]

    def settled(self, parcel: Parcel, reply: Reply) -> Parcel | None:
        """Any 2xx is success. A failure is repeated, each time after twice as long, until a day of failures takes the webhook down."""
        with self._lock:
            self._expire()
            webhook, now = self._held.get(parcel.hook), self._world.now
            if webhook is None:
                return None
            if reply.status is not None and 200 <= reply.status < 300:
                webhook.last_success_at, webhook.failing_since, webhook.next_attempt, webhook.retries = now, None, None, 0
                return None
            pause = min(2.0**parcel.attempt, LONGEST_PAUSE)
            webhook.last_failure_at, webhook.failing_since = now, webhook.failing_since or now
            webhook.last_failure_content = f"{reply.status or 'no answer'} {reply.body[:SHOWN].decode(errors='replace')}".strip()
            webhook.retries, webhook.next_attempt = parcel.attempt, now + timedelta(seconds=pause)
        return replace(parcel, attempt=parcel.attempt + 1, after=pause)

    def _parcel(self, webhook: Webhook, events: Sequence[Mapping[str, Any]]) -> Parcel:
        body = orjson.dumps({"events": events})
        webhook.last_sent = self._world.now
        signature = hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
        return Parcel("asana", webhook.id, webhook.target, {"Content-Type": "application/json", "X-Hook-Signature": signature}, body, ANSWER_WITHIN)


def _resource(view: View, gid: str) -> Named:
    """A project, task, workspace or team that the token can see; 400, 403 or 404 for anything else."""
    if gid in view.tasks:
        return Named(view.task(gid).id, "task")
    node = view.nodes.get(gid)
    if node is not None and node.kind in ("workspace", "team"):
        return Named(view.node(node.kind, gid).id, node.kind, node.name)
    project = view.project(gid)
    return Named(project.id, "project", project.name)


def _workspace(view: View, resource: Named) -> str | None:
    if resource.type == "task":
        return view.workspace_of(view.tasks[resource.id]).id
    return view.workspace_of_node(view.projects[resource.id].node if resource.type == "project" else resource.id).id


def _filters(given: Any, resource_type: str) -> Filters:
    filters = [] if given is None else given
    if not isinstance(filters, list) or not all(isinstance(each, dict) for each in filters):
        raise bad("filters: Not a list of filters")
    if resource_type in HIGHER and not filters:
        raise bad(f"filters: Required for a {resource_type}")
    for each in filters:
        _check_filter(each, resource_type)
    return filters


def _check_filter(each: Mapping[str, Any], resource_type: str) -> None:
    unknown = set(each) - FILTER
    if unknown:
        raise bad(f"filters.{min(unknown)}: Unknown field")
    fields = each.get("fields")
    if not all(isinstance(each.get(name, ""), str) for name in ("resource_type", "resource_subtype", "action")):
        raise bad("filters: Not a string")
    if each.get("action", "changed") not in ACTIONS:
        raise bad(f"filters.action: Not one of {', '.join(ACTIONS)}: {each['action']}")
    if fields is not None and (each.get("action") != "changed" or not isinstance(fields, list)):
        raise bad("filters.fields: Only for the action changed, as a list")
    if resource_type in HIGHER and (fields is not None or each.get("resource_type") in (*UNTOLD, None)):
        raise bad(f"filters: A {resource_type} tells neither of fields nor of {', '.join(UNTOLD)}")


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal"))


def _compact(event: Event) -> dict[str, Any]:
    """What a webhook shows of an event: gids and types, no names."""

    def named(each: Named | None) -> dict[str, Any] | None:
        if each is None:
            return None
        return {"gid": each.id, "resource_type": each.type} | ({"resource_subtype": each.subtype} if each.subtype else {})

    shown: dict[str, Any] = {
        "user": {"gid": event.user.id, "resource_type": "user"} if event.user else None,
        "created_at": instant(event.at),
        "action": event.action,
        "resource": named(event.resource),
        "parent": named(event.parent),
    }
    if event.change is not None:
        value = {"new_value": named(event.change.value)} if event.change.value else {}
        shown["change"] = {"field": event.change.field, "action": event.change.action, **value}
    return shown
