"""Webhooks: made and removed by mutations, one for each board and event, and the post room that tells of what happened.

A new address is challenged before the mutation answers and must say the challenge back. Calls are signed where the token is an app's
(``Knobs.app_secrets``): a JWT by HS256, made here by hand so that it bears witness. A call that is not answered with 2xx is repeated once a minute
for half an hour, then dropped (fact sheet, section 9). What the vendor leaves unsaid is decided here: an unknown webhook cannot be deleted, a
restored subitem is told of by nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.sandbox.courier import Courier, Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.account import ID, second
from hub.sandbox.monday.arguments import argument
from hub.sandbox.monday.documents import Operation
from hub.sandbox.monday.errors import Failure
from hub.sandbox.monday.execute import Call, Resolvers
from hub.sandbox.world import Entry, Project, Task, World

Args = Mapping[str, Any]
URL_LIMIT = 255
TRIES, PAUSE = 31, 60.0
"""Once, and then once a minute for 30 minutes."""
SIGNED_FOR = 300
CHALLENGES = "challenges"
ROLES = {"status": ("status",), "due": ("due", "timeline"), "assignees": ("assignees",), "depends_on": ("dependency",), "priority": ("priority",)}
ITEM_EVENTS = {"created": "create_item", "archived": "item_archived", "deleted": "item_deleted", "restored": "item_restored"}
SUBITEM_EVENTS = {"created": "create_subitem", "archived": "subitem_archived", "deleted": "subitem_deleted"}
TYPES = {"created": "create_pulse", "archived": "archive_pulse", "deleted": "delete_pulse", "restored": "restore_pulse"}
"""What a payload calls itself, which is not the name that was subscribed to."""


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    board: str
    url: str
    event: str
    config: dict[str, Any]


class PostRoom:
    """All webhooks of the account, and the dispatcher of their calls. It reads the world only: it is asked from another thread than the server's."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float], courier: Courier | None) -> None:
        self._world, self._knobs, self._clock, self._courier = world, knobs, clock, courier
        self._numbers = itertools.count(73_000_001)
        self._calls = itertools.count(1)
        self.held: dict[str, Webhook] = {}

    # -- the API -------------------------------------------------------------------------------------------------------------

    def resolvers(self) -> Resolvers:
        queries: Resolvers = {("Query", "webhooks"): self._listed}
        if self._courier is None:
            return queries
        return {**queries, ("Mutation", "create_webhook"): self._create, ("Mutation", "delete_webhook"): self._delete}

    async def shake_hands(self, call: Call, operation: Operation, variables: Mapping[str, Any]) -> None:
        """Challenges the address of every webhook that a mutation is about to make; ``call.notes`` keep how that went."""
        if operation.kind != "mutation" or self._courier is None:
            return
        outcomes = call.notes.setdefault(CHALLENGES, {})
        for selected in operation.selections(variables):
            if selected.name != "create_webhook":
                continue
            args = {name: argument(kind, node, default, variables) for name, kind, node, default in selected.arguments}
            if args["url"] not in outcomes and len(args["url"]) <= URL_LIMIT:
                word = uuid.UUID(int=0x3C << 120 | next(self._calls)).hex
                body = orjson.dumps({"challenge": word})
                reply = await self._courier.post(Parcel("monday", "challenge", args["url"], {"content-type": "application/json"}, body))
                outcomes[args["url"]] = reply.status == 200 and _says(reply, word)

    def _create(self, call: Call, source: Any, args: Args) -> dict[str, Any]:
        project = self._board(call, args["board_id"])
        if len(args["url"]) > URL_LIMIT or urlsplit(args["url"]).scheme not in ("http", "https"):
            raise Failure(f"url must be an address of at most {URL_LIMIT} characters", "InvalidArgumentException", status=400)
        if not call.notes.get(CHALLENGES, {}).get(args["url"]):
            raise Failure("The url did not answer the challenge", "InvalidArgumentException", status=400)
        hook = Webhook(str(next(self._numbers)), project.id, args["url"], args["event"], _config(args["config"]))
        self.held[hook.id] = hook
        assert self._courier is not None
        self._courier.watch("monday", self)
        return _shown(hook)

    def _delete(self, call: Call, source: Any, args: Args) -> dict[str, Any]:
        hook = self.held.pop(args["id"], None)
        if hook is None:
            raise Failure("Webhook not found", "ResourceNotFoundException", status=404)
        return _shown(hook)

    def _listed(self, call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
        project = self._board(call, args["board_id"])
        return [_shown(hook) for hook in self.held.values() if hook.board == project.id]

    def _board(self, call: Call, key: str) -> Project:
        project = self._world.projects["monday"].get(key)
        if project is None or call.account.state(project) == "deleted":
            raise Failure("Board not found", "InvalidBoardIdException", status=404)
        if not call.account.readable(project):
            raise Failure("User unauthorized to perform action", "USER_UNAUTHORIZED", status=call.account.refusal(project) or 403)
        return project

    # -- the post room -------------------------------------------------------------------------------------------------------

    def parcels(self, entries: Sequence[Entry]) -> Sequence[Parcel]:
        """What these journal lines make the vendor send, in their order."""
        return [parcel for entry in entries if entry.kind == "task" for parcel in self._tell(entry)]

    def settled(self, parcel: Parcel, reply: Reply) -> Parcel | None:
        if (reply.status is not None and 200 <= reply.status < 300) or parcel.attempt >= TRIES or parcel.hook not in self.held:
            return None
        return replace(parcel, after=PAUSE, attempt=parcel.attempt + 1, headers=self._headers(parcel.url))

    def _tell(self, entry: Entry) -> Iterator[Parcel]:
        task = self._world.tasks["monday"][entry.id]
        place = self._world.projects["monday"][task.homes[0][0]]
        board, column = place.parent_board or place.id, _column(place, entry)
        names = set(_events(entry, task, column, place))
        for hook in list(self.held.values()):
            if hook.board != board or hook.event not in names or not _fits(hook.config, column, task):
                continue
            event = self._event(entry, task, place, column) | {"subscriptionId": int(hook.id)}
            yield Parcel("monday", hook.id, hook.url, self._headers(hook.url), orjson.dumps({"event": event}))

    def _event(self, entry: Entry, task: Task, place: Project, column: str | None) -> dict[str, Any]:
        """Ids are numbers here, and texts in what is said of a subitem's parent."""
        made: dict[str, Any] = {
            "app": "monday",
            "type": _type(entry),
            "triggerTime": second(entry.at),
            "triggerUuid": uuid.UUID(int=0x3D << 120 | next(self._calls)).hex,
            "originalTriggerUuid": None,
            "userId": int(entry.actor) if entry.actor else -4,
            "boardId": int(place.id),
            "groupId": task.homes[0][1],
            "pulseId": int(task.id),
            "pulseName": task.title,
            "isTopGroup": False,
            "changedAt": entry.at.timestamp(),
        }
        if column is not None:
            made |= {"columnId": column, "value": None, "previousValue": None}
        if task.parent:
            made |= {"parentItemId": task.parent, "parentItemBoardId": self._world.tasks["monday"][task.parent].homes[0][0]}
        return made

    def _headers(self, url: str) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        secret = self._knobs.app_secrets.get("monday")
        if secret is not None:
            now = int(self._clock())
            claims = {"accountId": int(ID), "userId": int(self._world.me["monday"]), "aud": url, "iat": now, "exp": now + SIGNED_FOR}
            headers["authorization"] = signed(claims, secret)
        return headers


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """A JWT by HS256 (RFC 7515, RFC 7519)."""
    text = ".".join(_base64(orjson.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, dict(claims)))
    return f"{text}.{_base64(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _says(reply: Reply, word: str) -> bool:
    try:
        said = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and said.get("challenge") == word


def _config(text: Any) -> dict[str, Any]:
    """A text of JSON, as the vendor wants it."""
    if text is None:
        return {}
    try:
        config = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        config = None
    if not isinstance(config, dict):
        raise Failure("config is not a string of JSON", "InvalidArgumentException", status=400)
    return config


def _shown(hook: Webhook) -> dict[str, Any]:
    config = orjson.dumps(hook.config).decode() if hook.config else None
    return {"id": hook.id, "board_id": hook.board, "event": hook.event, "config": config}


def _events(entry: Entry, task: Task, column: str | None, place: Project) -> Iterator[str]:
    """The names under which this line could have been subscribed to."""
    below = task.parent is not None
    if entry.action == "moved":
        yield from () if below else ("item_moved_to_any_group", "item_moved_to_specific_group")
    elif entry.action in TYPES:
        name = (SUBITEM_EVENTS if below else ITEM_EVENTS).get(entry.action)
        yield from (name,) if name else ()
    elif entry.field == "title":
        yield "change_subitem_name" if below else "change_name"
    else:
        yield "change_subitem_column_value" if below else "change_column_value"
        yield "change_specific_column_value"
        if column is not None and column == place.columns.get("status"):
            yield "change_status_column_value"


def _type(entry: Entry) -> str:
    if entry.action == "moved":
        return "move_pulse_into_group"
    return TYPES.get(entry.action) or ("update_name" if entry.field == "title" else "update_column_value")


def _fits(config: Mapping[str, Any], column: str | None, task: Task) -> bool:
    return config.get("columnId") in (None, column) and config.get("groupId") in (None, task.homes[0][1])


def _column(place: Project, entry: Entry) -> str | None:
    if entry.action != "changed" or entry.field == "title":
        return None
    if entry.field == "values":
        before, after = entry.before or {}, entry.after or {}
        changed = next((key for key in {**before, **after} if before.get(key) != after.get(key)), None)
        return changed.split("/", 1)[1] if changed else None
    return next((place.columns[role] for role in ROLES.get(entry.field or "", ()) if role in place.columns), None)
