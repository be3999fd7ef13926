"""What is to be done about a connection's webhooks: wanted, held by the vendor and written down by us, compared. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connectors.calls import Hook
from hub import models
from hub.sync.calls import ACTIVE, OPENING, PATH, door_of, prefix


class Deed(StrEnum):
    """keep: in order. adopt: the vendor has it, and tells what our row lacks of it (its id, or its secret). make: register it. replace: take the
    vendor's down and register it anew. revive: the vendor has suspended it. remove: nobody wants it any more."""

    KEEP = "keep"
    ADOPT = "adopt"
    MAKE = "make"
    REPLACE = "replace"
    REVIVE = "revive"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Action:
    """One webhook and what to do about it: our row, what is wanted, what the vendor has; each null where there is none."""

    deed: Deed
    row: models.Hook | None = None
    wanted: Hook | None = None
    held: Hook | None = None

    @property
    def leaves_gap(self) -> bool:
        """Whether it had worked before: then something may have gone untold."""
        return self.deed not in (Deed.KEEP, Deed.REMOVE) and self.row is not None and self.row.active_since is not None


@dataclass(frozen=True, slots=True)
class Situation:
    """``public_url``: null where the hub has no address to be called at. ``connections``: all that the hub has, as text. ``asked_at``: just before
    the vendor was asked what it has."""

    connection_id: UUID
    public_url: str | None
    connections: Set[str]
    asked_at: datetime
    now: datetime


def plan(situation: Situation, wanted: Sequence[Hook], held: Sequence[Hook], rows: Sequence[models.Hook]) -> list[Action]:
    """What to do, one action a webhook. What another process is registering right now is left alone."""
    by_key = {hook.key: hook for hook in wanted} if situation.public_url else {}
    by_id = {hook.external_id: hook for hook in held if hook.external_id is not None}
    by_door = {door: hook for hook in held if (door := _door(situation, hook)) is not None}
    keys, ids, doors = {row.key for row in rows}, {row.external_id for row in rows}, {row.door for row in rows}
    about = [action for row in rows if (action := _about(situation, row, by_key, by_id, by_door)) is not None]
    missing = [Action(Deed.MAKE, wanted=hook) for key, hook in by_key.items() if key not in keys]
    strays = [Action(Deed.REMOVE, held=hook) for hook in held if hook.external_id not in ids and _is_stray(situation, hook, doors)]
    return [*about, *missing, *strays]


def _about(
    situation: Situation, row: models.Hook, wanted: Mapping[str, Hook], by_id: Mapping[str, Hook], by_door: Mapping[bytes, Hook]
) -> Action | None:
    if row.state == OPENING and row.opened_until is not None and row.opened_until > situation.now:
        return None
    held = by_id.get(row.external_id or "") or by_door.get(row.door)
    hook = wanted.get(row.key)
    if hook is None:
        return Action(Deed.REMOVE, row, held=held)
    if held is None:
        young = row.state == ACTIVE and row.active_since is not None and row.active_since >= situation.asked_at
        return Action(Deed.KEEP if young else Deed.MAKE, row, hook)
    if "target" in held.args and _door(situation, held) != row.door:
        return Action(Deed.REPLACE, row, hook, held)  # the hub's public address is another one now
    if row.external_id is None and row.shook_at is None and held.secret is None:
        return Action(Deed.REPLACE, row, hook, held)  # its registration died, and its secret with it
    if not held.healthy:
        return Action(Deed.REPLACE if row.external_id is None else Deed.REVIVE, row, hook, held)
    lacks = row.external_id is None or (row.secret is None and held.secret is not None)
    return Action(Deed.ADOPT if lacks else Deed.KEEP, row, hook, held)


def _door(situation: Situation, held: Hook) -> bytes | None:
    """The door that a vendor's webhook knocks at, if it is one of this connection's."""
    target = str(held.args.get("target") or "")
    if situation.public_url is None or not target.startswith(ours := prefix(situation.public_url, situation.connection_id)):
        return None
    return door_of(target.removeprefix(ours))


def _is_stray(situation: Situation, held: Hook, doors: Set[bytes]) -> bool:
    """Whether it calls this hub in vain. Other programs' webhooks, and those of other connections with the same credential, are not ours to touch."""
    target = str(held.args.get("target") or "")
    if situation.public_url is None or not target.startswith(f"{situation.public_url}{PATH}/"):
        return False
    connection, _, token = target.removeprefix(f"{situation.public_url}{PATH}/").partition("/")
    if connection == str(situation.connection_id):
        return door_of(token) not in doors
    return connection not in situation.connections
