"""ClickUp's webhooks: made, listed, changed and taken down through the API, and their post room.

A call that is not answered with 2xx within 7 s is made up to five times in all; then the event is gone for good and the webhook ``failing``, one
more on its ``fail_count``; a success clears the count, a hundred suspend it, and an answer of 401 or 410 suspends it at once (developer.clickup.com,
webhook health). How long the vendor waits between tries is not known.
"""

from __future__ import annotations

import hmac
import random
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.sandbox.clickup import errors
from hub.sandbox.clickup.atlas import Atlas
from hub.sandbox.clickup.events import NAMES, Telegraph, Telling
from hub.sandbox.courier import Courier, Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Entry, World

SECONDS = 7.0
TRIES = 5
MOST_FAILURES = 100
SUSPENDS = (401, 410)
EVERYTHING = "*"
SECRET = 64
PLACES = {"space_id": "space", "folder_id": "folder", "list_id": "list"}
"""Where a webhook may watch, the widest first; ``task_id`` is narrower still."""
STATUSES = ("active", "suspended")
Body = Mapping[str, Any]


@dataclass(slots=True)
class Webhook:
    id: str
    team: str
    endpoint: str
    events: list[str]
    place: dict[str, str]
    secret: str = field(repr=False)
    status: str = "active"
    fail_count: int = 0

    def wants(self, telling: Telling) -> bool:
        """Of several places the most specific counts."""
        if self.team not in telling.place or (self.events != [EVERYTHING] and telling.event not in self.events):
            return False
        if "task_id" in self.place:
            return telling.key == "task_id" and telling.id == self.place["task_id"]
        narrowest = next((self.place[name] for name in reversed(PLACES) if name in self.place), None)
        return narrowest is None or narrowest in telling.place or telling.id == narrowest


