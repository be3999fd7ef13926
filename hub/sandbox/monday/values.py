"""Column values as monday.com renders them: typed fields, ``value`` (a string of JSON in UTC, null where the vendor has none) and ``text`` (for
the reader's eyes, in the time zone and words of the token's user). Each kind of column has one function; all give the fields of its GraphQL type.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from hub.sandbox.monday.account import second
from hub.sandbox.monday.columns import Column
from hub.sandbox.world import Task

if TYPE_CHECKING:
    from hub.sandbox.monday.account import Account

Rendered = dict[str, Any]
DEPENDENCY_TYPES = {"FS": 0, "SS": 1, "FF": 2, "SF": 3}
"""Numbers of the vendor's schema (DependencyLink.dependency_type); the lag is in days."""
DAY_MINUTES = 1440
KEPT = 20_000
"""Items whose rendered values are held at once."""


def values_of(account: Account, task: Task) -> dict[str, Rendered]:
    """The item's column values by column id. Kept until the item changes or the world's journal grows."""
    board = account.board_of(task)
    columns = account.columns(board)
    known = account.values.get(task.id)
    if known is None or known[0] != task.updated_at:
        if len(account.values) >= KEPT:
            account.values.clear()
        painter = Painter(account, task)
        known = task.updated_at, {column.id: painter.paint(column) for column in columns if column.type != "name"}
        account.values[task.id] = known
    return known[1]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


