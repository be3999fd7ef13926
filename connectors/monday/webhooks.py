"""Webhooks: which ones there should be, registering them, and what an inbound call says.

There is none for an account: each board needs one for every event. What they do not tell (an item moved to another board, a board archived or
deleted, groups, columns, labels) the feeds bring. The vendor does not say which address a webhook calls, nor does it suspend any.

A call of a webhook that was made with an app's token carries a JWT, signed with the app's signing secret; one made with a personal token carries
nothing. Either is a hint only: it names what to read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

import orjson

from connectors.calls import Call, Forged, Hook, Received
from connectors.errors import BadResponse, NotFound, Transient
from connectors.monday import documents
from connectors.monday.board import identifier
from connectors.monday.client import Client, error_of
from connectors.monday.watching import Watched
from connectors.records import Ref

MUTATIONS = ("create_webhook", "delete_webhook")

EVENTS = (
    "change_column_value",
    "change_name",
    "create_item",
    "create_subitem",
    "item_archived",
    "item_deleted",
    "item_restored",
    "item_moved_to_any_group",
)
SUBITEM_EVENTS = ("change_subitem_column_value", "change_subitem_name", "subitem_archived", "subitem_deleted")
"""Only for boards that have subitems; the first one is told by ``create_subitem``. All are registered on the board itself, not on its companion."""

URL_LIMIT = 255
BODY_LIMIT = 256 * 1024
CHALLENGE_LIMIT = 1_000
BOARDS_A_REQUEST = 100
LEEWAY = 60.0
"""Seconds by which the vendor's clock may differ from ours."""


def wanted(projects: Mapping[Ref, bool], watch: Mapping[str, Watched], excluded: frozenset[str]) -> list[Hook]:
    """Those of live boards. A board of which nothing else is known may have subitems."""
    boards = sorted(ref.partition(":")[2] for ref, archived in projects.items() if not archived)
    return [
        Hook(_key(board, event), {"board": board, "event": event}) for board in boards if board not in excluded for event in _events(watch.get(board))
    ]


def _events(board: Watched | None) -> tuple[str, ...]:
    return EVENTS if board is not None and board.below is None and not board.deep else EVENTS + SUBITEM_EVENTS


def _key(board: str, event: str) -> str:
    return f"board/{board}/{event}"


async def held(client: Client, boards: Sequence[str]) -> list[Hook]:
    """What the vendor has on these boards. A board that may not be seen any more has none that could be named; one that failed is an error."""
    found: list[Hook] = []
    for at in range(0, len(boards), BOARDS_A_REQUEST):
        part = boards[at : at + BOARDS_A_REQUEST]
        query = documents.webhooks(len(part))
        data, errors = await client.ask(query, {f"b{n}": board for n, board in enumerate(part)}, points=documents.SMALL_POINTS)
        for n, board in enumerate(part):
            rows = data.get(f"w{n}")
            if rows is None:
                if isinstance(error := error_of(f"w{n}", errors), Transient):
                    raise error
                continue
            found += [_hook(board, row) for row in rows if row is not None]
    return found


def _hook(board: str, row: Mapping[str, Any]) -> Hook:
    event = str(row.get("event"))
    return Hook(_key(board, event), {"board": board, "event": event}, identifier(row, f"board {board}: webhook"))


async def subscribe(client: Client, hook: Hook, target: str) -> Hook:
    """The vendor calls ``target`` with a challenge before it answers."""
    if len(target) > URL_LIMIT:
        raise BadResponse(f"monday: the address of a webhook may have {URL_LIMIT} characters, this one has {len(target)}")
    made = await client.register(documents.CREATE_WEBHOOK, {"board": hook.args["board"], "url": target, "event": hook.args["event"]})
    return Hook(hook.key, hook.args, identifier(made, f"{hook.key}: webhook"))


async def unsubscribe(client: Client, hook: Hook) -> None:
    if hook.external_id is None:
        return
    try:
        await client.register(documents.DELETE_WEBHOOK, {"id": hook.external_id})
    except NotFound:
        return  # it is gone already, which was the point


async def revive(client: Client, hook: Hook, target: str) -> Hook:
    """There is no suspended state: it is made anew."""
    await unsubscribe(client, hook)
    return await subscribe(client, hook, target)


def receive(call: Call, *, signing_secret: str | None, now: datetime) -> Received:
    """What a call touched. The challenge of a registration is answered whatever we know of it: it carries nothing but a word to say back."""
    if len(call.body) > BODY_LIMIT:
        raise Forged("monday: a call of that size is none of the vendor's", status=413)
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        raise Forged("monday: the body is not JSON", status=400) from None
    if not isinstance(body, dict):
        raise Forged("monday: the body is not an object", status=400)
    if "challenge" in body:
        return _challenge(body["challenge"])
    if signing_secret is not None:
        _verify(call, signing_secret, now)
    event = body.get("event")
    if not isinstance(event, dict):
        raise Forged("monday: the call tells of no event", status=400)
    return Received(touched=tuple(dict.fromkeys(_touched(event))), delivery=_text(event.get("triggerUuid")))


def _challenge(word: Any) -> Received:
    if not isinstance(word, str) or len(word) > CHALLENGE_LIMIT:
        raise Forged("monday: a challenge is a short text", status=400)
    return Received(headers={"content-type": "application/json"}, body=orjson.dumps({"challenge": word}))


def _touched(event: Mapping[str, Any]) -> Iterable[Ref]:
    """Ids come as numbers here. An event without an item means its board; a subitem's board is the companion, its parent's the project."""
    items = [key for name in ("pulseId", "itemId") if (key := _id(event.get(name))) is not None]
    yield from (f"task:{key}" for key in items)
    if not items:
        board = _id(event.get("parentItemBoardId")) or _id(event.get("boardId"))
        if board is not None:
            yield f"project:{board}"


def _id(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return text if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def _verify(call: Call, secret: str, now: datetime) -> None:
    """Raises Forged unless the JWT is signed with the app's secret, by HS256 and nothing else, for this address and for now."""
    token = call.headers.get("authorization", "").removeprefix("Bearer ")
    if not token:
        raise Forged("monday: the call is not signed", status=401)
    from joserfc import jwt  # here: it takes a fifth of a second, and a process that only syncs is never called
    from joserfc.errors import JoseError
    from joserfc.jwk import OctKey

    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=["HS256"]).claims
    except (JoseError, ValueError) as error:
        raise Forged(f"monday: the signature is not the app's ({type(error).__name__})", status=401) from None
    expires, audience = claims.get("exp"), claims.get("aud")
    if not isinstance(expires, int | float) or isinstance(expires, bool) or not isfinite(expires):
        raise Forged("monday: the signature does not say when it expires", status=401)
    if expires <= now.timestamp() - LEEWAY:
        raise Forged("monday: the signature has expired", status=401)
    if call.url not in (audience if isinstance(audience, list) else [audience]):
        raise Forged("monday: the signature is for another address", status=401)