class Webhooks:
    """All webhooks of the one user and token, and the dispatcher of their calls."""

    def __init__(self, world: World, knobs: Knobs, courier: Courier | None) -> None:
        self._world, self._knobs, self._courier = world, knobs, courier
        self._telegraph = Telegraph(world)
        self._draw = random.Random(f"{world.seed}/clickup webhooks")
        self.held: dict[str, Webhook] = {}

    # -- the API -------------------------------------------------------------------------------------------------------------

    def listed(self, team: str) -> dict[str, Any]:
        return {"webhooks": [self._shown(hook) for hook in self.held.values() if hook.team == team]}

    def make(self, team: str, body: Body, atlas: Atlas) -> dict[str, Any]:
        """Refuses a second one with the same endpoint, events and place."""
        _only(body, {"endpoint", "events", *PLACES, "task_id"})
        endpoint, events, place = _endpoint(body), _events(body, wildcard_text=False), self._place(body, atlas)
        same = (team, endpoint, sorted(events), place)
        if any((hook.team, hook.endpoint, sorted(hook.events), hook.place) == same for hook in self.held.values()):
            raise errors.webhook_exists()
        key = str(uuid.UUID(int=self._draw.getrandbits(128), version=4))
        secret = "".join(self._draw.choices(string.ascii_uppercase + string.digits, k=SECRET))
        hook = self.held[key] = Webhook(key, team, endpoint, events, place, secret)
        if self._courier is not None:
            self._courier.watch("clickup", self)
        return {"id": key, "webhook": self._shown(hook)}

    def change(self, key: str, body: Body) -> dict[str, Any]:
        """All three of endpoint, events and status are wanted; active again begins with a clean count."""
        hook = self._find(key)
        _only(body, {"endpoint", "events", "status"})
        endpoint, events = _endpoint(body), _events(body, wildcard_text=True)
        if body.get("status") not in STATUSES:
            raise errors.bad_value("status", str(body.get("status", "missing")))
        hook.endpoint, hook.events, hook.status, hook.fail_count = endpoint, events, str(body["status"]), 0
        return {"id": key, "webhook": self._shown(hook)}

    def drop(self, key: str) -> dict[str, Any]:
        del self.held[self._find(key).id]
        return {}

    def _find(self, key: str) -> Webhook:
        if key not in self.held:
            raise errors.webhook_gone()
        return self.held[key]

    def _place(self, body: Body, atlas: Atlas) -> dict[str, str]:
        """The places asked for, each of which must be readable; containers by number, a task by text."""
        found: dict[str, str] = {}
        for name, kind in PLACES.items():
            if body.get(name) is not None:
                if type(body[name]) is not int:
                    raise errors.bad_value(name, str(body[name]))
                found[name] = atlas.find(kind, str(body[name])).id
        task = body.get("task_id")
        if task is not None:
            if not isinstance(task, str) or task not in self._world.tasks["clickup"] or self._world.tasks["clickup"][task].deleted:
                raise errors.task_gone()
            found["task_id"] = task
        return found

    def _shown(self, hook: Webhook) -> dict[str, Any]:
        return {
            "id": hook.id,
            "userid": int(self._world.me["clickup"]),
            "team_id": int(hook.team),
            "endpoint": hook.endpoint,
            "client_id": "SANDBOX",
            "events": hook.events,
            "task_id": hook.place.get("task_id"),
            **{name: hook.place.get(name) for name in reversed(PLACES)},
            "health": {"status": hook.status, "fail_count": hook.fail_count},
            "secret": hook.secret,
        }

    # -- the post room -------------------------------------------------------------------------------------------------------

    def parcels(self, entries: Sequence[Entry]) -> Sequence[Parcel]:
        """A call for every event of these journal lines and every webhook that wants it and is not suspended."""
        hooks = [hook for hook in list(self.held.values()) if hook.status != "suspended"]
        tellings = self._telegraph.tell(entries, Atlas(self._world, self._knobs))
        return [_parcel(hook, telling) for telling in tellings for hook in hooks if hook.wants(telling)]

    def settled(self, parcel: Parcel, reply: Reply) -> Parcel | None:
        """The same call again, or null: it was taken, given up, or its webhook is suspended or gone."""
        hook = self.held.get(parcel.hook)
        if hook is None or hook.status == "suspended":
            return None
        if reply.status is not None and 200 <= reply.status < 300:
            hook.status, hook.fail_count = "active", 0
            return None
        if reply.status in SUSPENDS:
            hook.status = "suspended"
            return None
        if parcel.attempt < TRIES:
            return replace(parcel, attempt=parcel.attempt + 1, after=2.0**parcel.attempt)
        hook.fail_count += 1
        hook.status = "suspended" if hook.fail_count >= MOST_FAILURES else "failing"
        return None


def _parcel(hook: Webhook, telling: Telling) -> Parcel:
    body = orjson.dumps(telling.body(hook.id))
    signature = hmac.new(hook.secret.encode(), body, sha256).hexdigest()
    return Parcel("clickup", hook.id, hook.endpoint, {"Content-Type": "application/json", "X-Signature": signature}, body, seconds=SECONDS)


def _only(body: Body, known: set[str]) -> None:
    """What the vendor does with a word it does not know is unknown; refusing it keeps a client's slip from passing."""
    if unknown := sorted(body.keys() - known):
        raise errors.bad_value(unknown[0], "unknown")


def _endpoint(body: Body) -> str:
    endpoint = body.get("endpoint")
    if not isinstance(endpoint, str) or urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname:
        raise errors.bad_value("endpoint", str(endpoint))
    return endpoint


def _events(body: Body, *, wildcard_text: bool) -> list[str]:
    """A list of names or of the asterisk; when changed, the asterisk may be bare text."""
    events = body.get("events")
    if wildcard_text and events == EVERYTHING:
        return [EVERYTHING]
    if not isinstance(events, list) or not events or not (events == [EVERYTHING] or NAMES.issuperset(one for one in events if isinstance(one, str))):
        raise errors.bad_value("events", str(events))
    if not all(isinstance(one, str) for one in events):
        raise errors.bad_value("events", "not text")
    return list(events)