class Painter:
    """Renders one item's columns."""

    def __init__(self, account: Account, task: Task) -> None:
        self.account, self.task = account, task
        self.is_leaf = not account.is_parent(task)
        self.changed = _milliseconds(task.updated_at)
        self.updated = second(task.updated_at)

    def paint(self, column: Column) -> Rendered:
        typename, render = KINDS[column.type]
        if column.role == "status" and not self.is_leaf and self.account.board_of(self.task).hierarchy == "multi_level":
            typename, render = "BatteryValue", Painter._battery
        content = self._content(column)
        if (content is None or content == []) and column.type not in DERIVED and typename != "BatteryValue":
            # Empty columns are many and alike: one dict serves them all.
            if self.is_leaf not in column.blanks:
                column.blanks[self.is_leaf] = self._made(typename, column, render(self, column, content))
            return column.blanks[self.is_leaf]
        return self._made(typename, column, render(self, column, content))

    def _made(self, typename: str, column: Column, fields: Rendered) -> Rendered:
        made: Rendered = {"__typename": typename, "id": column.id, "type": column.type, "text": "", "value": None, "updated_at": None}
        made["is_leaf"], made["_column"] = self.is_leaf, column
        made.update(EMPTY.get(typename, ()))
        made.update(fields)
        if made["value"] is not None and made["updated_at"] is None:
            made["updated_at"] = self.updated
        return made

    def _content(self, column: Column) -> Any:
        """What the world keeps in the column: None where it is empty."""
        task = self.task
        if column.role is None:
            assert column.definition is not None
            return task.values.get(column.definition.id)
        return CONTENT[column.role](task)

    def _text(self, column: Column, content: Any) -> Rendered:
        return {"text": content or "", "value": None if content is None else _json(content)}

    def _long_text(self, column: Column, content: Any) -> Rendered:
        return {"text": content or "", "value": None if content is None else _json({"text": content, "changed_at": self.changed})}

    def _status(self, column: Column, content: Any) -> Rendered:
        label = column.labels.get(content) if content is not None else None
        if label is None:
            return {"text": None, "index": None, "label": None, "is_done": False, "label_style": None}
        done_at = self.task.completed_at if label.done and column.role == "status" else None
        stamp = done_at or self.task.updated_at
        return {
            "text": label.name,
            "index": label.id,
            "label": label.name,
            "is_done": label.done,
            "label_style": {"color": label.color, "border": label.color},
            "updated_at": second(stamp),
            "value": _json({"index": label.id, "post_id": None, "changed_at": _milliseconds(stamp)}),
        }

    def _battery(self, column: Column, content: Any) -> Rendered:
        counts: dict[str, int] = {}
        for child in self.account.children(self.task):
            label = column.labels.get(child.status) if child.status else None
            key = str(label.id) if label else "5"
            counts[key] = counts.get(key, 0) + 1
        return {"text": None, "battery_value": [{"key": key, "count": count} for key, count in sorted(counts.items())]}

    def _date(self, column: Column, content: Any) -> Rendered:
        if content is None:
            return {"date": None, "time": None, "icon": None}
        moment = _moment(content)
        if not isinstance(moment, datetime):
            day = moment.isoformat()
            return {"text": day, "date": day, "time": None, "icon": None, "value": _json({"date": day, "icon": None, "changed_at": self.changed})}
        stored = moment.astimezone(UTC)
        local = moment.astimezone(ZoneInfo(self.account.me.timezone))
        value = {"date": f"{stored:%Y-%m-%d}", "time": f"{stored:%H:%M:%S}", "icon": None, "changed_at": self.changed}
        return {"text": f"{local:%Y-%m-%d %H:%M}", "date": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M:%S}", "icon": None, "value": _json(value)}

    def _timeline(self, column: Column, content: Any) -> Rendered:
        if content is None:
            return {"from": None, "to": None, "visualization_type": None}
        start, end = (day.isoformat() for day in content)
        style = "milestone" if self.task.kind == "milestone" else None
        value = {"from": start, "to": end, "changed_at": self.changed} | ({"visualization_type": style} if style else {})
        return {
            "text": f"{start} - {end}",
            "from": f"{start}T00:00:00Z",
            "to": f"{end}T00:00:00Z",
            "visualization_type": style,
            "value": _json(value),
        }

    def _people(self, column: Column, content: Any) -> Rendered:
        if not content:
            return {"persons_and_teams": []}
        world = self.account.world
        rows: list[tuple[str, str, str]] = []
        for key in content:
            person, team = world.people["monday"].get(key), world.teams["monday"].get(key)
            if person is not None:
                rows.append((key, "agent" if person.agent else "person", person.name or person.email or ""))
            elif team is not None:
                rows.append((key, "team", team.name))
        value = {"personsAndTeams": [{"id": int(key), "kind": kind} for key, kind, _ in rows], "changed_at": self.changed}
        return {
            "text": ", ".join(name for _, _, name in rows),
            "persons_and_teams": [{"id": key, "kind": kind} for key, kind, _ in rows],
            "value": _json(value),
        }

    def _numbers(self, column: Column, content: Any) -> Rendered:
        unit = column.settings.get("unit", {})
        fields: Rendered = {"number": None, "symbol": unit.get("symbol"), "direction": unit.get("direction")}
        if content is None:
            return fields
        plain = f"{float(content):.10g}"
        return fields | {"text": plain, "number": float(content), "value": _json(plain)}

    def _dropdown(self, column: Column, content: Any) -> Rendered:
        chosen = content if isinstance(content, list) else [] if content is None else [content]
        labels = [column.labels[key] for key in chosen if key in column.labels]
        if not labels:
            return {"values": []}
        value = {"ids": [label.id for label in labels], "changed_at": self.changed}
        return {
            "text": ", ".join(label.name for label in labels),
            "values": [{"id": str(label.id), "label": label.name} for label in labels],
            "value": _json(value),
        }

    def _tags(self, column: Column, content: Any) -> Rendered:
        ids = {name: key for key, name in self.account.world.tags["monday"].items()}
        known = [(ids[name], name) for name in content or () if name in ids]
        fields: Rendered = {
            "tag_ids": [int(key) for key, _ in known],
            "_tags": [key for key, _ in known],
            "text": ", ".join(name for _, name in known),
        }
        return fields | ({"value": _json({"tag_ids": fields["tag_ids"]})} if known else {})

    def _checkbox(self, column: Column, content: Any) -> Rendered:
        if content is None:
            return {"checked": None}
        return {
            "text": "v" if content else "",
            "checked": bool(content),
            "value": _json({"checked": "true" if content else "false", "changed_at": self.changed}),
        }

    def _week(self, column: Column, content: Any) -> Rendered:
        if content is None:
            return {"start_date": None, "end_date": None}
        start, end = content
        value = {"week": {"startDate": start, "endDate": end}}
        return {"text": f"{start} - {end}", "start_date": f"{start}T00:00:00Z", "end_date": f"{end}T00:00:00Z", "value": _json(value)}

    def _link(self, column: Column, content: Any) -> Rendered:
        if content is None:
            return {"url": None, "url_text": None}
        return {"text": f"{content} - {content}", "url": content, "url_text": content, "value": _json({"url": content, "text": content})}

    def _relation(self, column: Column, content: Any) -> Rendered:
        """``value`` and ``text`` say nothing since 2025-04: only the typed fields do."""
        return {"text": None, "linked_item_ids": list(content or ()), "display_value": self._names(content or ())}

    def _dependency(self, column: Column, content: Any) -> Rendered:
        links = [
            {"linked_item_id": edge.task, "dependency_type": DEPENDENCY_TYPES[edge.type], "lag": edge.lag_minutes // DAY_MINUTES}
            for edge in self.task.depends_on
        ]
        ids = [edge.task for edge in self.task.depends_on]
        return {"text": None, "linked_item_ids": ids, "dependency_links": links, "display_value": self._names(ids)}

    def _subtasks(self, column: Column, content: Any) -> Rendered:
        ids = [child.id for child in self.account.children(self.task)]
        return {"text": None, "subitems_ids": ids, "display_value": self._names(ids)}

    def _formula(self, column: Column, content: Any) -> Rendered:
        return {"display_value": "" if content is None else str(content)}

    def _time_tracking(self, column: Column, content: Any) -> Rendered:
        if content is None:
            return {"duration": None, "running": None, "started_at": None, "history": []}
        text = f"{content // 3600:02d}:{content // 60 % 60:02d}:{content % 60:02d}"
        value = {"running": "false", "duration": content, "startDate": None, "changed_at": self.changed}
        return {"text": text, "duration": content, "running": False, "started_at": None, "history": [], "value": _json(value)}

    def _creation_log(self, column: Column, content: Any) -> Rendered:
        at, who = second(self.task.created_at), self.task.creator or ""
        return {"text": f"{at}", "created_at": at, "creator_id": who, "value": _json({"created_at": at, "creator_id": who})}

    def _last_updated(self, column: Column, content: Any) -> Rendered:
        at, who = second(self.task.updated_at), self.task.creator
        return {"text": f"{at}", "updated_at": at, "updater_id": who, "value": _json({"updated_at": at, "updater_id": who})}

    def _names(self, ids: Any) -> str:
        tasks = self.account.world.tasks["monday"]
        return ", ".join(tasks[key].title for key in ids if key in tasks)


Render = Callable[[Painter, Column, Any], Rendered]
KINDS: dict[str, tuple[str, Render]] = {
    "text": ("TextValue", Painter._text),
    "location": ("LocationValue", Painter._text),
    "long_text": ("LongTextValue", Painter._long_text),
    "status": ("StatusValue", Painter._status),
    "date": ("DateValue", Painter._date),
    "timeline": ("TimelineValue", Painter._timeline),
    "people": ("PeopleValue", Painter._people),
    "numbers": ("NumbersValue", Painter._numbers),
    "dropdown": ("DropdownValue", Painter._dropdown),
    "tags": ("TagsValue", Painter._tags),
    "checkbox": ("CheckboxValue", Painter._checkbox),
    "week": ("WeekValue", Painter._week),
    "link": ("LinkValue", Painter._link),
    "board_relation": ("BoardRelationValue", Painter._relation),
    "dependency": ("DependencyValue", Painter._dependency),
    "subtasks": ("SubtasksValue", Painter._subtasks),
    "formula": ("FormulaValue", Painter._formula),
    "time_tracking": ("TimeTrackingValue", Painter._time_tracking),
    "creation_log": ("CreationLogValue", Painter._creation_log),
    "last_updated": ("LastUpdatedValue", Painter._last_updated),
}
DERIVED = ("dependency", "subtasks", "creation_log", "last_updated")
"""Columns whose content is not a value of its own."""
EMPTY: dict[str, Rendered] = {
    "StatusValue": {"update_id": None},
    "LocationValue": dict.fromkeys(
        (
            "address",
            "city",
            "city_short",
            "country",
            "country_short",
            "lat",
            "lng",
            "place_id",
            "street",
            "street_number",
            "street_number_short",
            "street_short",
        )
    ),
}
"""Fields of a type that the world never fills."""


def _minutes(minutes: int | None, unit: int) -> float | None:
    return None if minutes is None else minutes / unit


def _span(task: Task) -> tuple[date, date] | None:
    """A timeline holds dates only."""
    if task.start is None or task.due is None:
        return None
    start, end = (moment.date() if isinstance(moment, datetime) else moment for moment in (task.start, task.due))
    return start, end


CONTENT: dict[str, Callable[[Task], Any]] = {
    "status": lambda task: task.status,
    "priority": lambda task: task.priority,
    "assignees": lambda task: [*task.assignees, *task.teams],
    "due": lambda task: task.due,
    "start": lambda task: task.start,
    "timeline": _span,
    "estimate": lambda task: _minutes(task.estimate_minutes, 60),
    "logged": lambda task: None if task.logged_minutes is None else task.logged_minutes * 60,
    "progress": lambda task: task.progress,
    "tags": lambda task: task.tags,
    "dependency": lambda task: None,
    "subtasks": lambda task: None,
    "creation_log": lambda task: None,
    "last_updated": lambda task: None,
}


def _moment(content: Any) -> date | datetime:
    """A date or an instant, also from the text that custom fields keep."""
    if not isinstance(content, str):
        moment: date | datetime = content
        return moment
    return date.fromisoformat(content) if len(content) == len("YYYY-MM-DD") else datetime.fromisoformat(content)


def _milliseconds(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.isoformat()[:19]}.{moment.microsecond // 1000:03d}Z"
