"""Activity logs: the vendor's entries -> what each of them says was touched. Pure.

``created_at`` counts ten millionths of a second since 1970 in a text of 17 digits; ``data`` is a text of JSON whose keys differ from event to event.
New events appear without notice: what names items means those, what names none means its board.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.errors import BadResponse
from connectors.records import Ref

TICKS = 10_000_000
"""Units of ``created_at`` in a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ITEM_KEYS = ("pulse_id", "pulse_ids", "item_id", "item_ids", "pulseId", "pulseIds", "itemId", "itemIds", "subitem_id", "subitem_ids")
_IDLE = ("board_view_", "subscribe", "unsubscribe")
_WIDE = frozenset({"archive_group", "delete_group", "restore_group", "undo_delete_group", "undo_archive_group"})
_GONE = frozenset({"delete_pulse", "batch_delete_pulses", "delete_group_pulse"})
_RELATED = ("create", "delete", "archive", "restore", "move", "batch", "duplicate")


@dataclass(frozen=True, slots=True)
class Entry:
    """``items``: ids that it touched; none: the board itself. ``wide``: it touched items that it does not name. ``at``: in ``TICKS``."""

    key: str
    board: str
    event: str
    items: tuple[str, ...]
    wide: bool
    at: int
    actor: Ref | None

    @property
    def deletes(self) -> bool:
        return self.event in _GONE

    @property
    def moves(self) -> bool:
        return "move" in self.event

    @property
    def relates(self) -> bool:
        """Whether it can change what is shown of the item above."""
        return self.event.startswith(_RELATED)

    @property
    def moment(self) -> datetime:
        return instant(self.at)


def listed(value: Any, board: str) -> list[dict[str, Any]]:
    """The entries of one page: a list, or (from 2027-01) an object that holds it. Raises BadResponse for anything else."""
    rows = value.get("logs") if isinstance(value, Mapping) else value
    if not isinstance(rows, list) or any(not isinstance(row, dict) for row in rows):
        raise BadResponse(f"monday: board {board} came without its activity log")
    return rows


def entries(rows: list[dict[str, Any]], board: str) -> Iterator[Entry]:
    """What a page's entries say, those that touch nothing left out. Raises BadResponse naming the board."""
    for row in rows:
        event = str(row.get("event") or "")
        if event.startswith(_IDLE):
            continue
        touched = _touched(row, board)
        if not touched and row.get("entity") not in ("pulse", "board"):
            continue  # a comment, a document, an automation's own line
        actor = str(row.get("user_id") or "")
        yield Entry(
            key=str(row.get("id") or ""),
            board=board,
            event=event,
            items=touched,
            wide=event in _WIDE or (row.get("entity") == "pulse" and not touched),
            at=stamp(row, board),
            actor=f"identity:{actor}" if actor.isdigit() and actor != "0" else None,
        )


def stamp(row: Mapping[str, Any], board: str) -> int:
    try:
        return int(row["created_at"])
    except (KeyError, TypeError, ValueError):
        raise BadResponse(f"monday: board {board} has a log entry without its time") from None


def ticks(text: str) -> int:
    """An item's instant, such as ``2026-05-04T09:12:33Z``, in ``TICKS``."""
    return round((datetime.fromisoformat(text) - _EPOCH).total_seconds()) * TICKS


def instant(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at // 10)


def text(at: int) -> str:
    """The second that ``at`` lies in, as the vendor writes it."""
    return (_EPOCH + timedelta(seconds=at // TICKS)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _touched(row: Mapping[str, Any], board: str) -> tuple[str, ...]:
    data = row.get("data")
    if isinstance(data, str):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise BadResponse(f"monday: board {board} has a log entry whose data is not JSON") from None
    if not isinstance(data, dict):
        return ()
    found: dict[str, None] = {}
    for key in _ITEM_KEYS:
        value = data.get(key)
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, int | str) and not isinstance(each, bool) and str(each).isdigit():
                found[str(each)] = None
    return tuple(found)
